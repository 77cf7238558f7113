using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using Everheap.Engine.Benchmarks;
using Perfolizer.Horology;

// --smoke    every benchmark once, briefly, in this process: seconds; fails if any of them fails
// --report   the rows of docs/benchmarks.md, as markdown
// otherwise  BenchmarkDotNet's own command line (--filter, --list, ...)
return args switch
{
    ["--smoke"] => Smoke(),
    ["--report"] => Report.Print(Console.Out),
    [SparseHeap.MakeAndDieArgument, var path, var stride] => SparseHeap.MakeAndDie(path, ulong.Parse(stride, CultureInfo.InvariantCulture)),
    _ => BenchmarkSwitcher.FromAssembly(typeof(Report).Assembly).Run(args).All(IsComplete) ? 0 : 1,
};

static int Smoke()
{
    Sizes.IsSmoke = true;
    Job job = Job.Default
        .WithToolchain(InProcessNoEmitToolchain.Instance)
        .WithWarmupCount(1)
        .WithIterationCount(3)
        .WithIterationTime(TimeInterval.FromMilliseconds(20));
    ManualConfig config = ManualConfig.CreateEmpty()
        .AddJob(job)
        .AddLogger(NullLogger.Instance)
        .AddColumnProvider(DefaultColumnProviders.Instance)
        .WithOptions(ConfigOptions.DisableLogFile);
    bool complete = true;
    foreach (Summary summary in BenchmarkSwitcher.FromAssembly(typeof(Report).Assembly).RunAll(config))
    {
        MarkdownExporter.Console.ExportToLog(summary, ConsoleLogger.Default);
        complete &= IsComplete(summary);
    }

    Console.WriteLine(complete ? "smoke: every benchmark ran" : "smoke: a benchmark failed");
    return complete ? 0 : 1;
}

static bool IsComplete(Summary summary) =>
    !summary.HasCriticalValidationErrors && summary.Reports.Length > 0 && summary.Reports.All(report => report.Success);
