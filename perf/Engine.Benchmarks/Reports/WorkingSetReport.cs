using System.Globalization;
using Everheap.Engine.Benchmarks.Children;
using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Engine.Benchmarks.Measuring;
using Everheap.Engine.Benchmarks.Peers;
using Everheap.Engine.Benchmarks.Plots;
using Everheap.Engine.Benchmarks.Workloads;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>Everheap and LMDB with the same memory, and 1 to 100 times as much data as fits into it.</summary>
internal static class WorkingSetReport
{
    public const string Name = "working-set";

    /// <summary>What a process may use beside the budget: the runtime, code, and bookkeeping.</summary>
    private const long FixedBytes = 16L << 20;

    private const long RecordsPerCommit = 1000;
    private const long WritePercent = 10;

    private static int BudgetBytes => Sizes.IsSmoke ? 2 * Units.MiB : 32 * Units.MiB;

    private static int[] Multiples => Sizes.IsSmoke ? [1, 4] : [1, 2, 4, 10, 100];

    private static int Rounds => Sizes.IsSmoke ? 1 : 3;

    private static (string Name, Phase Warm, Phase Measured)[] Workloads
    {
        get
        {
            int warm = Sizes.IsSmoke ? 20 : 800, measured = Sizes.IsSmoke ? 30 : 1000;
            return
            [
                ("uniform reads", Phase.Warm(KeyDistribution.Uniform, warm), Phase.Reads(KeyDistribution.Uniform, measured)),
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

        long limitBytes = BudgetBytes + FixedBytes;
        using (MemoryLimit? limit = MemoryLimit.TryCreate(limitBytes, out string whyNot))
        {
            section.Add(limit is not null
                ? $"Budget {Units.Bytes(BudgetBytes)}; each process in a control group with a limit of {Units.Bytes(limitBytes)} on all its memory, page cache included."
                : $"Budget {Units.Bytes(BudgetBytes)} for Everheap; the page cache that LMDB lives in was **not limited**: {whyNot}.");
        }

        Dictionary<(string Kind, int Multiple, string Workload), Series> times = [];
        foreach (int multiple in Multiples)
        {
            Measure(kinds, multiple, limitBytes, times);
        }

        Describe(section, kinds, times);
        return section;
    }

    private static void Measure(List<PeerKind> kinds, int multiple, long limitBytes, Dictionary<(string, int, string), Series> times)
    {
        long records = (long)multiple * BudgetBytes / Records.ValueBytes;
        using WorkFolder folder = new();
        foreach (PeerKind kind in kinds)
        {
            Progress.Tell($"{Name}: {multiple} times the budget, {kind.Name}");
            _ = ChildProcess.Run(Command(kind, folder, records, [Phase.Load(20_000)])).Figures;
        }

        for (int round = 0; round < Rounds; round++)
        {
            foreach (PeerKind kind in round % 2 == 0 ? kinds : kinds.AsEnumerable().Reverse())
            {
                // What was cached by others does not count towards a group, so it must go.
                PageCache.DropFolder(folder.Path);
                using MemoryLimit? limit = MemoryLimit.TryCreate(limitBytes, out _);
                Phase[] phases = [.. Workloads.SelectMany(workload => new[] { workload.Warm, workload.Measured }), Phase.Verify(200)];
                IReadOnlyDictionary<string, double> figures = ChildProcess.Run(Command(kind, folder, records, phases), limit).Figures;
                foreach ((string name, _, Phase measured) in Workloads)
                {
                    if (!times.TryGetValue((kind.Name, multiple, name), out Series? series))
                    {
                        times[(kind.Name, multiple, name)] = series = new Series();
                    }

                    series.Add(figures[measured.ToString()]);
                }
            }
        }
    }

    private static string[] Command(PeerKind kind, WorkFolder folder, long records, IEnumerable<Phase> phases) =>
    [
        PeerRun.Command,
        kind.Name,
        folder.Path,
        records.ToString(CultureInfo.InvariantCulture),
        BudgetBytes.ToString(CultureInfo.InvariantCulture),
        .. phases.Select(phase => phase.ToString()),
    ];

    private static void Describe(ReportSection section, List<PeerKind> kinds, Dictionary<(string Kind, int Multiple, string Workload), Series> times)
    {
        PeerKind everheap = kinds[0];
        PeerKind? other = kinds.Count > 1 ? kinds[1] : null;
        MarkdownTable table = new("workload", "data / budget", "Everheap: operations a second", other is null ? "LMDB" : $"{other.Name}", "Everheap over LMDB");
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
                new Axis("data over budget", mark => $"{mark:0}", IsLogarithmic: true) { Marks = [.. Multiples.Select(multiple => (double)multiple)] },
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

            section.AddPlot(distribution == "uniform" ? "working-set-uniform.svg" : "working-set-zipfian.svg", $"{distribution} accesses, by data over budget", chart.ToString());
        }

        if (other is not null)
        {
            foreach ((string name, _, _) in Workloads)
            {
                (int worst, double ratio) = Multiples.Select(multiple => (multiple, Rate(everheap, multiple, name) / Rate(other, multiple, name))).MinBy(pair => pair.Item2);
                section.AddFinding($"{name}, 1 to 100 times the budget, against LMDB with the same memory", "ahead everywhere", $"{Units.Ratio(ratio)} at {worst} times", ratio > 1);
            }
        }

        double Rate(PeerKind kind, int multiple, string workload) => 1e9 / times[(kind.Name, multiple, workload)].Median;
    }
}
