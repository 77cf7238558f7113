using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Operations;

namespace Everheap.Cli.Torture.Workload;

/// <summary>Draws the pages that an operation is about: in a row or scattered, at fixed addresses or in ranges that were given out.</summary>
/// <param name="model">Numbers the writes.</param>
/// <param name="limits">How many there are.</param>
internal sealed class PagePicker(StoreModel model, WorkloadLimits limits)
{
    private const int ReadMax = 48;

    /// <summary>Ranges may be far longer than what is written of them.</summary>
    private const ulong RangePagesMax = 64;

    /// <summary>Pages to write, each with a write of its own.</summary>
    public List<(ulong Page, uint Write)> ToWrite(HeapTrack heap, Random random)
    {
        int count = random.Next(3) switch
        {
            0 => 1,
            1 => random.Next(1, Math.Min(24, limits.PagesPerWriteMax)),
            _ => random.Next(1, limits.PagesPerWriteMax),
        };
        return [.. Pages(heap, random, count).Select(page => (page, model.NextWrite()))];
    }

    /// <summary>Pages to read, written or not.</summary>
    public List<ulong> ToRead(HeapTrack heap, Random random) => [.. Pages(heap, random, random.Next(1, ReadMax))];

    /// <summary>Pages to clear: some in a row that have something.</summary>
    public static ClearPages ToClear(HeapTrack heap, Random random)
    {
        ulong first = heap.Content.Pages.Keys.ElementAt(random.Next(heap.Content.Pages.Count));
        return new ClearPages(heap, first, (ulong)random.Next(1, 64));
    }

    private IEnumerable<ulong> Pages(HeapTrack heap, Random random, int count)
    {
        if (heap.IsOpen && heap.Content.Ranges.Count > 0 && random.Next(4) == 0)
        {
            (ulong start, ulong length) = heap.Content.Ranges.ElementAt(random.Next(heap.Content.Ranges.Count));
            int written = (int)Math.Min(Math.Min(length, RangePagesMax), (ulong)count);
            return Enumerable.Range(0, written).Select(index => start + (ulong)index);
        }

        int slots = limits.SlotsPerHeap;
        if (random.Next(2) == 0)
        {
            int first = random.Next(slots);
            return Enumerable.Range(first, Math.Min(count, slots - first)).Select(WorkloadLimits.PageOf);
        }

        return Enumerable.Range(0, count).Select(_ => WorkloadLimits.PageOf(random.Next(slots))).Distinct();
    }
}
