using System.Runtime.InteropServices;

namespace Everheap.Engine.Storage;

/// <summary>A node of a page map that an epoch no longer uses in the place where the checkpoint before it has it.</summary>
internal readonly record struct DroppedNode(MapEntry Entry, int Level);

/// <summary>
/// What one epoch of one heap took from the file and what it gave back, until a root makes that part of the store or it is abandoned.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>A page in Fresh is taken and in no bitmap on disk: no root knows of it.</item>
/// <item>A page in Dropped was in use by the checkpoint before, and still is taken; whether it becomes free or merely loses one of several references is
/// decided when the delta is committed.</item>
/// </list>
/// <para>Everything here is called under the allocator's lock, or by the commit that has the delta to itself.</para>
/// </remarks>
internal sealed unsafe class SpaceDelta : IDisposable
{
    private readonly Dictionary<int, Part> _parts = [];
    private Part? _last;

    /// <summary>The regions with something in them.</summary>
    public IReadOnlyCollection<Part> Parts => _parts.Values;

    /// <summary>Nodes among what was dropped: their children may have to be counted.</summary>
    public List<DroppedNode> DroppedNodes { get; } = [];

    /// <summary>The part of a region, or null if nothing was taken or given back in it.</summary>
    public Part? Find(int region)
    {
        if (_last?.Region.Index == region)
        {
            return _last;
        }

        return _parts.TryGetValue(region, out var part) ? _last = part : null;
    }

    /// <summary>The part of a region, made if it is not there.</summary>
    public Part FindOrAdd(Region region)
    {
        if (Find(region.Index) is { } present)
        {
            return present;
        }

        var part = new Part(region);
        _parts.Add(region.Index, part);
        return _last = part;
    }

    /// <summary>Whether a page was given out to this epoch.</summary>
    public bool IsFresh(ulong place) =>
        Find((int)(place >> FileLayout.RegionShift)) is { } part && Region.Test(part.Fresh, (int)(place & (FileLayout.RegionPages - 1)));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var part in _parts.Values)
        {
            part.Dispose();
        }

        _parts.Clear();
        _last = null;
    }

    /// <summary>One region's share: two bitmaps, each there only while it has something in it. Holds the region in memory.</summary>
    internal sealed class Part : IDisposable
    {
        public Part(Region region)
        {
            Region = region;
            region.Users++;
        }

        public Region Region { get; }

        /// <summary>Pages given out; null if none.</summary>
        public ulong* Fresh { get; private set; }

        /// <summary>Pages given back that a root uses; null if none.</summary>
        public ulong* Dropped { get; private set; }

        public ulong* EnsureFresh() => Fresh != null ? Fresh : Fresh = Region.NewBitmap();

        public ulong* EnsureDropped() => Dropped != null ? Dropped : Dropped = Region.NewBitmap();

        public void Dispose()
        {
            NativeMemory.Free(Fresh);
            NativeMemory.Free(Dropped);
            Fresh = null;
            Dropped = null;
            Region.Users--;
        }
    }
}
