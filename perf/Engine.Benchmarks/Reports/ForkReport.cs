using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Measuring;
using Everheap.Measuring.Plots;
using Everheap.Measuring.Reports;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>Forking heaps of several sizes, against a commit of one page; and what the fork's own first commits cost, which take what was shared apart.</summary>
internal static class ForkReport
{
    public const string Name = "forks";

    private const double TargetNanoseconds = 1e6;
    private const long ForkResidentBytes = 4L << 20;

    private static int[] HeapGiB => Sizes.IsSmoke ? [1] : [1, 10, 100];

    private static ulong Stride => (ulong)(Sizes.IsSmoke ? 32 * Units.MiB : Units.MiB);

    private static int Rounds => Sizes.IsSmoke ? 2 : 60;

    public static ReportSection Run()
    {
        List<Case> cases = [];
        try
        {
            foreach (int heapGiB in HeapGiB)
            {
                Progress.Tell($"{Name}: a heap of {heapGiB} GiB");
                cases.Add(new Case(heapGiB, new SparseFixture((ulong)(heapGiB * Units.GiB), Stride, ForkResidentBytes)));
            }

            for (int round = -3; round < Rounds; round++)
            {
                foreach (Case one in cases)
                {
                    Measure(one, round, isWarmUp: round < 0);
                }
            }

            return Describe(cases);
        }
        finally
        {
            cases.ForEach(one => one.Fixture.Dispose());
        }
    }

    private static void Measure(Case one, int round, bool isWarmUp)
    {
        string fork = $"fork {round}", second = $"fork of fork {round}";
        SparseFixture fixture = one.Fixture;
        Case into = isWarmUp ? new Case(one.HeapGiB, fixture) : one;
        fixture.Dirty(1, 1);
        into.Commit.Time(() => fixture.Heap.Checkpoint());
        into.Fork.Time(() => fixture.Store.Fork(HeapFixture.HeapName, (long)fixture.Heap.LatestCheckpointNumber, fork));
        into.SecondFork.Time(() => fixture.Store.Fork(fork, (long)fixture.Heap.LatestCheckpointNumber, second));
        using (PersistentHeap heap = fixture.Store.OpenHeap(fork, new HeapOptions { ResidentBytes = ForkResidentBytes }))
        {
            ulong expected = SparseHeap.MiddleValue(fixture.HeapBytes), found = SparseHeap.ReadMiddle(heap, fixture.HeapBytes);
            if (found != expected)
            {
                throw new InvalidOperationException($"A fork has {found} where its origin has {expected}.");
            }

            heap.Write(SparseHeap.FirstAddress, BitConverter.GetBytes(round));
            into.FirstCommit.Time(() => heap.Checkpoint());
            heap.Write(SparseHeap.FirstAddress, BitConverter.GetBytes(round + 1));
            into.NextCommit.Time(() => heap.Checkpoint());
        }

        // The fork goes first, then what was forked from it: any order will do.
        into.Drop.Time(() => fixture.Store.DropHeap(fork));
        fixture.Store.DropHeap(second);
    }

    private static ReportSection Describe(List<Case> cases)
    {
        ReportSection section = new(Name);
        MarkdownTable table = new("heap", "what", "median", "best", "p99", "beyond a commit: median", "best");
        foreach (Case one in cases)
        {
            void Row(string what, Series series) => table.Add(
                $"{one.HeapGiB} GiB",
                what,
                Units.Time(series.Median),
                Units.Time(series.Best),
                Units.Time(series.P99),
                series == one.Commit ? "" : Units.Time(series.Median - one.Commit.Median),
                series == one.Commit ? "" : Units.Time(series.Best - one.Commit.Best));
            Row("a commit of one page, the floor", one.Commit);
            Row("fork", one.Fork);
            Row("fork of that fork", one.SecondFork);
            Row("first commit of the fork, one page", one.FirstCommit);
            Row("its next commit, the same page", one.NextCommit);
            Row("drop of the fork", one.Drop);
            double beyond = one.Fork.Median - one.Commit.Median;
            section.AddFinding($"fork of a heap of {one.HeapGiB} GiB, beyond one commit", Units.Time(TargetNanoseconds), $"{Units.Time(beyond)} (of bests {Units.Time(one.Fork.Best - one.Commit.Best)})", beyond <= TargetNanoseconds);
        }

        section.Add(table);
        BarChart chart = new("Forking, median", new Axis("time", Units.Time));
        foreach (Case one in cases)
        {
            chart.Add(
                $"heap of {one.HeapGiB} GiB",
                [("a commit of one page", one.Commit.Median), ("fork", one.Fork.Median), ("fork of that fork", one.SecondFork.Median), ("first commit of the fork", one.FirstCommit.Median)]);
        }

        section.AddPlot("forks.svg", "Time of a fork by the size of the heap", chart.ToString());
        return section;
    }

    private sealed record Case(int HeapGiB, SparseFixture Fixture)
    {
        public Series Commit { get; } = new();

        public Series Fork { get; } = new();

        public Series SecondFork { get; } = new();

        public Series FirstCommit { get; } = new();

        public Series NextCommit { get; } = new();

        public Series Drop { get; } = new();
    }
}
