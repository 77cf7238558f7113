using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Measuring;
using Everheap.Measuring.Plots;
using Everheap.Measuring.Reports;
using Microsoft.Win32.SafeHandles;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>
/// What a commit with one flush would save over one with two, in plain files: data and root, then a flush, against data, flush, root, flush.
/// </summary>
internal static class FlushReport
{
    public const string Name = "flushes";

    private static (int Bytes, int Rounds)[] Cases => Sizes.IsSmoke ? [(4096, 3)] : [(4096, 400), (Units.MiB, 200), (16 * Units.MiB, 60)];

    public static ReportSection Run()
    {
        ReportSection section = new(Name);
        MarkdownTable table = new("data", "one flush: median", "best", "p99", "two flushes: median", "best", "p99", "saved: median", "share of the commit", "saved: best", "share");
        LineChart chart = new(
            "A commit of a plain file: data and root",
            new Axis("data", Units.Bytes, IsLogarithmic: true) { Marks = [.. Cases.Select(one => (double)one.Bytes)] },
            new Axis("time, logarithmic", Units.Time, IsLogarithmic: true));
        List<(double, double)> ones = [], twos = [];
        foreach ((int bytes, int rounds) in Cases)
        {
            (Series one, Series two) = Measure(bytes, rounds);
            table.Add(
                Units.Bytes(bytes),
                Units.Time(one.Median),
                Units.Time(one.Best),
                Units.Time(one.P99),
                Units.Time(two.Median),
                Units.Time(two.Best),
                Units.Time(two.P99),
                Units.Time(two.Median - one.Median),
                Units.Percent(1 - (one.Median / two.Median)),
                Units.Time(two.Best - one.Best),
                Units.Percent(1 - (one.Best / two.Best)));
            ones.Add((bytes, one.Median));
            twos.Add((bytes, two.Median));
        }

        chart.Add("one flush", ones, 0);
        chart.Add("two flushes", twos, 1);
        section.Add(table);
        section.AddPlot("flushes.svg", "A commit with one flush and with two", chart.ToString());
        return section;
    }

    private static (Series One, Series Two) Measure(int bytes, int rounds)
    {
        // The root is the first page, the data begins at the second; the file does not grow, so that a flush has no length to make durable.
        byte[] root = new byte[HeapFixture.PageSize], data = new byte[bytes];
        using PlainFile plain = new((bytes / HeapFixture.PageSize) + 1);
        SafeFileHandle file = plain.Handle;
        Random random = new(6);
        Series one = new(), two = new();
        for (int round = 0; round < rounds; round++)
        {
            random.NextBytes(data);
            one.Time(() =>
            {
                RandomAccess.Write(file, data, HeapFixture.PageSize);
                RandomAccess.Write(file, root, 0);
                RandomAccess.FlushToDisk(file);
            });
            two.Time(() =>
            {
                RandomAccess.Write(file, data, HeapFixture.PageSize);
                RandomAccess.FlushToDisk(file);
                RandomAccess.Write(file, root, 0);
                RandomAccess.FlushToDisk(file);
            });
        }

        return (one, two);
    }
}
