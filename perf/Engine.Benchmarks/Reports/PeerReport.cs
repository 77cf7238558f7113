using System.Diagnostics;
using System.Globalization;
using Everheap.Engine.Benchmarks.Children;
using Everheap.Engine.Benchmarks.Peers;
using Everheap.Engine.Benchmarks.Workloads;
using Everheap.Measuring;
using Everheap.Measuring.Plots;
using Everheap.Measuring.Reports;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>All peers do the same, each in a process of its own with the same memory, in turn; the order changes from round to round.</summary>
internal static class PeerReport
{
    public const string Name = "peers";

    /// <summary>What a process may use beside the budget: the runtime, code, the peers' own bookkeeping.</summary>
    private const long FixedBytes = 64L << 20;

    private static long BudgetBytes => Sizes.IsSmoke ? 2 * Units.MiB : 32 * Units.MiB;

    /// <summary>Four times the budget.</summary>
    private static long RecordCount => Sizes.IsSmoke ? 4_000 : 4 * BudgetBytes / Records.ValueBytes;

    /// <summary>A peer that takes longer than this for one run is not run again.</summary>
    private static TimeSpan RunTimeMax => TimeSpan.FromSeconds(60);

    private static int Rounds => Sizes.IsSmoke ? 1 : 3;

    private static Measurement[] Measurements
    {
        get
        {
            bool isSmoke = Sizes.IsSmoke;
            int warm = isSmoke ? 5 : 500, milliseconds = isSmoke ? 10 : 1000;
            return
            [
                new("load in order, 10,000 records a commit", "a record", [Phase.Load(isSmoke ? 1_000 : 10_000)]),
                new("commit of 1 record", "a commit", [Phase.WarmCommits(isSmoke ? 1 : 300, 1), Phase.Commits(isSmoke ? 3 : 300, 1)]),
                new("commit of 100 random records", "a commit", [Phase.WarmCommits(isSmoke ? 1 : 30, 100), Phase.Commits(isSmoke ? 2 : 60, 100)]),
                new("commit of 10,000 random records", "a commit", [Phase.Commits(isSmoke ? 1 : 5, isSmoke ? 100 : 10_000)]),
                new("read, hot twentieth", "a read", [Phase.Warm(KeyDistribution.Hot, warm), Phase.Reads(KeyDistribution.Hot, milliseconds)]),
                new("read, uniform", "a read", [Phase.Warm(KeyDistribution.Uniform, warm), Phase.Reads(KeyDistribution.Uniform, milliseconds)]),
                new("read, Zipfian", "a read", [Phase.Warm(KeyDistribution.Zipfian, warm), Phase.Reads(KeyDistribution.Zipfian, milliseconds)]),
                new("half writes, Zipfian, 1,000 writes a commit", "an operation", [Phase.Warm(KeyDistribution.Zipfian, warm), Phase.Mix(KeyDistribution.Zipfian, milliseconds, 50, 1_000)]),
            ];
        }
    }

    public static ReportSection Run()
    {
        Dictionary<string, PeerResult> results = AllPeers.Kinds.ToDictionary(kind => kind.Name, kind => new PeerResult { WhyNot = kind.WhyNotAvailable() });
        for (int round = 0; round < Rounds; round++)
        {
            for (int turn = 0; turn < AllPeers.Kinds.Count; turn++)
            {
                PeerKind kind = AllPeers.Kinds[(turn + round) % AllPeers.Kinds.Count];
                Progress.Tell($"{Name}: round {round + 1} of {Rounds}, {kind.Name}");
                PeerResult result = results[kind.Name];
                if (result.WhyNot is null && !result.IsSlow)
                {
                    long start = Stopwatch.GetTimestamp();
                    _ = RunOnce(kind, result) || RunOnce(kind, result);
                    result.IsSlow = Stopwatch.GetElapsedTime(start) > RunTimeMax;
                }
            }
        }

        return Describe(results);
    }

    /// <returns>False if it wanted more memory than it was given, and is to be run without a limit.</returns>
    private static bool RunOnce(PeerKind kind, PeerResult result)
    {
        using WorkFolder folder = new();

        // At the end, what was committed is there when it is opened again, whole.
        IEnumerable<Phase> phases = [.. Measurements.SelectMany(measurement => measurement.Phases), Phase.Reopen(), Phase.Verify(Math.Min(RecordCount, 5_000))];
        string[] command = [PeerRun.Command, kind.Name, folder.Path, Text(RecordCount), Text(BudgetBytes), .. phases.Select(phase => phase.ToString())];
        using MemoryLimit? limit = result.ExceedsLimit || !kind.HasBudget ? null : MemoryLimit.TryCreate(BudgetBytes + FixedBytes, out _);
        ChildResult run = ChildProcess.Run(command, limit);
        if (limit is not null && run.WantedMoreMemory)
        {
            result.ExceedsLimit = true;
            return false;
        }

        IReadOnlyDictionary<string, double> figures = run.Figures;
        foreach (Measurement measurement in Measurements)
        {
            result.Of(measurement).Add(figures[measurement.Phases[^1].ToString()]);
        }

        result.FileBytes.Add(folder.Length());

        return true;
    }

    private static ReportSection Describe(Dictionary<string, PeerResult> results)
    {
        ReportSection section = new(Name);
        section.Add(
            $"{Units.Count(RecordCount)} records of {Records.ValueBytes} bytes, {Units.Bytes(RecordCount * Records.ValueBytes)}; budget {Units.Bytes(BudgetBytes)}; median of {Rounds} runs. "
            + LimitText());
        List<PeerKind> shown = [.. AllPeers.Kinds.Where(kind => results[kind.Name].WhyNot is null)];
        MarkdownTable table = new(["what", "per", .. shown.Select(kind => kind.Name.Split(" (")[0])]);
        foreach (Measurement measurement in Measurements)
        {
            table.Add([measurement.Name, measurement.Unit, .. shown.Select(kind => Units.Time(results[kind.Name].Of(measurement).Median))]);
        }

        table.Add(["files at the end", "", .. shown.Select(kind => Units.Bytes(results[kind.Name].FileBytes.Median))]);
        section.Add(table);
        foreach (PeerKind kind in shown.Where(kind => results[kind.Name].ExceedsLimit))
        {
            section.Add($"{kind.Name} ended for want of memory under that limit, so its figures are without one.");
        }

        foreach (PeerKind kind in shown.Where(kind => !kind.HasBudget))
        {
            section.Add($"{kind.Name} has no setting for its memory, so it ran without a limit.");
        }

        foreach (PeerKind kind in shown.Where(kind => results[kind.Name].IsSlow))
        {
            section.Add($"{kind.Name} took so long that it ran {results[kind.Name].FileBytes.Count} times only.");
        }

        foreach (PeerKind kind in AllPeers.Kinds.Where(kind => results[kind.Name].WhyNot is not null))
        {
            section.Add($"{kind.Name}: not available: {results[kind.Name].WhyNot}.");
        }

        Chart(section, "peer-commits.svg", "Writing, durably: time, less is better", Measurements.Take(4), shown, results);
        Chart(section, "peer-reads.svg", "Reading, and reading and writing: time, less is better", Measurements.Skip(4), shown, results);
        return section;
    }

    private static string LimitText()
    {
        using MemoryLimit? limit = MemoryLimit.TryCreate(BudgetBytes + FixedBytes, out string whyNot);
        return limit is not null
            ? $"Each process in a control group with a limit of {Units.Bytes(BudgetBytes + FixedBytes)} on all its memory, page cache included."
            : $"Memory was limited by the peers' own settings alone: {whyNot}.";
    }

    private static void Chart(
        ReportSection section, string fileName, string title, IEnumerable<Measurement> measurements, List<PeerKind> shown, Dictionary<string, PeerResult> results)
    {
        BarChart chart = new(title, new Axis("time, logarithmic", Units.Time, IsLogarithmic: true));
        foreach (Measurement measurement in measurements)
        {
            chart.Add($"{measurement.Name}, {measurement.Unit}", shown.Select(kind => (kind.Name.Split(" (")[0], (double?)results[kind.Name].Of(measurement).Median)));
        }

        section.AddPlot(fileName, title, chart.ToString());
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>What is measured: the last of its phases.</summary>
    private sealed record Measurement(string Name, string Unit, IReadOnlyList<Phase> Phases);

    private sealed class PeerResult
    {
        private readonly Dictionary<string, Series> _series = [];

        public string? WhyNot { get; set; }

        public bool IsSlow { get; set; }

        /// <summary>Whether it ran without a limit, because it did not do with it.</summary>
        public bool ExceedsLimit { get; set; }

        public Series FileBytes { get; } = new();

        public Series Of(Measurement measurement)
        {
            if (!_series.TryGetValue(measurement.Name, out Series? series))
            {
                _series[measurement.Name] = series = new Series();
            }

            return series;
        }
    }
}
