using System.Diagnostics;
using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Measuring;
using Everheap.Measuring.Plots;
using Everheap.Measuring.Reports;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>A program that stores all the time, with checkpoints and without, in turn.</summary>
internal static class MutatorReport
{
    public const string Name = "mutator";

    private const double ShareTarget = 0.9;
    private const int CheckpointMilliseconds = 100;

    private static int SliceMilliseconds => Sizes.IsSmoke ? 110 : 1000;

    private static int Rounds => Sizes.IsSmoke ? 1 : 5;

    /// <summary>What is written to, and the budget, in MiB. The last has little more than it writes to: a checkpoint's copies compete for frames.</summary>
    private static (int WorkingMiB, int BudgetMiB)[] Sets => Sizes.IsSmoke ? [(1, 4)] : [(1, 16), (4, 32), (16, 64), (64, 192), (64, 80)];

    public static ReportSection Run()
    {
        ReportSection section = new(Name);
        MarkdownTable table = new("written to", "budget", "stores a second, without", "with", "share: median", "least", "most", "share by processor time: median", "checkpoints a second", "pages copied a checkpoint", "waited");
        List<(string What, double Share, double ProcessorShare)> shares = [];
        foreach ((int workingMiB, int budgetMiB) in Sets)
        {
            Progress.Tell($"{Name}: {workingMiB} MiB of {budgetMiB}");
            Result result = Measure(workingMiB, budgetMiB);
            table.Add(
                $"{workingMiB} MiB",
                $"{budgetMiB} MiB",
                Units.Count(result.Without.Median),
                Units.Count(result.With.Median),
                Units.Percent(result.Share.Median),
                Units.Percent(result.Share.Percentile(0)),
                Units.Percent(result.Share.Percentile(100)),
                Units.Percent(result.ProcessorShare.Median),
                Units.Ratio(result.CheckpointsPerSecond),
                Units.Count(result.CopiesPerCheckpoint),
                Units.Percent(result.WaitedShare));
            shares.Add(($"{workingMiB} of {budgetMiB} MiB", result.Share.Median, result.ProcessorShare.Median));
            section.AddFinding(
                $"stores a second with a checkpoint every {CheckpointMilliseconds} ms, {workingMiB} MiB written to all the time, budget {budgetMiB} MiB",
                $"{ShareTarget:P0} of those without".Replace(",", "", StringComparison.Ordinal),
                $"{Units.Percent(result.Share.Median)}; {Units.Percent(result.ProcessorShare.Median)} by its own processor time",
                result.Share.Median >= ShareTarget);
        }

        section.Add(table);
        BarChart chart = new($"Stores with a checkpoint every {CheckpointMilliseconds} ms, as a share of those without", new Axis("share, percent", share => $"{share:0}"));
        chart.Add("stores a second; of written to, and budget", shares.Select(share => (share.What, (double?)(share.Share * 100))));
        chart.Add("stores a second of the mutator's own processor time", shares.Select(share => (share.What, (double?)(share.ProcessorShare * 100))));
        chart.Target(ShareTarget * 100);
        section.AddPlot("mutator.svg", "Throughput of a mutator with checkpoints", chart.ToString());
        return section;
    }

    private static Result Measure(int workingMiB, int budgetMiB)
    {
        int pages = workingMiB * Units.MiB / HeapFixture.PageSize;
        using HeapFixture fixture = new(pages, (long)budgetMiB * Units.MiB);
        using TranslationWindow window = fixture.Heap.OpenWindow(fixture.Address);
        StoringLoop loop = new(fixture.Heap, window, workingMiB * Units.MiB);
        TimeSpan slice = TimeSpan.FromMilliseconds(SliceMilliseconds), never = TimeSpan.MaxValue, interval = TimeSpan.FromMilliseconds(CheckpointMilliseconds);
        loop.Run(slice, never);
        loop.Run(slice, interval);
        HeapStatistics before = fixture.Heap.Statistics;
        double seconds = 0;
        Result result = new(new Series(), new Series(), new Series(), new Series());
        for (int round = 0; round < Rounds; round++)
        {
            (double without, double processorWithout) = loop.Run(slice, never);
            long start = Stopwatch.GetTimestamp();
            (double with, double processorWith) = loop.Run(slice, interval);
            seconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
            result.Without.Add(without);
            result.With.Add(with);
            result.Share.Add(with / without);
            result.ProcessorShare.Add(processorWith / processorWithout);
        }

        HeapStatistics after = fixture.Heap.Statistics;
        long checkpoints = after.Checkpoints - before.Checkpoints;
        return result with
        {
            CheckpointsPerSecond = checkpoints / seconds,
            CopiesPerCheckpoint = (after.SealedCopies - before.SealedCopies) / (double)Math.Max(checkpoints, 1),
            WaitedShare = (after.StallTime - before.StallTime).TotalSeconds / seconds,
        };
    }

    private sealed record Result(Series Without, Series With, Series Share, Series ProcessorShare)
    {
        public double CheckpointsPerSecond { get; init; }

        public double CopiesPerCheckpoint { get; init; }

        public double WaitedShare { get; init; }
    }
}
