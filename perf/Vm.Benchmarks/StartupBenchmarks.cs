using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Everheap.Vm.Benchmarks.Programs;
using Everheap.Vm.Modules;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Benchmarks;

/// <summary>
/// What comes before and after a program's own work: decoding and validating a module, and the whole life of a program that only
/// greets: heap, compilation, first and last checkpoint.
/// </summary>
[MemoryDiagnoser]
public class StartupBenchmarks
{
    private const string LargeModule = "../shared/guests/apps/sqlite3/sqlite3.wasm";
    private const string SmallModule = "samples/hello.wasm";

    private byte[] _largeModule = [];
    private byte[] _smallModule = [];
    private string _heapPath = "";

    /// <summary>Runs the benchmarks and says whether all of them gave a result.</summary>
    /// <param name="inProcess">In this process and once, to see that they work; else as BenchmarkDotNet measures by default.</param>
    public static bool Run(bool inProcess)
    {
        IConfig config = inProcess
            ? ManualConfig.CreateEmpty()
                .AddJob(Job.Dry.WithToolchain(InProcessEmitToolchain.Instance))
                .AddColumnProvider(BenchmarkDotNet.Columns.DefaultColumnProviders.Instance)
                .AddLogger(ConsoleLogger.Default)
            : DefaultConfig.Instance.AddExporter(MarkdownExporter.GitHub);
        Summary summary = BenchmarkRunner.Run<StartupBenchmarks>(config);
        return !summary.HasCriticalValidationErrors && summary.Reports.Length > 0 && summary.Reports.All(report => report.Success);
    }

    /// <summary>Reads the modules and chooses a place for the heap.</summary>
    [GlobalSetup]
    public void ReadModules()
    {
        string root = GuestCatalog.RepositoryRoot, large = Path.Combine(root, LargeModule);
        _smallModule = File.ReadAllBytes(Path.Combine(root, SmallModule));
        _largeModule = File.Exists(large) ? File.ReadAllBytes(large) : _smallModule;
        Directory.CreateDirectory(ProgramSet.WorkFolder);
        _heapPath = Path.Combine(ProgramSet.WorkFolder, $"startup.{Environment.ProcessId}.heap");
    }

    /// <summary>A real program of 1 MB (SQLite), or the small sample where that is missing.</summary>
    [Benchmark]
    public Module DecodeAndValidate() => Module.Decode(_largeModule);

    /// <summary>From the module's bytes to the exit code, with a heap on disk.</summary>
    [Benchmark]
    public int WholeLifeOfHello()
    {
        try
        {
            using Process process = Process.Create(Module.Decode(_smallModule), _heapPath, new ProcessOptions
            {
                StandardInput = Stream.Null,
                StandardOutput = Stream.Null,
                StandardError = Stream.Null,
            });
            return process.Run().ExitCode;
        }
        finally
        {
            File.Delete(_heapPath);
        }
    }
}
