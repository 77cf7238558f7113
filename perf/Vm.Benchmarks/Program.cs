using Everheap.Vm.Benchmarks.Children;
using Everheap.Vm.Benchmarks.Comparison;
using Everheap.Vm.Benchmarks.Programs;
using Everheap.Vm.Benchmarks.Startup;

namespace Everheap.Vm.Benchmarks;

/// <summary>Whole programs under Everheap and under Wasmtime, and with BenchmarkDotNet what comes before a program's first instruction.</summary>
internal static class Program
{
    private const int FullRuns = 3;

    private const string Usage = """
        usage: Everheap.Vm.Benchmarks --smoke | --full [--runs N] [--only NAME,NAME] | --startup

          --smoke     every program once in a small size, and the start-up benchmarks in process; fails if any output is wrong
          --full      every program in the size for figures, median of 3 (or of --runs N)
          --only      only these programs
          --startup   BenchmarkDotNet: decoding, validation, compilation, an empty program's whole life
        """;

    private static int Main(string[] arguments)
    {
        switch (arguments)
        {
            case [ChildProcess.Switch, "everheap", var module, .. var rest]:
                return EverheapChild.Run(module, rest, MemoryAddressing.Automatic);
            case [ChildProcess.Switch, "everheap-paged", var module, .. var rest]:
                return EverheapChild.Run(module, rest, MemoryAddressing.Paged);
            case [ChildProcess.Switch, "wasmtime", var module, .. var rest]:
                return WasmtimeChild.Run(module, rest);
            case [ChildProcess.Switch, "startup", var module, .. var rest]:
                return StartupChild.Run(module, rest);
            case ["--large-module", var path, .. var rest]:
                File.WriteAllBytes(path, LargeModule.Build(rest is [var count] ? int.Parse(count, System.Globalization.CultureInfo.InvariantCulture) : LargeModule.FunctionCount));
                return 0;
            case ["--smoke", .. var rest]:
                return Compare(ProgramSize.Smoke, 1, rest) && StartupBenchmarks.Run(inProcess: true) ? 0 : 1;
            case ["--full", .. var rest]:
                return Compare(ProgramSize.Default, FullRuns, rest) ? 0 : 1;
            case ["--startup"]:
                return StartupBenchmarks.Run(inProcess: false) ? 0 : 1;
            default:
                Console.Error.WriteLine(Usage);
                return 2;
        }
    }

    private static bool Compare(ProgramSize size, int runs, string[] options)
    {
        ProgramSet set = ProgramSet.Load(size);
        for (int i = 0; i + 1 < options.Length; i += 2)
        {
            switch (options[i])
            {
                case "--runs":
                    runs = int.Parse(options[i + 1], System.Globalization.CultureInfo.InvariantCulture);
                    break;
                case "--only":
                    string[] names = options[i + 1].Split(',');
                    set = set with { Programs = [.. set.Programs.Where(program => names.Contains(program.Name))] };
                    break;
            }
        }

        try
        {
            Console.WriteLine(MachineComparison.Run(set, runs));
            return true;
        }
        catch (InvalidOperationException exception)
        {
            Console.Error.WriteLine(exception.Message);
            return false;
        }
    }
}
