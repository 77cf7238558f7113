using BenchmarkDotNet.Running;
using Everheap.Engine.Benchmarks.Children;
using Everheap.Engine.Benchmarks.Reports;

namespace Everheap.Engine.Benchmarks;

/// <summary>The engine's benchmarks: beside their floors, and beside its peers.</summary>
internal static class Program
{
    private static readonly string Usage = $"""
        usage: Everheap.Engine.Benchmarks --smoke | --report [--only NAME,NAME] [--docs FOLDER] | --flush-counts [--docs FOLDER] | --list-peers | BENCHMARKDOTNET'S OPTIONS

          --smoke         everything in a tiny size, in seconds: every benchmark, every section of the report, every peer that is there; fails if a value is wrong
          --report        all sections in full size, as markdown: about 15 minutes; medians, each figure in turn with what it is compared with
            --only        only these sections: {string.Join(", ", Report.Names)}
            --docs        also enters them in FOLDER/benchmarks.md, between the markers of each section, and writes FOLDER/plots/*.svg
          --flush-counts  runs every peer under strace (which must be installed) and counts the flushes of a commit
          --list-peers    the stores that are compared, and why any of them is not available here
          otherwise       BenchmarkDotNet's own command line: --filter '*', --list flat, ...

        Files are made in the folder that EVERHEAP_BENCH_DIR names, or in the system's temporary folder; the full report wants some 20 GiB there.
        """;

    private static int Main(string[] arguments)
    {
        try
        {
            return Run(arguments);
        }
        catch (InvalidOperationException failure)
        {
            // Caught so that what is open is closed and its files are removed: an exception that nobody catches leaves them.
            Console.Error.WriteLine(failure);
            return 1;
        }
    }

    private static int Run(string[] arguments)
    {
        switch (arguments)
        {
            case [ChildProcess.Switch, .. var command]:
                return ChildCommands.Run(command);
            case ["--smoke"]:
                return Smoke.Run() ? 0 : 1;
            case ["--report", .. var options] when Options.TryParse(options, Report.Names, out Options? parsed):
                return Report.Run(parsed.Only, parsed.Documents, Console.Out);
            case ["--flush-counts", .. var options] when Options.TryParse(options, [], out Options? parsed):
                return Report.CountFlushes(parsed.Documents, Console.Out);
            case ["--list-peers"]:
                return Report.ListPeers(Console.Out);
            case [] or ["--help" or "-h", ..] or ["--report" or "--flush-counts" or "--smoke", ..]:
                Console.Error.WriteLine(Usage);
                return 2;
            default:
                return BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(arguments).All(Smoke.IsComplete) ? 0 : 1;
        }
    }
}
