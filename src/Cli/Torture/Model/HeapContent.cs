using System.Collections.Immutable;

namespace Everheap.Cli.Torture.Model;

/// <summary>A heap at a moment: what its pages hold, and which ranges of its addresses are given out. Immutable; what follows from it shares what is the same.</summary>
/// <param name="Pages">Page number to what it holds; a page that was never written, or cleared, is not there.</param>
/// <param name="Ranges">First page to length, in pages.</param>
internal sealed record HeapContent(ImmutableSortedDictionary<ulong, PageValue> Pages, ImmutableSortedDictionary<ulong, ulong> Ranges)
{
    /// <summary>A new heap's.</summary>
    public static readonly HeapContent Empty = new(ImmutableSortedDictionary<ulong, PageValue>.Empty, ImmutableSortedDictionary<ulong, ulong>.Empty);

    /// <summary>Writes a page whole, or its middle.</summary>
    public HeapContent Write(ulong page, uint write, bool isPatch) =>
        this with { Pages = Pages.SetItem(page, isPatch ? Pages.GetValueOrDefault(page) with { Patch = write } : PageValue.Whole(write)) };

    /// <summary>Drops pages.</summary>
    public HeapContent Clear(ulong first, ulong count) =>
        this with { Pages = Pages.RemoveRange(Pages.Keys.Where(page => page >= first && page - first < count)) };

    /// <summary>Gives a range out.</summary>
    public HeapContent Allocate(ulong first, ulong count) => this with { Ranges = Ranges.Add(first, count) };

    /// <summary>Takes a range back, with its pages.</summary>
    public HeapContent Release(ulong first) => Clear(first, Ranges[first]) with { Ranges = Ranges.Remove(first) };

    /// <summary>What differs between a page list and this, in words; null if nothing does.</summary>
    public string? Difference(IReadOnlyList<FoundPage> found)
    {
        int index = 0;
        foreach ((ulong page, PageValue value) in Pages)
        {
            if (index == found.Count || found[index].Number > page)
            {
                return $"page {page} is missing; it should hold {value}";
            }

            if (found[index].Number < page)
            {
                break;
            }

            if (Difference(found[index], value) is { } difference)
            {
                return difference;
            }

            index++;
        }

        return index == found.Count ? null : $"page {found[index].Number} should not be there; {found[index].Described}";
    }

    /// <summary>What differs between a page and what it should hold; null if nothing does.</summary>
    public static string? Difference(FoundPage found, PageValue expected) =>
        found.State == PageState.Whole && found.Value == expected ? null : $"page {found.Number} should hold {expected}; {found.Described}";
}
