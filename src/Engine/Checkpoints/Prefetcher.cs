using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// Tells the medium which parts of it will be read when ranges of a heap are. Reads the page map alone, and that of a node's children the medium is told before the first of them is read: so of
/// a disk that takes long for each read, little is waited for.
/// </summary>
/// <param name="channel">The medium.</param>
/// <param name="root">The map's root.</param>
/// <param name="heapName">The heap, for messages.</param>
internal sealed class Prefetcher(StoreChannel channel, MapEntry root, string heapName)
{
    /// <summary>Places that are sorted together: 16 MiB of pages.</summary>
    private const int BatchPages = 4096;

    /// <summary>Pages that are read along, rather than asking twice.</summary>
    private const ulong GapMax = 8;

    private readonly byte[]?[] _nodes = new byte[]?[FileLayout.NodeLevels + 1];
    private readonly ulong[] _indexes = new ulong[FileLayout.NodeLevels + 1];
    private readonly List<ulong> _places = new(BatchPages);

    /// <summary>Asks for ranges, in order.</summary>
    /// <exception cref="HeapCorruptedException">A node does not match its checksum.</exception>
    /// <exception cref="IOException">A node cannot be read.</exception>
    public void Ask(IEnumerable<HeapRange> ranges, CancellationToken cancel)
    {
        foreach (var range in ranges.Where(range => range.Length > 0))
        {
            var last = (range.Address + (range.Length - 1)) >> FileLayout.PageShift;
            for (var page = range.Address >> FileLayout.PageShift; page <= last;)
            {
                if (cancel.IsCancellationRequested)
                {
                    return;
                }

                page = AskInLeaf(page, last);
            }
        }

        AskForPlaces();
    }

    // Returns the first page that has not been looked at: behind the leaf, or behind what is absent as a whole.
    private ulong AskInLeaf(ulong page, ulong last)
    {
        var leaf = NodeOf(1, page >> FileLayout.NodeShift, out var absentLevel);
        if (leaf is null)
        {
            var shift = FileLayout.NodeShift * absentLevel;
            return ((page >> shift) + 1) << shift;
        }

        var end = Math.Min(last, page | (FileLayout.NodeEntries - 1));
        for (; page <= end; page++)
        {
            Add(TreeReader.EntryOf(leaf, (int)(page & (FileLayout.NodeEntries - 1))).Place);
        }

        return page;
    }

    private byte[]? NodeOf(int level, ulong index, out int absentLevel)
    {
        absentLevel = level;
        if (_nodes[level] is { } known && _indexes[level] == index)
        {
            return known;
        }

        var entry = root;
        if (level < FileLayout.NodeLevels)
        {
            if (NodeOf(level + 1, index >> FileLayout.NodeShift, out absentLevel) is not { } parent)
            {
                return null;
            }

            absentLevel = level;
            entry = TreeReader.EntryOf(parent, (int)(index & (FileLayout.NodeEntries - 1)));
        }

        if (entry.Place == 0)
        {
            return null;
        }

        var node = _nodes[level] ??= new byte[FileLayout.PageSize];
        TreeReader.Read(channel, entry, node, heapName, level, index);
        _indexes[level] = index;
        if (level > 1)
        {
            AskForPlaces();
            for (var slot = 0; slot < FileLayout.NodeEntries; slot++)
            {
                Add(TreeReader.EntryOf(node, slot).Place);
            }

            AskForPlaces();
        }

        return node;
    }

    private void Add(ulong place)
    {
        if (place == 0)
        {
            return;
        }

        _places.Add(place);
        if (_places.Count == BatchPages)
        {
            AskForPlaces();
        }
    }

    private void AskForPlaces()
    {
        _places.Sort();
        for (var next = 0; next < _places.Count;)
        {
            var first = _places[next];
            var end = first + 1;
            for (next++; next < _places.Count && _places[next] <= end + GapMax; next++)
            {
                end = _places[next] + 1;
            }

            channel.Prefetch((long)(first << FileLayout.PageShift), (long)((end - first) << FileLayout.PageShift));
        }

        _places.Clear();
    }
}
