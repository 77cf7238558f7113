using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Measuring;
using Everheap.Measuring.Plots;
using Everheap.Measuring.Reports;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>From opening the file of a process that was killed to its first value, by the size of the heap.</summary>
internal static class RecoveryReport
{
    public const string Name = "recovery";

    private const double TargetNanoseconds = 10e6;

    private static int[] HeapGiB => Sizes.IsSmoke ? [1] : [1, 10, 100];

    private static ulong Stride => (ulong)(Sizes.IsSmoke ? 32 * Units.MiB : Units.MiB);

    private static int Rounds => Sizes.IsSmoke ? 2 : 60;

    private static int ColdRounds => Sizes.IsSmoke ? 1 : 20;

    public static ReportSection Run()
    {
        using WorkFolder folder = new();
        string emptyPath = folder.File("empty.heap");
        using (HeapStore store = HeapStore.Create(emptyPath))
        using (PersistentHeap heap = store.CreateHeap(HeapFixture.HeapName))
        {
            heap.Checkpoint();
        }

        List<Case> cases = [new("an empty heap", 0, emptyPath)];
        foreach (int heapGiB in HeapGiB)
        {
            string path = folder.File($"{heapGiB}.heap");
            SparseHeap.Make(path, (ulong)(heapGiB * Units.GiB), Stride);
            cases.Add(new Case($"a heap of {heapGiB} GiB after a kill", (ulong)(heapGiB * Units.GiB), path));
        }

        Measure(cases);
        return Describe(cases);
    }

    private static void Measure(List<Case> cases)
    {
        for (int round = -1; round < Rounds; round++)
        {
            foreach (Case one in cases)
            {
                Series series = new();
                series.Time(() => Open(one));
                if (round >= 0)
                {
                    one.Cached.Add(series.Best);
                }
            }
        }

        for (int round = 0; round < ColdRounds && PageCache.IsControllable; round++)
        {
            foreach (Case one in cases)
            {
                PageCache.Drop(one.Path);
                one.Cold.Time(() => Open(one));
            }
        }
    }

    private static void Open(Case one)
    {
        using HeapStore store = HeapStore.Open(one.Path);
        using PersistentHeap heap = store.OpenHeap(HeapFixture.HeapName);
        ulong value = SparseHeap.ReadMiddle(heap, one.HeapBytes);
        if (value != SparseHeap.MiddleValue(one.HeapBytes))
        {
            throw new InvalidOperationException($"{one.What}: the first value is {value}, and was to be {SparseHeap.MiddleValue(one.HeapBytes)}.");
        }
    }

    private static ReportSection Describe(List<Case> cases)
    {
        ReportSection section = new(Name);
        MarkdownTable table = new("open, and read a value in the middle", "file cached: median", "best", "p99", "beyond the empty heap: median", "best", "file not cached: median", "best", "p99", "beyond the empty heap: median", "best");
        Case empty = cases[0];
        foreach (Case one in cases)
        {
            bool isCold = one.Cold.Count > 0;
            table.Add(
                one.What,
                Units.Time(one.Cached.Median),
                Units.Time(one.Cached.Best),
                Units.Time(one.Cached.P99),
                Units.Time(one.Cached.Median - empty.Cached.Median),
                Units.Time(one.Cached.Best - empty.Cached.Best),
                isCold ? Units.Time(one.Cold.Median) : "",
                isCold ? Units.Time(one.Cold.Best) : "",
                isCold ? Units.Time(one.Cold.P99) : "",
                isCold ? Units.Time(one.Cold.Median - empty.Cold.Median) : "",
                isCold ? Units.Time(one.Cold.Best - empty.Cold.Best) : "");
        }

        section.Add(table);
        foreach (Case one in cases.Skip(1))
        {
            double beyond = one.Cached.Median - empty.Cached.Median;
            double coldBeyond = one.Cold.Count > 0 ? one.Cold.Median - empty.Cold.Median : 0;
            section.AddFinding(
                $"from opening {one.What} to the first value, beyond an empty one",
                Units.Time(TargetNanoseconds),
                one.Cold.Count > 0 ? $"{Units.Time(beyond)}; {Units.Time(coldBeyond)} with nothing cached" : Units.Time(beyond),
                Math.Max(beyond, coldBeyond) <= TargetNanoseconds);
        }

        BarChart chart = new("Open a store after a kill, and read a value, median", new Axis("time", Units.Time));
        chart.Add("file cached", cases.Select(one => (Short(one), (double?)one.Cached.Median)));
        if (empty.Cold.Count > 0)
        {
            chart.Add("file not cached", cases.Select(one => (Short(one), (double?)one.Cold.Median)));
        }

        section.AddPlot("recovery.svg", "Time to open a store after a kill", chart.ToString());
        return section;
    }

    private static string Short(Case one) => one.HeapBytes == 0 ? "empty" : $"{one.HeapBytes / (ulong)Units.GiB} GiB";

    private sealed record Case(string What, ulong HeapBytes, string Path)
    {
        public Series Cached { get; } = new();

        public Series Cold { get; } = new();
    }
}
