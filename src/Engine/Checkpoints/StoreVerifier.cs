using System.Numerics;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// Walks everything one root reaches, with nothing but the medium and the format: shares no state, and as little code as can be, with what wrote it.
/// </summary>
/// <remarks>
/// What is shared is walked once: the first reference to a node stands for what is below it. Every further reference is counted, and in the end the counts have
/// to be those of the catalog.
/// </remarks>
internal sealed partial class StoreVerifier(StoreChannel channel, in Superblock root)
{
    private const long IsRefused = -1;

    private readonly Superblock _root = root;
    private readonly Dictionary<int, ulong[]> _reached = [];
    private readonly Dictionary<ulong, Node> _nodesReached = [];
    private readonly Dictionary<ulong, uint> _furtherReferences = [];
    private readonly HashSet<ulong> _damaged = [];
    private readonly List<VerifyProblem> _problems = [];
    private readonly byte[] _page = new byte[FileLayout.PageSize];
    private long _problemCount;
    private long _pages;
    private long _nodes;
    private long _reachedPages;
    private long _allocatedPages;
    private string _heapName = "";
    private long _checkpoint;

    /// <summary>The pages of the file that were found in use, one bitmap a region.</summary>
    public IReadOnlyDictionary<int, ulong[]> ReachedPages => _reached;

    /// <summary>How many references beyond the first were found to those that have any.</summary>
    public IReadOnlyDictionary<ulong, uint> FurtherReferences => _furtherReferences;

    /// <summary>Walks one map, and whatever it does not share with those walked before. Returns whether all of it is as it was written.</summary>
    public bool WalkMap(MapEntry mapRoot, string heapName, ulong checkpoint, CancellationToken cancellation) =>
        VerifyMap(mapRoot, null, heapName, checkpoint, cancellation);

    public VerifyReport Run(CancellationToken cancellation)
    {
        if (_root.Version == 1)
        {
            VerifyVersion1Catalog(cancellation);
        }
        else
        {
            VerifyCatalog(cancellation);
        }

        VerifyAllocator(cancellation);
        return new VerifyReport(
            (long)_root.Sequence,
            _pages,
            _nodes,
            _allocatedPages,
            _reachedPages,
            _problems,
            _problemCount);
    }

    /// <summary>Walks a heap's map, and compares the pages found with what its record says. Returns whether all of it, shared or not, is as it was written.</summary>
    private bool VerifyMap(MapEntry mapRoot, ulong? mappedPages, string heapName, ulong checkpoint, CancellationToken cancellation)
    {
        _heapName = heapName;
        _checkpoint = (long)checkpoint;
        var problemsBefore = _problemCount;
        var pages = VerifyNode(mapRoot, FileLayout.NodeLevels, 0, null, cancellation);
        var isSound = pages != IsRefused && !_damaged.Contains(mapRoot.Place);
        if ((ulong)Math.Max(pages, 0) > _root.FileLength >> FileLayout.PageShift)
        {
            Report(VerifySubject.MapNode, 0, Offset(mapRoot), $"the page map has {pages} pages, more than the file, so some of them more than once");
            isSound = false;
        }

        if (problemsBefore == _problemCount && mappedPages is not null && (ulong)pages != mappedPages)
        {
            Report(VerifySubject.Catalog, -1, Offset(_root.Catalog), $"the catalog counts {mappedPages} pages, the page map has {pages}");
        }

        _heapName = "";
        _checkpoint = 0;
        return isSound;
    }

    /// <summary>Walks a node or page. Returns the pages below that have a place, or <see cref="IsRefused"/>.</summary>
    private long VerifyNode(MapEntry entry, int level, ulong index, Dictionary<ulong, MapEntry>? catalogPages, CancellationToken cancellation)
    {
        if (entry.Place == 0)
        {
            return 0;
        }

        cancellation.ThrowIfCancellationRequested();
        var firstPage = (long)(index << (FileLayout.NodeShift * level));
        var subject = catalogPages is not null ? VerifySubject.Catalog : level == 0 ? VerifySubject.Page : VerifySubject.MapNode;
        switch (Reach(entry, subject, firstPage, level, canBeShared: catalogPages is null))
        {
            case Reached.Refused:
                return IsRefused;
            case Reached.Again:
                return FoundBefore(entry, subject, firstPage, level);
        }

        var content = level == 0 ? _page : new byte[FileLayout.PageSize];
        if (!ReadAndCheck(entry, content, subject, firstPage))
        {
            _damaged.Add(entry.Place);
            return 0;
        }

        if (level == 0)
        {
            _pages += catalogPages is null ? 1 : 0;
            catalogPages?.Add(index, entry);
            return 1;
        }

        _nodes++;
        long below = 0;
        for (var slot = 0; slot < FileLayout.NodeEntries; slot++)
        {
            var child = DiskView.As<MapEntry>(content.AsSpan(slot * MapEntry.Size));
            var found = VerifyNode(child, level - 1, (index << FileLayout.NodeShift) | (uint)slot, catalogPages, cancellation);
            below += Math.Max(found, 0);
            if (found == IsRefused || _damaged.Contains(child.Place))
            {
                _damaged.Add(entry.Place);
            }
        }

        _nodesReached[entry.Place] = new Node(level, below, entry.Checksum);
        return below;
    }

    /// <summary>What was found when another reference led here first. This one has to know it by the same checksum.</summary>
    private long FoundBefore(MapEntry entry, VerifySubject subject, long firstPage, int level)
    {
        if (level == 0)
        {
            return _damaged.Contains(entry.Place) || ReadAndCheck(entry, _page, subject, firstPage) ? 1 : IsRefused;
        }

        var node = _nodesReached[entry.Place];
        if (node.Checksum != entry.Checksum)
        {
            Report(subject, firstPage, Offset(entry), "its checksum does not match, though that of another reference to it does");
            return IsRefused;
        }

        return node.PagesBelow;
    }

    private bool ReadAndCheck(MapEntry entry, byte[] content, VerifySubject subject, long firstPage)
    {
        try
        {
            channel.Read(Offset(entry), content);
        }
        catch (IOException failure)
        {
            Report(subject, firstPage, Offset(entry), $"it cannot be read: {failure.Message}");
            return false;
        }

        if (DiskView.Hash(content) != entry.Checksum)
        {
            Report(subject, firstPage, Offset(entry), "its checksum does not match");
            return false;
        }

        return true;
    }

    /// <summary>Notes that a page of the file is in use, once or once more.</summary>
    private Reached Reach(MapEntry entry, VerifySubject subject, long firstPage, int level, bool canBeShared)
    {
        if (entry.Place >= _root.FileLength >> FileLayout.PageShift)
        {
            Report(subject, firstPage, -1, $"its place {entry.Place} is past the end of the file");
            return Reached.Refused;
        }

        var region = (int)(entry.Place >> FileLayout.RegionShift);
        var bit = (int)(entry.Place & (FileLayout.RegionPages - 1));
        if (!_reached.TryGetValue(region, out var bitmap))
        {
            _reached[region] = bitmap = new ulong[FileLayout.BitmapWords];
        }

        var isReached = (bitmap[bit >> 6] & (1UL << (bit & 63))) != 0;
        var levelBefore = _nodesReached.TryGetValue(entry.Place, out var node) ? node.Level : 0;
        if (bit < FileLayout.RegionReservedPages || (isReached && (!canBeShared || levelBefore != level)))
        {
            Report(subject, firstPage, Offset(entry), "its place is in use for something else as well");
            return Reached.Refused;
        }

        if (isReached)
        {
            _furtherReferences[entry.Place] = _furtherReferences.GetValueOrDefault(entry.Place) + 1;
            return Reached.Again;
        }

        bitmap[bit >> 6] |= 1UL << (bit & 63);
        _reachedPages++;
        if (level > 0)
        {
            _nodesReached[entry.Place] = new Node(level, 0, entry.Checksum);
        }

        return Reached.First;
    }

    private void VerifyAllocator(CancellationToken cancellation)
    {
        var regions = (int)((_root.FileLength + ((ulong)FileLayout.RegionPages << FileLayout.PageShift) - 1) >> (FileLayout.RegionShift + FileLayout.PageShift));
        var directory = new byte[FileLayout.PageSize];
        for (var group = 0; group < FileLayout.GroupCountMax && group << FileLayout.GroupShift < regions; group++)
        {
            var groupEntry = _root.Groups[group];
            directory.AsSpan().Clear();
            if (groupEntry.Written != 0 && !ReadSlot(groupEntry, FileLayout.DirectoryOffset(group, groupEntry.Slot), directory, "directory", group))
            {
                continue;
            }

            long free = 0;
            for (var i = 0; i < FileLayout.GroupRegions && (group << FileLayout.GroupShift) + i < regions; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                var entry = DiskView.As<SpaceEntry>(directory.AsSpan(i * SpaceEntry.Size));
                free += entry.FreePages;
                VerifyRegion((group << FileLayout.GroupShift) + i, entry);
            }

            if (free != groupEntry.FreePages)
            {
                Report(VerifySubject.Allocator, -1, -1, $"the root counts {groupEntry.FreePages} free pages in group {group}, its directory {free}");
            }
        }

        if (_problemCount == 0 && (ulong)_allocatedPages != _root.AllocatedPages)
        {
            Report(VerifySubject.Root, -1, -1, $"the root counts {_root.AllocatedPages} allocated pages, the bitmaps have {_allocatedPages}");
        }
    }

    private void VerifyRegion(int region, SpaceEntry entry)
    {
        var offset = FileLayout.BitmapOffset(region, entry.Slot);
        if (entry.Written != 0 && !ReadSlot(entry, offset, _page, "bitmap", region))
        {
            return;
        }

        if (entry.Written == 0)
        {
            _page.AsSpan().Clear();
        }

        long lost = 0;
        long unprotected = 0;
        var free = FileLayout.RegionPages;
        _reached.TryGetValue(region, out var reached);
        for (var word = 0; word < FileLayout.BitmapWords; word++)
        {
            var allocated = DiskView.As<ulong>(_page.AsSpan(word * sizeof(ulong)));
            free -= BitOperations.PopCount(allocated);
            var expected = reached?[word] ?? 0;
            expected |= word == 0 && entry.Written != 0 ? (1UL << FileLayout.RegionReservedPages) - 1 : 0;
            lost += BitOperations.PopCount(allocated & ~expected);
            unprotected += BitOperations.PopCount(expected & ~allocated);
        }

        _allocatedPages += FileLayout.RegionPages - free;
        _reachedPages += entry.Written != 0 ? FileLayout.RegionReservedPages : 0;
        if (entry.Written != 0 && entry.FreePages != free)
        {
            Report(VerifySubject.Allocator, -1, offset, $"region {region}: {free} pages are free, its entry counts {entry.FreePages}");
        }

        if (lost != 0)
        {
            Report(VerifySubject.Allocator, -1, offset, $"region {region}: {lost} pages are allocated that nothing reaches");
        }

        if (unprotected != 0)
        {
            Report(VerifySubject.Allocator, -1, offset, $"region {region}: {unprotected} pages are in use that are not allocated");
        }
    }

    private bool ReadSlot(SpaceEntry entry, long offset, byte[] content, string what, int index)
    {
        try
        {
            if (entry.Slot < FileLayout.SlotCount)
            {
                channel.Read(offset, content);
                if (DiskView.Hash(content) == entry.Checksum)
                {
                    return true;
                }
            }
        }
        catch (IOException failure)
        {
            Report(VerifySubject.Allocator, -1, offset, $"{what} {index} cannot be read: {failure.Message}");
            return false;
        }

        Report(VerifySubject.Allocator, -1, offset, $"{what} {index} does not match its checksum");
        return false;
    }

    private static long Offset(MapEntry entry) => (long)(entry.Place << FileLayout.PageShift);

    private enum Reached
    {
        First,
        Again,
        Refused,
    }

    private readonly record struct Node(int Level, long PagesBelow, ulong Checksum);
}
