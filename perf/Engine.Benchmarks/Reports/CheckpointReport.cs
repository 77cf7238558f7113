using System.Diagnostics;
using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Measuring;
using Everheap.Measuring.Plots;
using Everheap.Measuring.Reports;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>The pause of a checkpoint and its whole time, by what is dirty and by how large the heap is.</summary>
internal static class CheckpointReport
{
    public const string Name = "checkpoints";

    /// <summary>Dirty pages lie together in runs of 256 KiB, which are spread evenly over the heap.</summary>
    private const int RunPages = 64;

    private const double PauseTargetNanoseconds = 1e6;
    private const double TotalRatioTarget = 1.25;
    private const int PauseTargetDirtyMiB = 64;

    private static int[] HeapGiB => Sizes.IsSmoke ? [1, 10] : [1, 10, 100];

    private static int[] DirtyMiB => Sizes.IsSmoke ? [1, 2] : [1, 16, 64, 256];

    /// <summary>One page in so many bytes of the heap is there beside the dirty ones.</summary>
    private static ulong Stride => (ulong)(Sizes.IsSmoke ? 64 * Units.MiB : Units.MiB);

    public static ReportSection Run()
    {
        List<Heap> heaps = [];
        try
        {
            foreach (int heapGiB in HeapGiB)
            {
                Progress.Tell($"{Name}: a heap of {heapGiB} GiB");
                heaps.Add(new Heap(heapGiB, new SparseFixture((ulong)(heapGiB * Units.GiB), Stride, ResidentBytes)));
            }

            return Describe(
            [
                .. DirtyMiB.SelectMany(dirtyMiB => Measure(heaps, dirtyMiB, RunPages)),
                .. DirtyMiB[1..^1].SelectMany(dirtyMiB => Measure([heaps[^1]], dirtyMiB, runPages: 1)),
            ]);
        }
        finally
        {
            heaps.ForEach(heap => heap.Fixture.Dispose());
        }
    }

    private static long ResidentBytes => (2L * DirtyMiB[^1] * Units.MiB) + (64 * Units.MiB);

    private static int Rounds(int dirtyMiB) => Sizes.IsSmoke ? 3 : dirtyMiB switch { <= 1 => 200, <= 64 => 100, _ => 15 };

    /// <summary>The heaps take turns with the plain file.</summary>
    private static List<Row> Measure(List<Heap> heaps, int dirtyMiB, int runPages)
    {
        Progress.Tell($"{Name}: {dirtyMiB} MiB dirty");
        int pages = dirtyMiB * Units.MiB / HeapFixture.PageSize;
        byte[] bytes = new byte[dirtyMiB * Units.MiB];
        new Random(4).NextBytes(bytes);
        using PlainFile plain = new(pages);
        List<Row> rows = [.. heaps.Select(heap => new Row(heap.GiB, dirtyMiB, runPages == 1))];
        int rounds = Rounds(dirtyMiB);

        // The first few let the file grow to what it needs, and the code be compiled for good.
        int warmUps = Math.Max(3, rounds / 10);
        for (int round = -warmUps; round < rounds; round++)
        {
            for (int i = 0; i < heaps.Count; i++)
            {
                Row row = round >= 0 ? rows[i] : new Row(0, dirtyMiB, false);
                row.Floor.Time(() => plain.WriteAndFlush(0, bytes));
                heaps[i].Fixture.Dirty(pages, runPages);
                Checkpoint(heaps[i].Fixture.Heap, pages, row);
            }
        }

        return rows;
    }

    private static void Checkpoint(PersistentHeap heap, int pages, Row row)
    {
        TimeSpan processorStart = ThreadClock.ProcessorTime();
        long start = Stopwatch.GetTimestamp();
        PendingCheckpoint pending = heap.BeginCheckpoint();
        row.Call.Add(Stopwatch.GetElapsedTime(start).TotalNanoseconds);
        row.ProcessorTime.Add((ThreadClock.ProcessorTime() - processorStart).TotalNanoseconds);
        CheckpointInfo info = pending.Wait();
        row.Total.Add(Stopwatch.GetElapsedTime(start).TotalNanoseconds);
        row.BytesWritten = info.Bytes;
        if (info.Pages != pages)
        {
            throw new InvalidOperationException($"A checkpoint of {pages} dirty pages wrote {info.Pages}.");
        }
    }

    private static ReportSection Describe(List<Row> rows)
    {
        ReportSection section = new(Name);
        MarkdownTable table = new(
            "heap", "dirty", "pause: median", "p99", "its processor time: median", "p99", "until durable: median", "best", "p99", "plain file: median", "best", "p99", "ratio of medians", "of bests", "bytes written / dirty");
        foreach (Row row in rows)
        {
            table.Add(
                $"{row.HeapGiB} GiB",
                row.IsScattered ? $"{row.DirtyMiB} MiB, single pages" : $"{row.DirtyMiB} MiB",
                Units.Time(row.Call.Median),
                Units.Time(row.Call.P99),
                Units.Time(row.ProcessorTime.Median),
                Units.Time(row.ProcessorTime.P99),
                Units.Time(row.Total.Median),
                Units.Time(row.Total.Best),
                Units.Time(row.Total.P99),
                Units.Time(row.Floor.Median),
                Units.Time(row.Floor.Best),
                Units.Time(row.Floor.P99),
                Units.Ratio(row.Ratio),
                Units.Ratio(row.RatioOfBests),
                Units.Ratio(row.BytesWritten / ((double)row.DirtyMiB * Units.MiB)));
        }

        section.Add(table);
        List<Row> regular = [.. rows.Where(row => !row.IsScattered)];
        section.AddPlot("checkpoint-pause.svg", "Pause of a checkpoint by dirty bytes and size of the heap", PauseChart(regular));
        section.AddPlot("checkpoint-total.svg", "Time of a checkpoint until it is durable, against a plain file", TotalChart(regular));
        AddFindings(section, rows, regular);
        return section;
    }

    private static void AddFindings(ReportSection section, List<Row> rows, List<Row> regular)
    {
        Row slowestPause = regular.Where(row => row.DirtyMiB <= PauseTargetDirtyMiB).MaxBy(row => row.Call.P99)!;
        section.AddFinding(
            "p99 of a checkpoint's pause (the whole call) up to 64 MiB dirty",
            "1 ms",
            $"{Units.Time(slowestPause.Call.P99)} ({slowestPause.DirtyMiB} MiB dirty, {slowestPause.HeapGiB} GiB; p99 of its processor time {Units.Time(slowestPause.ProcessorTime.P99)})",
            slowestPause.Call.P99 <= PauseTargetNanoseconds);
        foreach (Row row in rows.GroupBy(row => (row.DirtyMiB, row.IsScattered)).Select(group => group.MaxBy(row => row.Ratio)!))
        {
            section.AddFinding(
                $"checkpoint of {row.DirtyMiB} MiB dirty{(row.IsScattered ? ", every page alone in its leaf" : "")}, against writing and flushing as many bytes; the worst heap size",
                $"{TotalRatioTarget}",
                $"{Units.Ratio(row.Ratio)} ({row.HeapGiB} GiB; of bests {Units.Ratio(row.RatioOfBests)})",
                row.Ratio <= TotalRatioTarget);
        }

        foreach (IGrouping<int, Row> group in regular.GroupBy(row => row.DirtyMiB))
        {
            double flatness = Flatness(group, series => series.Median);
            section.AddFinding(
                $"checkpoint of {group.Key} MiB dirty: the slowest heap size over the fastest",
                "flat",
                $"{Units.Ratio(flatness)} (of bests {Units.Ratio(Flatness(group, series => series.Best))})",
                flatness <= TotalRatioTarget);
        }
    }

    private static double Flatness(IEnumerable<Row> rows, Func<Series, double> figure) =>
        rows.Max(row => figure(row.Total)) / rows.Min(row => figure(row.Total));

    private static Axis DirtyAxis => new("dirty, MiB", mark => $"{mark:0}", IsLogarithmic: true) { Marks = [.. DirtyMiB.Select(dirty => (double)dirty)] };

    private static string PauseChart(List<Row> rows)
    {
        LineChart chart = new("Pause of a checkpoint: the call of BeginCheckpoint", DirtyAxis, new Axis("time, logarithmic", Units.Time, IsLogarithmic: true));
        foreach ((int heapGiB, int color) in HeapGiB.Select((heap, index) => (heap, index)))
        {
            IEnumerable<Row> mine = rows.Where(row => row.HeapGiB == heapGiB);
            chart.Add($"{heapGiB} GiB, median", mine.Select(row => ((double)row.DirtyMiB, row.Call.Median)), color);
            chart.Add($"{heapGiB} GiB, p99", mine.Select(row => ((double)row.DirtyMiB, row.Call.P99)), color, isDashed: true);
        }

        chart.Target(PauseTargetNanoseconds, "target for p99 up to 64 MiB");
        return chart.ToString();
    }

    private static string TotalChart(List<Row> rows)
    {
        LineChart chart = new("A checkpoint until it is durable, over writing and flushing as many bytes", DirtyAxis, new Axis("ratio of medians", Units.Ratio));
        foreach ((int heapGiB, int color) in HeapGiB.Select((heap, index) => (heap, index)))
        {
            chart.Add($"heap of {heapGiB} GiB", rows.Where(row => row.HeapGiB == heapGiB).Select(row => ((double)row.DirtyMiB, row.Ratio)), color);
        }

        chart.Target(TotalRatioTarget, "target");
        return chart.ToString();
    }

    private sealed record Heap(int GiB, SparseFixture Fixture);

    private sealed record Row(int HeapGiB, int DirtyMiB, bool IsScattered)
    {
        public Series Call { get; } = new();

        public Series ProcessorTime { get; } = new();

        public Series Total { get; } = new();

        public Series Floor { get; } = new();

        public double BytesWritten { get; set; }

        public double Ratio => Total.Median / Floor.Median;

        public double RatioOfBests => Total.Best / Floor.Best;
    }
}
