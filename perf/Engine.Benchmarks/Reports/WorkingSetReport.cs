using System.Globalization;
using Everheap.Engine.Benchmarks.Children;
using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Engine.Benchmarks.Peers;
using Everheap.Engine.Benchmarks.Workloads;
using Everheap.Measuring;
using Everheap.Measuring.Plots;
using Everheap.Measuring.Reports;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>Everheap and LMDB with the same memory, and 1 to 100 times as much data as fits into it.</summary>
internal static class WorkingSetReport
{
    public const string Name = "working-set";

    /// <summary>What a process may use beside the memory that data is measured by: the runtime, code, and bookkeeping.</summary>
    private const long FixedBytes = 16L << 20;

    /// <summary>What Everheap's process needs of that; the rest of the limit is its budget. (What LMDB's process leaves is page cache.)</summary>
    private const long EverheapFixedBytes = 13L << 20;

    private const long RecordsPerCommit = 1000;
    private const long WritePercent = 10;

    private static int MemoryBytes => Sizes.IsSmoke ? 2 * Units.MiB : 32 * Units.MiB;

    private static long LimitBytes => MemoryBytes + FixedBytes;

    private static long ResidentBytes => LimitBytes - EverheapFixedBytes;

    private static int[] Multiples => Sizes.IsSmoke ? [1, 4] : [1, 2, 4, 10, 100];

    /// <summary>How often each has its turn.</summary>
    private static int Turns => Sizes.IsSmoke ? 1 : 7;

    private static (string Name, Phase Warm, Phase Measured)[] Workloads
    {
        get
        {
            // The first finds all frames and the page cache empty.
            int first = Sizes.IsSmoke ? 20 : 2000, warm = Sizes.IsSmoke ? 20 : 700, measured = Sizes.IsSmoke ? 30 : 250;
            return
            [
                ("uniform reads", Phase.Warm(KeyDistribution.Uniform, first), Phase.Reads(KeyDistribution.Uniform, measured)),
                ("Zipfian reads", Phase.Warm(KeyDistribution.Zipfian, warm), Phase.Reads(KeyDistribution.Zipfian, measured)),
                ("uniform, one in ten writes", Phase.Warm(KeyDistribution.Uniform, warm), Phase.Mix(KeyDistribution.Uniform, measured, WritePercent, RecordsPerCommit)),
                ("Zipfian, one in ten writes", Phase.Warm(KeyDistribution.Zipfian, warm), Phase.Mix(KeyDistribution.Zipfian, measured, WritePercent, RecordsPerCommit)),
            ];
        }
    }

    public static ReportSection Run()
    {
        ReportSection section = new(Name);
        List<PeerKind> kinds = [EverheapPeer.Kind];
        if (LmdbPeer.Kind.WhyNotAvailable() is { } reason)
        {
            section.Add($"{LmdbPeer.Kind.Name}: not available: {reason}");
        }
        else
        {
            kinds.Add(LmdbPeer.Kind);
        }

        using (MemoryLimit? limit = MemoryLimit.TryCreate(LimitBytes, out string whyNot))
        {
            section.Add(limit is not null
                ? $"Memory {Units.Bytes(MemoryBytes)}: each process is in a control group of its own with a limit of {Units.Bytes(LimitBytes)} on all that it has, the runtime and the page cache "
                    + $"included. Of that, Everheap has a budget of {Units.Bytes(ResidentBytes)}, and LMDB all that the runtime leaves; for both, the runtime is set to take little (`DOTNET_TieredPGO=0`, `DOTNET_GCgen0size=100000`)."
                : $"Budget {Units.Bytes(ResidentBytes)} for Everheap; the page cache that LMDB lives in was **not limited**: {whyNot}.");
        }

        Dictionary<(string Kind, int Multiple, string Workload), Series> times = [];
        foreach (int multiple in Multiples)
        {
            Measure(kinds, multiple, times);
        }

        Describe(section, kinds, times);
        return section;
    }

    /// <summary>Both are open at once, and take turns of a quarter of a second: what slows the disk down slows both.</summary>
    private static void Measure(List<PeerKind> kinds, int multiple, Dictionary<(string, int, string), Series> times)
    {
        long records = (long)multiple * MemoryBytes / Records.ValueBytes;
        using WorkFolder folder = new();
        foreach (PeerKind kind in kinds)
        {
            Progress.Tell($"{Name}: {multiple} times the memory, {kind.Name}");
            _ = ChildProcess.Run([PeerRun.Command, .. Arguments(kind), $"{Phase.Load(20_000)}"]).Figures;
        }

        // What was cached by others does not count towards a group, so it must go.
        PageCache.DropFolder(folder.Path);
        List<MemoryLimit?> limits = [.. kinds.Select(_ => MemoryLimit.TryCreate(LimitBytes, out string _))];
        List<ChildConversation> children = [];
        try
        {
            children.AddRange(kinds.Select((kind, index) => new ChildConversation([PeerRun.TalkCommand, .. Arguments(kind)], limits[index])));
            foreach ((string name, Phase warm, Phase measured) in Workloads)
            {
                List<Series> series = [.. kinds.Select(kind => times[(kind.Name, multiple, name)] = new Series())];
                children.ForEach(child => child.Ask($"{warm}"));
                for (int turn = 0; turn < Turns; turn++)
                {
                    for (int i = 0; i < kinds.Count; i++)
                    {
                        int index = turn % 2 == 0 ? i : kinds.Count - 1 - i;
                        series[index].Add(double.Parse(children[index].Ask($"{measured}"), CultureInfo.InvariantCulture));
                    }
                }
            }

            foreach (ChildConversation child in children)
            {
                _ = child.Ask($"{Phase.Verify(200)}");
                child.End();
            }
        }
        finally
        {
            children.ForEach(child => child.Dispose());
            limits.ForEach(limit => limit?.Dispose());
        }

        string[] Arguments(PeerKind kind) =>
        [
            kind.Name,
            folder.Path,
            records.ToString(CultureInfo.InvariantCulture),
            ResidentBytes.ToString(CultureInfo.InvariantCulture),
        ];
    }

    private static void Describe(ReportSection section, List<PeerKind> kinds, Dictionary<(string Kind, int Multiple, string Workload), Series> times)
    {
        PeerKind everheap = kinds[0];
        PeerKind? other = kinds.Count > 1 ? kinds[1] : null;
        MarkdownTable table = new("workload", "data / memory", "Everheap: operations a second", other is null ? "LMDB" : $"{other.Name}", "Everheap over LMDB");
        foreach ((string name, _, _) in Workloads)
        {
            foreach (int multiple in Multiples)
            {
                double mine = Rate(everheap, multiple, name), theirs = other is null ? double.NaN : Rate(other, multiple, name);
                table.Add(name, $"{multiple}", Units.Count(mine), other is null ? "" : Units.Count(theirs), other is null ? "" : Units.Ratio(mine / theirs));
            }
        }

        section.Add(table);
        foreach (string distribution in new[] { "uniform", "Zipfian" })
        {
            LineChart chart = new(
                $"{(distribution == "uniform" ? "Uniform" : distribution)} accesses to 1 to 100 times as much data as memory",
                new Axis("data over memory", mark => $"{mark:0}", IsLogarithmic: true) { Marks = [.. Multiples.Select(multiple => (double)multiple)] },
                new Axis("operations a second, logarithmic", Units.Count, IsLogarithmic: true));
            foreach ((PeerKind kind, int color) in kinds.Select((kind, index) => (kind, index)))
            {
                foreach ((string name, _, _) in Workloads.Where(workload => workload.Name.StartsWith(distribution, StringComparison.Ordinal)))
                {
                    bool isMixed = name.Contains("writes", StringComparison.Ordinal);
                    chart.Add(
                        $"{kind.Name.Split(' ')[0]}, {(isMixed ? "one in ten writes" : "reads")}",
                        Multiples.Select(multiple => ((double)multiple, Rate(kind, multiple, name))),
                        color,
                        isDashed: isMixed);
                }
            }

            section.AddPlot(distribution == "uniform" ? "working-set-uniform.svg" : "working-set-zipfian.svg", $"{distribution} accesses, by data over memory", chart.ToString());
        }

        if (other is not null)
        {
            foreach ((string name, _, _) in Workloads)
            {
                (int worst, double ratio) = Multiples.Select(multiple => (multiple, Rate(everheap, multiple, name) / Rate(other, multiple, name))).MinBy(pair => pair.Item2);
                section.AddFinding($"{name}, 1 to 100 times the memory, against LMDB with the same memory", "ahead everywhere", $"{Units.Ratio(ratio)} at {worst} times", ratio > 1);
            }
        }

        double Rate(PeerKind kind, int multiple, string workload) => 1e9 / times[(kind.Name, multiple, workload)].Median;
    }
}
