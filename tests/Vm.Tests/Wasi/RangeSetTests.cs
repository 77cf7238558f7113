using Everheap.Vm.Wasi.Files;

namespace Everheap.Vm.Tests.Wasi;

internal sealed class RangeSetTests
{
    private const int Page = 4096;

    [Test]
    public void Ranges_that_touch_are_one()
    {
        var set = new RangeSet();
        set.Add(0, 1);
        set.Add(2 * Page, (2 * Page) + 1);
        set.Add(Page, Page + 10);
        set.Add(10, 10);
        set.Add(5 * Page, 6 * Page);
        Assert.That(set.Ranges, Is.EqualTo(new[] { (0L, 3L * Page), (5L * Page, 6L * Page) }));
    }

    [Test]
    public void Whatever_was_added_is_covered_in_order_and_bounded([Range(1, 10)] int seed)
    {
        var random = new Random(seed);
        var set = new RangeSet();
        var covered = new bool[5000];
        for (int i = 0; i < 3000; i++)
        {
            int start = random.Next(covered.Length - 3);
            int count = random.Next(1, 4);
            set.Add(start * (long)Page, (start + count) * (long)Page);
            Array.Fill(covered, true, start, count);
            Assert.That(set.Ranges, Has.Count.LessThanOrEqualTo(RangeSet.RangesMax));
        }

        for (int i = 1; i < set.Ranges.Count; i++)
        {
            Assert.That(set.Ranges[i].Start, Is.GreaterThan(set.Ranges[i - 1].End));
        }

        for (int page = 0; page < covered.Length; page++)
        {
            if (covered[page])
            {
                long at = page * (long)Page;
                Assert.That(set.Ranges.Any(range => range.Start <= at && range.End >= at + Page));
            }
        }
    }

    [Test]
    public void Taking_takes_from_the_start_and_leaves_the_rest()
    {
        var set = new RangeSet();
        set.Add(0, 3 * Page);
        set.Add(10 * Page, 12 * Page);
        Assert.That(set.Take((4 * Page) + 100).Ranges, Is.EqualTo(new[] { (0L, 3L * Page), (10L * Page, 11L * Page) }));
        Assert.That(set.Take(long.MaxValue).Ranges, Is.EqualTo(new[] { (11L * Page, 12L * Page) }));
        Assert.That(set.IsEmpty);
    }
}
