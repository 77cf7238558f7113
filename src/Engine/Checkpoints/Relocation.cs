using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// Moves what the trees of closed heaps and retained checkpoints have in the tail of the file to places below a ceiling, in bounded steps, each within a commit of
/// its own. What several trees share is moved once, and stays shared.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>Moving copies: the old place is given up like any other, and comes free only when no kept root reaches it. So a crash at any moment of a step leaves
/// either side of its commit.</item>
/// <item>A node that has been moved says exactly what the old one said, places aside; so wherever the old one is found, the new one may stand.</item>
/// <item>What is remembered of a move is forgotten the moment either place is given up (<see cref="Forget"/>): places are used again.</item>
/// </list>
/// </remarks>
internal sealed class Relocation(StoreChannel channel, SpaceAllocator allocator)
{
    /// <summary>Moves and clean nodes that are remembered, at most: some 64 MiB. Past that, what is shared may be walked or copied again.</summary>
    private const int RememberedMax = 1 << 20;

    private readonly Dictionary<ulong, MapEntry> _moved = [];
    private readonly Dictionary<ulong, ulong> _movedFrom = [];
    private readonly HashSet<ulong> _clean = [];
    private readonly List<ulong> _shared = [];
    private readonly List<(MapEntry Node, int Level)> _dropped = [];
    private readonly byte[] _page = new byte[FileLayout.PageSize];
    private SharedPages _counts = null!;
    private SpaceDelta _delta = null!;
    private TreeBound _bound = null!;
    private ulong _ceiling;
    private int _pagesLeft;
    private string _heapName = "";

    /// <summary>Pages and nodes moved so far.</summary>
    public long Moved { get; private set; }

    /// <summary>Moves some of a tree. Within a commit.</summary>
    /// <param name="root">Its root.</param>
    /// <param name="heapName">Its heap, for messages.</param>
    /// <param name="ceiling">What is at this place or above is moved.</param>
    /// <param name="pagesMax">Pages to move, at most (and the nodes on the way to the last).</param>
    /// <param name="delta">What the step takes and gives back.</param>
    /// <param name="committer">Whose counts and reclaim stack are told.</param>
    /// <param name="isDone">Whether nothing of the tree is left above the ceiling.</param>
    /// <returns>The root as it is now; its reference has moved from the old one.</returns>
    /// <exception cref="HeapCorruptedException">A node or page does not match its checksum. Nothing was changed but the delta, which is to be abandoned.</exception>
    public MapEntry Move(MapEntry root, string heapName, ulong ceiling, int pagesMax, SpaceDelta delta, Committer committer, out bool isDone)
    {
        _heapName = heapName;
        _ceiling = ceiling;
        _pagesLeft = pagesMax;
        _delta = delta;
        _bound = new TreeBound(channel, heapName);
        _counts = committer.Shared;
        _shared.Clear();
        _dropped.Clear();
        MapEntry moved;
        try
        {
            moved = MoveNode(root, FileLayout.NodeLevels, 0);
        }
        catch
        {
            // Some of what is remembered is in the delta that will be abandoned.
            _moved.Clear();
            _movedFrom.Clear();
            throw;
        }

        foreach (var place in _shared)
        {
            _counts.Add(place);
        }

        foreach (var (node, level) in _dropped)
        {
            committer.Reclaimer.Drop(node, level);
        }

        isDone = _pagesLeft > 0;
        return moved;
    }

    /// <summary>A place has been given up.</summary>
    public void Forget(ulong place)
    {
        _clean.Remove(place);
        if (_moved.Remove(place, out var to))
        {
            _movedFrom.Remove(to.Place);
        }

        if (_movedFrom.Remove(place, out var from))
        {
            _moved.Remove(from);
        }
    }

    private MapEntry MoveNode(MapEntry entry, int level, ulong index)
    {
        if (entry.Place == 0 || _pagesLeft <= 0 || _clean.Contains(entry.Place))
        {
            return entry;
        }

        if (_moved.TryGetValue(entry.Place, out var before))
        {
            // Somebody else's move of the same node: share the outcome. The old one loses a reference, with all that hangs on it.
            _shared.Add(before.Place);
            _dropped.Add((entry, level));
            return before;
        }

        _bound.Reach(entry, level, index);
        var node = new byte[FileLayout.PageSize];
        TreeReader.Read(channel, entry, node, _heapName, level, index);
        var isChanged = entry.Place >= _ceiling;
        for (var slot = 0; slot < FileLayout.NodeEntries; slot++)
        {
            ref var child = ref DiskView.As<MapEntry>(node.AsSpan(slot * MapEntry.Size));
            var childIndex = (index << FileLayout.NodeShift) | (uint)slot;
            var now = level > 1 ? MoveNode(child, level - 1, childIndex) : MovePage(child, childIndex);
            isChanged |= now.Place != child.Place;
            child = now;
        }

        if (isChanged)
        {
            return Replace(entry, node, level);
        }

        if (_pagesLeft > 0 && _clean.Count < RememberedMax && _counts.IsShared(entry.Place))
        {
            _clean.Add(entry.Place);
        }

        return entry;
    }

    private MapEntry MovePage(MapEntry entry, ulong page)
    {
        if (entry.Place < _ceiling || _pagesLeft <= 0)
        {
            return entry;
        }

        if (_moved.TryGetValue(entry.Place, out var before))
        {
            _shared.Add(before.Place);
            allocator.Release(_delta, entry, level: 0, earlier: null);
            return before;
        }

        TreeReader.Read(channel, entry, _page, _heapName, 0, page);
        return Replace(entry, _page, level: 0);
    }

    private MapEntry Replace(MapEntry entry, byte[] content, int level)
    {
        var place = allocator.Allocate(_delta, 1, out _, mayUseReserve: true);
        channel.Write((long)(place << FileLayout.PageShift), content);
        var moved = new MapEntry { Place = place, Checksum = DiskView.Hash(content) };
        if (_movedFrom.Remove(entry.Place, out var from))
        {
            // A node that an earlier step had moved in part: whoever finds the first one is to have this one.
            _moved[from] = moved;
            _movedFrom[place] = from;
        }
        else if (_moved.Count < RememberedMax && _counts.IsShared(entry.Place))
        {
            _moved[entry.Place] = moved;
            _movedFrom[place] = entry.Place;
        }

        allocator.Release(_delta, entry, level, earlier: null);
        _pagesLeft--;
        Moved++;
        return moved;
    }
}
