using System.Globalization;
using Everheap.Vm.Benchmarks.Children;
using Everheap.Vm.Benchmarks.Peers;
using Everheap.Vm.Benchmarks.Reports;
using Everheap.Vm.Benchmarks.Startup;

namespace Everheap.Vm.Benchmarks;

/// <summary>Whole programs under Everheap and beside its peers, and with BenchmarkDotNet what comes before a program's first instruction.</summary>
internal static class Program
{
    private const string StartupSwitch = "startup";

    private static int Main(string[] arguments)
    {
        try
        {
            return Run(arguments);
        }
        catch (InvalidOperationException failure)
        {
            // Caught so that scratch folders are removed: an exception that nobody catches leaves them.
            Console.Error.WriteLine(failure.Message);
            return 1;
        }
    }

    private static int Run(string[] arguments)
    {
        switch (arguments)
        {
            case [ManagedPeer.Switch, StartupSwitch, var module, .. var rest]:
                return StartupChild.Run(module, rest);
            case [ManagedPeer.Switch, var name, .. var rest] when AllPeers.FindManaged(name) is { } peer:
                return peer.Run(ChildCommand.Parse(rest));
            case ["--large-module", var path, .. var rest]:
                File.WriteAllBytes(path, LargeModule.Build(rest is [var count] ? int.Parse(count, CultureInfo.InvariantCulture) : LargeModule.FunctionCount));
                return 0;
            case ["--micro"]:
                return StartupBenchmarks.Run(inProcess: false) ? 0 : 1;
        }

        using var peers = new AllPeers();
        IEnumerable<string> names = peers.All.Select(peer => peer.Name);
        switch (arguments)
        {
            case ["--smoke", .. var rest] when Options.TryParse(rest, new Options { IsSmoke = true, Rounds = 1 }, names, out Options? options):
                SmokeDocument.Run(options, peers, Console.Out);
                return StartupBenchmarks.Run(inProcess: true) ? 0 : 1;
            case ["--full", .. var rest] when Options.TryParse(rest, new Options(), names, out Options? options):
                Report.Run(options, peers, Console.Out);
                return 0;
            default:
                Console.Error.WriteLine(Usage(names));
                return 2;
        }
    }

    private static string Usage(IEnumerable<string> peers) => $"""
        usage: Everheap.Vm.Benchmarks --smoke | --full [OPTIONS] | --micro | --large-module FILE [FUNCTIONS]

          --smoke            everything once in a small size, in seconds; fails if any output is wrong
          --full             everything in the size for figures, as markdown: about 15 minutes
            --sections A,B   only these: {string.Join(", ", Report.Names)}
            --machines A,B   only these: {string.Join(", ", peers)}; those that are not installed are left out
            --only A,B       only these programs
            --rounds N       each peer runs each program N times, by turns, and the median counts; {Options.FullRounds} in a full run
            --docs FOLDER    also enters the sections in FOLDER/benchmarks.md, between their markers, and writes FOLDER/plots/*.svg
          --micro            BenchmarkDotNet: decoding, validation, an empty program's whole life
          --large-module     writes the large module of the section {StartupReport.Name}
        """;
}
