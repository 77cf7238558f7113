using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

// Changing the page map in the current epoch: places of evicted pages, and pages that are dropped. Called under the gate: by the mutator, and
// by the checkpoint writer for what was deferred.
internal sealed unsafe partial class Pager
{
    private readonly DeferredPlaces _deferred = new();
    private int _deferredLeaves;

    /// <summary>The root of the page map as the epoch has it that the map belongs to.</summary>
    public MapEntry MapRoot { get; private set; }

    /// <summary>Pages that have a place in that map.</summary>
    public long MappedPages { get; private set; }

    /// <summary>Drops whole pages: from now on they read as zero.</summary>
    /// <param name="first">The first page.</param>
    /// <param name="end">The page after the last.</param>
    public void Drop(ulong first, ulong end)
    {
        for (var page = first; page < end;)
        {
            lock (_gate)
            {
                ThrowIfNotWritable();
                var leaf = FindNode(1, page >> FileLayout.NodeShift, create: false, out var absentLevel);
                if (leaf < 0)
                {
                    // Nothing in all that the absent node would cover.
                    var shift = FileLayout.NodeShift * absentLevel;
                    page = ((page >> shift) + 1) << shift;
                    continue;
                }

                // One leaf a gate: its pages may be 256, its tables may be cold.
                var stop = Math.Min(end, (page | (FileLayout.NodeEntries - 1)) + 1);
                while (page < stop && TryDrop(page, leaf))
                {
                    page++;
                }

                if (page < stop)
                {
                    WaitForWriter();
                }
            }
        }
    }

    /// <summary>Whether one more place below a leaf can be deferred, besides those about to be.</summary>
    private bool CanDefer(int leaf, int more) =>
        _deferred.Count + more < DeferredPlaces.CountMax
        && (_infos[leaf].Deferred > 0 || _deferredLeaves + more < _pool.Circulating / 4);

    /// <summary>Notes the new place of a page whose frame is about to be given up.</summary>
    private void SetPlace(int frame, in MapEntry entry)
    {
        var page = _infos[frame].Key;
        var leaf = _infos[frame].Parent;
        if (_isMapSealed)
        {
            Defer(page, leaf, entry);
        }
        else
        {
            ForgetDeferred(page, leaf);
            SetCurrentEntry(leaf, (int)(page & (FileLayout.NodeEntries - 1)), entry);
        }
    }

    /// <summary>The entry that the current epoch sees of a resident page: deferred, or in its leaf.</summary>
    private MapEntry* CurrentEntry(int frame)
    {
        var page = _infos[frame].Key;
        var deferred = _deferred.Find(page);
        return deferred != null ? deferred : Entries(_infos[frame].Parent) + (page & (FileLayout.NodeEntries - 1));
    }

    /// <summary>Drops one page, unless the checkpoint writer has to be waited for first.</summary>
    private bool TryDrop(ulong page, int leaf)
    {
        if (TryFindPinned(page, out var range, out var pinned))
        {
            ClearPinned(range, pinned, 0, FileLayout.PageSize); // the next seal finds it empty, and drops it
            return true;
        }

        var slot = (int)(page & (FileLayout.NodeEntries - 1));
        var frame = _index.Find(page);
        if (frame < 0 && Entries(leaf)[slot].Place == 0 && _deferred.Find(page) == null)
        {
            return true;
        }

        if (_isMapSealed && !CanDefer(leaf, 0))
        {
            return false;
        }

        ClearEntries(page);
        if (_isMapSealed)
        {
            // Noted even if the map has no place of it: the writer may be about to enter one, for a sealed frame.
            Defer(page, leaf, default);
        }
        else
        {
            ForgetDeferred(page, leaf);
            if (Entries(leaf)[slot].Place != 0)
            {
                SetCurrentEntry(leaf, slot, default);
            }
        }

        if (frame >= 0)
        {
            DropFrame(frame);
        }

        return true;
    }

    private void DropFrame(int frame)
    {
        ref var info = ref _infos[frame];
        if (info.State == _sealedState)
        {
            info.Flags |= FrameFlags.Orphan;
            _index.Remove(frame);
            return;
        }

        if (info.State == _dirtyState)
        {
            _pool.Remove(ref _dirty[0], frame);
        }

        Remove(frame);
    }

    private void Defer(ulong page, int leaf, in MapEntry entry)
    {
        var deferred = _deferred.FindOrAdd(page, out var added);
        if (added)
        {
            ref var info = ref _infos[leaf];
            info.Children++;
            _deferredLeaves += info.Deferred == 0 ? 1 : 0;
            info.Deferred++;
        }
        else if (deferred->Place != 0)
        {
            ReleaseCurrent(*deferred, level: 0);
        }

        *deferred = entry;
    }

    /// <summary>A page's deferred place is overtaken by a newer one.</summary>
    private void ForgetDeferred(ulong page, int leaf)
    {
        var deferred = _deferred.Find(page);
        if (deferred != null)
        {
            var overtaken = *deferred;
            Consume(deferred, leaf);
            if (overtaken.Place != 0)
            {
                ReleaseCurrent(overtaken, level: 0);
            }
        }
    }

    private void Consume(MapEntry* deferred, int leaf)
    {
        deferred->Place = DeferredPlaces.Consumed;
        ref var info = ref _infos[leaf];
        info.Children--;
        info.Deferred--;
        _deferredLeaves -= info.Deferred == 0 ? 1 : 0;
    }

    /// <summary>Replaces an entry of a node in the current epoch.</summary>
    private void SetCurrentEntry(int node, int slot, in MapEntry entry)
    {
        var level = FrameKey.Level(_infos[node].Key);
        Exchange(ref Entries(node)[slot], entry, level, isSealed: false);
        MarkNodeDirty(node);
    }

    /// <summary>An entry's checksum has changed: if it is in the leaf, the leaf has. (It may have been written, and be Clean, since the entry got its place.)</summary>
    private void MarkDirtyUnlessDeferred(MapEntry* entry, int frame)
    {
        var leaf = _infos[frame].Parent;
        if (entry >= Entries(leaf) && entry < Entries(leaf) + FileLayout.NodeEntries)
        {
            MarkNodeDirty(leaf);
        }
    }

    /// <summary>Gives back, on behalf of the current epoch, a place that is in no entry of this map.</summary>
    public void ReleaseForeign(in MapEntry entry)
    {
        lock (_gate)
        {
            ReleaseCurrent(entry, level: 0);
        }
    }

    private ulong AllocateCurrent(int wanted, out int count) => _space!.Allocate(_delta, wanted, out count, _isCatalog);

    private void ReleaseCurrent(in MapEntry entry, int level) => _space!.Release(_delta, entry, level, _sealedDelta);

    private void MarkNodeDirty(int node)
    {
        ref var info = ref _infos[node];
        if (info.State == FrameState.Clean)
        {
            info.State = _dirtyState;
            _pool.Append(ref _dirty[FrameKey.Level(info.Key)], node);
        }
    }

    /// <summary>Puts an entry in place of another, whose place is given back.</summary>
    /// <param name="target">The entry, in a node or the heap's own.</param>
    /// <param name="entry">The new one.</param>
    /// <param name="level">The level of the node it stands in: one above what it refers to.</param>
    /// <param name="isSealed">Whether it is done on behalf of the sealed epoch.</param>
    private void Exchange(ref MapEntry target, in MapEntry entry, int level, bool isSealed)
    {
        if (level == 1)
        {
            MappedPages += (entry.Place != 0 ? 1 : 0) - (target.Place != 0 ? 1 : 0);
        }

        var old = target;
        target = entry;
        if (old.Place == 0)
        {
            return;
        }

        if (isSealed)
        {
            _space!.Release(_sealedDelta!, old, level - 1, earlier: null);
        }
        else
        {
            ReleaseCurrent(old, level - 1);
        }
    }
}
