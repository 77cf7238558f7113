namespace Everheap.Engine.Tests.Model;

/// <summary>
/// What a heap has to hold, as simply as it can be said: pages by number, and the ranges that are allocated.
/// Snapshots share page arrays, which are replaced, never changed.
/// </summary>
internal sealed class HeapModel
{
    /// <summary>The page after the last that is not the engine's own.</summary>
    public const ulong PagesEnd = PersistentHeap.AddressEnd / PageSize;

    private const int PageSize = PersistentHeap.PageSize;

    private static readonly byte[] ZeroPage = new byte[PageSize];

    private readonly Dictionary<ulong, byte[]> _pages;

    public HeapModel()
    {
        _pages = [];
        Ranges = [];
    }

    private HeapModel(HeapModel other)
    {
        _pages = new Dictionary<ulong, byte[]>(other._pages);
        Ranges = [.. other.Ranges];
    }

    /// <summary>The ranges allocated now: address and length.</summary>
    public List<(ulong Address, ulong Length)> Ranges { get; }

    public IReadOnlyCollection<ulong> PageNumbers => _pages.Keys;

    /// <summary>Whether a page was ever written to since it was last cleared as a whole.</summary>
    public bool IsMapped(ulong number) => _pages.ContainsKey(number);

    public HeapModel Snapshot() => new(this);

    public ReadOnlySpan<byte> Page(ulong number) => _pages.TryGetValue(number, out byte[]? bytes) ? bytes : ZeroPage;

    public byte this[ulong address] => Page(address / PageSize)[(int)(address % PageSize)];

    public void Read(ulong address, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int within = (int)(address % PageSize);
            int count = Math.Min(destination.Length, PageSize - within);
            Page(address / PageSize).Slice(within, count).CopyTo(destination);
            destination = destination[count..];
            address += (ulong)count;
        }
    }

    public void Write(ulong address, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            ulong number = address / PageSize;
            int within = (int)(address % PageSize);
            int count = Math.Min(source.Length, PageSize - within);
            byte[] changed = Page(number).ToArray();
            source[..count].CopyTo(changed.AsSpan(within));
            _pages[number] = changed;
            source = source[count..];
            address += (ulong)count;
        }
    }

    public void Clear(ulong address, ulong length)
    {
        ulong end = address + length;
        foreach (ulong number in _pages.Keys.Where(n => (n + 1) * PageSize > address && n * PageSize < end).ToList())
        {
            ulong first = Math.Max(number * PageSize, address);
            ulong last = Math.Min((number + 1) * PageSize, end);
            if (last - first == PageSize)
            {
                _pages.Remove(number);
            }
            else
            {
                byte[] changed = Page(number).ToArray();
                changed.AsSpan((int)(first % PageSize), (int)(last - first)).Clear();
                _pages[number] = changed;
            }
        }
    }

    /// <summary>Takes a page over from another model.</summary>
    public void Adopt(ulong number, HeapModel other)
    {
        if (other._pages.TryGetValue(number, out byte[]? bytes))
        {
            _pages[number] = bytes;
        }
        else
        {
            _pages.Remove(number);
        }
    }

    /// <summary>Throws if the heap differs anywhere, in these pages or in any other page the run ever touched.</summary>
    public void AssertEquals(PersistentHeap heap, IEnumerable<ulong> touchedPages, string when)
    {
        Span<byte> found = stackalloc byte[PageSize];
        foreach (ulong number in touchedPages)
        {
            heap.Read(number * PageSize, found);
            ReadOnlySpan<byte> expected = Page(number);
            int difference = found.CommonPrefixLength(expected);
            if (difference != PageSize)
            {
                throw new AssertionException(
                    $"{when}: page {number} differs at byte {difference}: {found[difference]} instead of {expected[difference]}.");
            }
        }
    }

    /// <summary>Throws if a checkpoint has other pages, or holds anything else.</summary>
    public void AssertEquals(HeapSnapshot snapshot, string when)
    {
        string what = $"{when}: checkpoint {snapshot.CheckpointNumber} of heap '{snapshot.HeapName}'";
        ulong[] all = [.. snapshot.Pages()];
        ulong[] pages = [.. all.Where(page => page < PagesEnd)];
        if (all.Length != snapshot.MappedPages)
        {
            throw new AssertionException($"{what} has {all.Length} pages, and says {snapshot.MappedPages}.");
        }

        if (!pages.AsSpan().SequenceEqual([.. PageNumbers.Order()]))
        {
            throw new AssertionException($"{what} has the pages {string.Join(" ", pages)} instead of {string.Join(" ", PageNumbers.Order())}.");
        }

        Span<byte> found = stackalloc byte[PageSize];
        foreach (ulong page in pages)
        {
            snapshot.Read(page * PageSize, found);
            if (!found.SequenceEqual(Page(page)))
            {
                throw new AssertionException($"{what}: page {page} differs at byte {found.CommonPrefixLength(Page(page))}.");
            }
        }
    }

    /// <summary>In what two of them differ, in the order of the pages.</summary>
    public static IEnumerable<PageDifference> Difference(HeapModel before, HeapModel after)
    {
        foreach (ulong page in before.PageNumbers.Union(after.PageNumbers).Order())
        {
            bool was = before.IsMapped(page);
            bool isNow = after.IsMapped(page);
            if (was != isNow)
            {
                yield return new PageDifference(page, isNow ? PageDifferenceKind.Added : PageDifferenceKind.Removed);
            }
            else if (!before.Page(page).SequenceEqual(after.Page(page)))
            {
                yield return new PageDifference(page, PageDifferenceKind.Changed);
            }
        }
    }
}
