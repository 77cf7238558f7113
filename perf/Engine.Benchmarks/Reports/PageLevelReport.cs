using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Engine.Benchmarks.Micro;
using Everheap.Measuring;
using Everheap.Measuring.Plots;
using Everheap.Measuring.Reports;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>A hit, a fault and an eviction, each beside what no paging can beat, in turn.</summary>
internal static class PageLevelReport
{
    public const string Name = "page-level";

    /// <summary>Accesses of one value of a series.</summary>
    private const int Accesses = 4096;

    private const double FaultRatioTarget = 1.5;

    private static int HeapBytes => Sizes.IsSmoke ? 24 * Units.MiB : 256 * Units.MiB;

    private static int ResidentBytes => Sizes.IsSmoke ? 2 * Units.MiB : 16 * Units.MiB;

    private static int Rounds => Sizes.IsSmoke ? 2 : 50;

    private static int ColdRounds => Sizes.IsSmoke ? 1 : 12;

    public static ReportSection Run()
    {
        ReportSection section = new(Name);
        MarkdownTable table = new("what", "median", "best", "p99", "floor", "floor: median", "best", "ratio of medians", "of bests");
        List<(string, Series, Series)> bars = [.. Hits(table)];
        using HeapFixture fixture = new(HeapBytes / HeapFixture.PageSize, ResidentBytes);
        using PlainFile plain = new(HeapBytes / HeapFixture.PageSize);
        PageAccesses accesses = new(fixture, plain, Accesses);
        bars.AddRange(Faults(table, accesses, section));
        bars.AddRange(ColdFaults(table, accesses, fixture, plain, section));
        bars.AddRange(DirtyFaults(table, accesses));
        section.Add("Processor time of the thread, but for files that are not cached: there, the time that passed.");
        section.Add(table);
        section.AddPlot("page-level.svg", "Cost of a hit, a fault and an eviction beside its floor", Chart(bars));
        return section;
    }

    private static IEnumerable<(string, Series, Series)> Hits(MarkdownTable table)
    {
        HitBenchmarks hits = new();
        hits.Setup();
        Series floor = new(), load = new(), store = new();
        for (int i = 0; i < Rounds; i++)
        {
            floor.TimeProcessor(() => hits.LoadFromAnArray(), HitBenchmarks.Accesses);
            load.TimeProcessor(() => hits.Load(), HitBenchmarks.Accesses);
            store.TimeProcessor(hits.Store, HitBenchmarks.Accesses);
        }

        hits.Cleanup();
        Row(table, "hit: random 8-byte load in 4 MiB through the table", load, "the same from an array", floor);
        Row(table, "hit: random 8-byte store in 4 MiB through the table", store, "the same load from an array", floor);
        return [("hit, load", load, floor), ("hit, store", store, floor)];
    }

    private static IEnumerable<(string, Series, Series)> Faults(MarkdownTable table, PageAccesses accesses, ReportSection section)
    {
        Series copy = new(), read = new(), fault = new();
        accesses.Fault();
        for (int i = 0; i < Rounds; i++)
        {
            copy.TimeProcessor(accesses.Copy, Accesses);
            read.TimeProcessor(accesses.Read, Accesses);
            fault.TimeProcessor(accesses.Fault, Accesses);
        }

        Row(table, "fault, file cached, clean victim", fault, "positional read of 4 KiB", read);
        Row(table, "fault, file cached, clean victim", fault, "memory copy of 4 KiB", copy);
        double ratio = fault.Median / read.Median;
        section.AddFinding(
            "fault, file cached, against the positional read that copies the page", $"{FaultRatioTarget}", Units.Ratio(ratio), ratio <= FaultRatioTarget);
        return [("fault, cached", fault, read)];
    }

    private static IEnumerable<(string, Series, Series)> ColdFaults(
        MarkdownTable table, PageAccesses accesses, HeapFixture fixture, PlainFile plain, ReportSection section)
    {
        if (!PageCache.IsControllable)
        {
            section.Add("Faults of a file that is not cached were not measured: this system does not let go of its cache.");
            return [];
        }

        Series read = new(), fault = new();
        long before = PageCache.BytesReadFromDevices();
        for (int i = 0; i < ColdRounds; i++)
        {
            PageCache.Drop(plain.Path);
            read.Time(accesses.Read, Accesses);
            PageCache.Drop(fixture.Path);
            fault.Time(accesses.Fault, Accesses);
        }

        // Pages that a drop leaves cached, and read-ahead, would show here.
        double perAccess = (PageCache.BytesReadFromDevices() - before) / (2.0 * ColdRounds * Accesses);
        section.Add($"Of the file that is not cached, {Units.Bytes(perAccess)} were read from the device for each access.");
        Row(table, "fault, file not cached, clean victim", fault, "positional read of 4 KiB, not cached", read);
        double ratio = fault.Median / read.Median;
        section.AddFinding(
            "fault, file not cached, against the positional read", $"{FaultRatioTarget}", Units.Ratio(ratio), ratio <= FaultRatioTarget);
        return [("fault, not cached", fault, read)];
    }

    private static IEnumerable<(string, Series, Series)> DirtyFaults(MarkdownTable table, PageAccesses accesses)
    {
        Series readWrite = new(), dirty = new();
        accesses.FaultWithADirtyVictim();
        for (int i = 0; i < Rounds; i++)
        {
            readWrite.TimeProcessor(accesses.ReadAndWrite, Accesses);
            dirty.TimeProcessor(accesses.FaultWithADirtyVictim, Accesses);
        }

        Row(table, "fault with a dirty victim", dirty, "positional read and write of 4 KiB", readWrite);
        return [("fault, dirty victim", dirty, readWrite)];
    }

    private static void Row(MarkdownTable table, string what, Series series, string floorName, Series floor) => table.Add(
        what,
        Units.Time(series.Median),
        Units.Time(series.Best),
        Units.Time(series.P99),
        floorName,
        Units.Time(floor.Median),
        Units.Time(floor.Best),
        Units.Ratio(series.Median / floor.Median),
        Units.Ratio(series.Best / floor.Best));

    private static string Chart(IEnumerable<(string What, Series Series, Series Floor)> bars)
    {
        BarChart chart = new("One access, median, beside its floor", new Axis("time, logarithmic", Units.Time, IsLogarithmic: true));
        foreach ((string what, Series series, Series floor) in bars)
        {
            chart.Add(what, [("Everheap", series.Median), ("floor", floor.Median)]);
        }

        return chart.ToString();
    }
}
