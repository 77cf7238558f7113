namespace Everheap.Engine.Storage;

/// <summary>Gives out and takes back pages of the file, for all heaps of a store. Its bitmaps are part of every root.</summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>A page that any of the last <see cref="FileLayout.RootsKept"/> durable roots reaches, or that the root being written reaches, is never
/// given out. A page in use is in Kept, or in the Fresh of the epoch that took it (<see cref="SpaceDelta"/>); one given back is in that epoch's Dropped, at
/// the epoch's commit goes to HeldNew, when the root is durable to HeldOld, and when the next one is durable it is free.</item>
/// <item>A page given out and given back within one epoch was never reachable from a root, and is free at once.</item>
/// <item>The bitmap written for a root is exactly what that root reaches: what epochs that are not committed took is free in it,
/// and so is what was held for its predecessors' sake, as both will be when it is opened.</item>
/// <item>Only bitmaps and directories that changed are written, each to the slot after the one that holds. The last RootsKept roots' slots
/// are never written to, as there is one slot more than that.</item>
/// <item>Nothing is read at opening: a directory or bitmap is loaded, and its checksum verified, at the first touch of its pages.</item>
/// <item><see cref="ReservedPages"/> free pages, as many as a commit may need, are kept for commits, so that a store that is full can still give space back.</item>
/// </list>
/// <para>
/// Thread safe: every member takes the lock but <see cref="WriteChanged"/>, which the commit calls while nobody else changes Kept
/// (only <see cref="Apply"/> does) or the entries of loaded regions.
/// </para>
/// <para>
/// Placement: next-fit, in runs. Pages of one checkpoint, which are written together, so lie together. Runs shorter
/// than <see cref="ShortRunPages"/> are passed over while the file is mostly full anyway (it grows instead), and taken when much of it is free.
/// </para>
/// </remarks>
internal sealed unsafe partial class SpaceAllocator : IDisposable
{
    /// <summary>A run shorter than this costs more to write than its space is worth, while there is not much free space.</summary>
    public const int ShortRunPages = 16;

    /// <summary>Free pages that only commits may take once the file cannot grow, at least: half a MiB.</summary>
    public const int ReservedPagesMin = 128;

    /// <summary>Regions whose bitmaps are in memory before idle ones are let go: 8 KiB each.</summary>
    public const int LoadedRegionsMax = 512;

    /// <summary>Free pages from which on it does not matter that some may be held unseen: 64 MiB.</summary>
    private const int HeldPagesGuess = 16_384;

    private readonly Lock _lock = new();
    private readonly StoreChannel _channel;
    private readonly Group?[] _groups = new Group?[FileLayout.GroupCountMax];
    private readonly List<Region> _changed = [];
    private readonly List<Region> _held = [];
    private readonly List<Group> _changedGroups = [];
    private GroupEntries _groupEntries;
    private Superblock? _previous;
    private int _loadedRegions;
    private long _fileLength;
    private long _takenPages;
    private long _keptPages;
    private long _cursor;
    private bool _longRunsExhausted;
    private long _ceiling = long.MaxValue;
    private long _reservedPages = ReservedPagesMin;

    /// <summary>Starts from what a root says.</summary>
    /// <param name="channel">The medium.</param>
    /// <param name="root">The root.</param>
    /// <param name="previous">The root before it, whose pages are held until there is a newer one; null if there is none.</param>
    public SpaceAllocator(StoreChannel channel, in Superblock root, Superblock? previous)
    {
        _previous = previous;
        _channel = channel;
        _groupEntries = root.Groups;
        _fileLength = (long)root.FileLength;
        _keptPages = (long)root.AllocatedPages;
        _takenPages = _keptPages;
    }

    /// <summary>Free pages that only commits may take once the file cannot grow.</summary>
    public long ReservedPages
    {
        get => Volatile.Read(ref _reservedPages);
        set => Volatile.Write(ref _reservedPages, Math.Max(value, ReservedPagesMin));
    }

    /// <summary>The length of the file as far as this allocator uses it, in bytes.</summary>
    public long FileLength => Volatile.Read(ref _fileLength);

    /// <summary>The entries for groups, as they are after <see cref="WriteChanged"/>, to go into the root.</summary>
    public GroupEntries GroupEntries => _groupEntries;

    /// <summary>Pages in use by the root being written, reserved pages of regions that have a bitmap included.</summary>
    public long KeptPages => Volatile.Read(ref _keptPages);

    /// <summary>Pages that cannot be given out: in use, held for older roots, or taken by epochs that are not committed.</summary>
    public long TakenPages => Volatile.Read(ref _takenPages);

    /// <summary>Pages that can be given out without growing the file. Any thread.</summary>
    public long FreePages => (FileLength >> FileLayout.PageShift) - TakenPages;

    /// <summary>Gives out a run of pages.</summary>
    /// <param name="delta">The epoch on whose behalf.</param>
    /// <param name="wanted">How many pages are wanted, at least 1.</param>
    /// <param name="count">How many the run has: 1 to <paramref name="wanted"/>.</param>
    /// <param name="mayUseReserve">Whether it is for a commit.</param>
    /// <returns>The place of the first.</returns>
    /// <exception cref="HeapFullException">The file cannot grow, for now or for good.</exception>
    /// <exception cref="HeapFailedException">Growing the file failed.</exception>
    public ulong Allocate(SpaceDelta delta, int wanted, out int count, bool mayUseReserve = false)
    {
        lock (_lock)
        {
            if (!mayUseReserve)
            {
                EnsureFreeLocked(ReservedPages + 1);
                wanted = (int)Math.Min(wanted, FreePages - ReservedPages);
            }

            if (_ceiling != long.MaxValue)
            {
                if (TryAllocate(delta, wanted, 1, out var low, out count))
                {
                    return low;
                }

                _ceiling = long.MaxValue; // There is no room below any more: the file is as short as it gets.
            }

            var least = Math.Min(wanted, ShortRunPages);
            while (true)
            {
                if (least > 1 && !_longRunsExhausted)
                {
                    if (TryAllocate(delta, wanted, least, out var place, out count))
                    {
                        return place;
                    }

                    _longRunsExhausted = true;
                }

                var pages = _fileLength >> FileLayout.PageShift;
                var isMostlyFull = FreePages < pages / 4;
                if (least > 1 && isMostlyFull && TryGrow())
                {
                    continue;
                }

                if (TryAllocate(delta, wanted, 1, out var shortPlace, out count))
                {
                    return shortPlace;
                }

                if (!TryGrow())
                {
                    throw Full();
                }
            }
        }
    }

    /// <summary>Makes sure that so many pages are free, by growing if need be; then a commit that takes no more cannot find the medium full half-way.</summary>
    /// <exception cref="HeapFullException">The file cannot grow, for now or for good.</exception>
    public void EnsureFree(long pages)
    {
        lock (_lock)
        {
            EnsureFreeLocked(pages);
        }
    }

    /// <summary>Whether a page was given out to this epoch: no root reaches it, so it may be written over.</summary>
    public bool IsFresh(SpaceDelta delta, ulong place)
    {
        lock (_lock)
        {
            return delta.IsFresh(place);
        }
    }

    /// <summary>Takes a page, or a node of a page map, back.</summary>
    /// <param name="delta">The epoch that no longer uses it.</param>
    /// <param name="entry">What was there.</param>
    /// <param name="level">0 for a page, else the node's level.</param>
    /// <param name="earlier">The epoch before, if that is not committed yet: it may have been given out to that one.</param>
    /// <exception cref="HeapCorruptedException">The page is not in use: the page map and the bitmaps disagree.</exception>
    public void Release(SpaceDelta delta, in MapEntry entry, int level, SpaceDelta? earlier)
    {
        lock (_lock)
        {
            if (entry.Place >= (ulong)(_fileLength >> FileLayout.PageShift))
            {
                throw NotInUse(entry.Place);
            }

            var region = GetRegion((int)(entry.Place >> FileLayout.RegionShift));
            var bit = (int)(entry.Place & (FileLayout.RegionPages - 1));
            var part = delta.Find(region.Index);
            if (part is not null && Region.Test(part.Fresh, bit))
            {
                Region.Clear(part.Fresh, bit);
                Region.Clear(region.Taken, bit);
                region.FreeCount++;
                _takenPages--;
                return;
            }

            var isInUse = bit >= FileLayout.RegionReservedPages && (Region.Test(region.Kept, bit) || earlier?.IsFresh(entry.Place) == true);
            if (!isInUse || (part is not null && Region.Test(part.Dropped, bit)))
            {
                throw NotInUse(entry.Place);
            }

            Region.Set(delta.FindOrAdd(region).EnsureDropped(), bit);
            if (level > 0)
            {
                delta.DroppedNodes.Add(new DroppedNode(entry, level));
            }
        }
    }

    private HeapCorruptedException NotInUse(ulong place) => new(
        $"{_channel.Name}: file page {place} (offset {place << FileLayout.PageShift}) is given back, but the allocator has it as free. Run verify.",
        fileOffset: (long)(place << FileLayout.PageShift));

    /// <summary>Forgets an epoch that will never be committed: what it took is free, what it gave back is not.</summary>
    public void Abandon(SpaceDelta delta)
    {
        lock (_lock)
        {
            foreach (var part in delta.Parts)
            {
                _takenPages -= part.Region.Abandon(part);
            }

            delta.Dispose();
            _longRunsExhausted = false;
        }
    }

    /// <summary>Makes epochs part of the root that is being put together.</summary>
    public void Apply(IEnumerable<SpaceDelta> deltas)
    {
        lock (_lock)
        {
            foreach (var delta in deltas)
            {
                foreach (var part in delta.Parts)
                {
                    _keptPages += part.Region.Apply(part);
                    Change(part.Region);
                    if (part.Dropped != null)
                    {
                        Hold(part.Region);
                    }
                }

                delta.Dispose();
            }
        }
    }

    /// <summary>Writes the bitmaps and directories that changed. Returns the bytes written.</summary>
    public long WriteChanged()
    {
        long bytes = 0;
        foreach (var region in _changed)
        {
            var group = _groups[region.Index >> FileLayout.GroupShift]!;
            ref var entry = ref group.Entries[region.Index & (FileLayout.GroupRegions - 1)];
            if (entry.Written == 0)
            {
                _keptPages += FileLayout.RegionReservedPages;
                lock (_lock)
                {
                    _takenPages += FileLayout.RegionReservedPages;
                }
            }

            group.FreePages -= entry.FreePages;
            entry.FreePages = (uint)(FileLayout.RegionPages - Region.Count(region.Kept));
            group.FreePages += entry.FreePages;
            WriteSlot(ref entry, slot => FileLayout.BitmapOffset(region.Index, slot), region.Kept, region.Index);
            region.IsChanged = false;
            if (!group.IsChanged)
            {
                group.IsChanged = true;
                _changedGroups.Add(group);
            }

            bytes += FileLayout.PageSize;
        }

        foreach (var group in _changedGroups)
        {
            ref var entry = ref _groupEntries[group.Index];
            entry.FreePages = group.FreePages;
            WriteSlot(ref entry, slot => FileLayout.DirectoryOffset(group.Index, slot), group.Entries, ~group.Index);
            group.IsChanged = false;
            bytes += FileLayout.PageSize;
        }

        _changed.Clear();
        _changedGroups.Clear();
        return bytes;
    }

    /// <summary>The root that was being written is durable: what only the root before its predecessor needed is free.</summary>
    public void OnDurable()
    {
        lock (_lock)
        {
            var keep = 0;
            for (var i = 0; i < _held.Count; i++)
            {
                var region = _held[i];
                _takenPages -= region.Release();
                region.IsHeld = region.HeldOld != null;
                if (region.IsHeld)
                {
                    _held[keep++] = region;
                }
            }

            _held.RemoveRange(keep, _held.Count - keep);
            _previous = null; // It is no longer one of the roots that are kept.
            _longRunsExhausted = false;
            if (_loadedRegions > LoadedRegionsMax)
            {
                UnloadIdle();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var group in _groups)
        {
            group?.Dispose();
        }
    }

    private static int RegionsOf(long pages) => (int)((pages + FileLayout.RegionPages - 1) >> FileLayout.RegionShift);

    private static byte After(byte slot) => (byte)((slot + 1) % FileLayout.SlotCount);

    private void EnsureFreeLocked(long pages)
    {
        while (FreePages < pages)
        {
            if (!TryGrow())
            {
                throw Full();
            }
        }

        if (_previous is not null && FreePages < pages + HeldPagesGuess)
        {
            // What the root before the opened one needs counts as free until its regions are looked at.
            LoadHeld();
            EnsureFreeLocked(pages);
        }
    }

    private void WriteSlot(ref SpaceEntry entry, Func<byte, long> offset, void* page, int key)
    {
        var bytes = new ReadOnlySpan<byte>(page, FileLayout.PageSize);
        var slot = entry.Written != 0 ? After(entry.Slot) : _firstSlots.GetValueOrDefault(key);
        _channel.Write(offset(slot), bytes);
        entry.Checksum = DiskView.Hash(bytes);
        entry.Slot = slot;
        entry.Written = 1;
    }

    private bool TryAllocate(SpaceDelta delta, int wanted, int least, out ulong place, out int count)
    {
        var pages = Math.Min(_fileLength >> FileLayout.PageShift, _ceiling);
        var regions = RegionsOf(pages);
        if (_cursor >= pages)
        {
            _cursor = 0;
        }

        var first = (int)(_cursor >> FileLayout.RegionShift);
        for (var step = 0; step <= regions; step++)
        {
            var index = first + step;
            index -= index >= regions ? regions : 0;
            if (FreeCount(index) < least)
            {
                continue;
            }

            var region = GetRegion(index);
            var from = step == 0 ? (int)(_cursor & (FileLayout.RegionPages - 1)) : 0;
            var limit = (int)Math.Min(FileLayout.RegionPages, pages - ((long)index << FileLayout.RegionShift));
            var bit = region.FindRun(from, limit, wanted, least, out count);
            if (bit >= 0)
            {
                Take(delta, region, bit, count);
                place = ((ulong)index << FileLayout.RegionShift) + (uint)bit;
                _cursor = (long)place + count;
                return true;
            }
        }

        place = 0;
        count = 0;
        return false;
    }

    private void Take(SpaceDelta delta, Region region, int bit, int count)
    {
        var fresh = delta.FindOrAdd(region).EnsureFresh();
        for (var i = bit; i < bit + count; i++)
        {
            Region.Set(region.Taken, i);
            Region.Set(fresh, i);
        }

        region.FreeCount -= count;
        _takenPages += count;
    }

    private bool TryGrow()
    {
        var growth = Math.Clamp(_fileLength / 8, FileLayout.GrowthMin, FileLayout.GrowthMax) & -FileLayout.GrowthMin;
        var length = Math.Min(_fileLength + growth, FileLayout.FileLengthMax);
        if (length == _fileLength)
        {
            return false;
        }

        // A crash while growing may have left the file longer than its root says.
        if (length > _channel.Length)
        {
            if (!_channel.TryResize(length))
            {
                // There is no room for a large step. There may be some for a small one.
                length = Math.Min(_fileLength + FileLayout.GrowthMin, FileLayout.FileLengthMax);
                if (length > _channel.Length && !_channel.TryResize(length))
                {
                    return false;
                }
            }
        }

        Volatile.Write(ref _fileLength, length);
        _longRunsExhausted = false;
        return true;
    }

    private HeapFullException Full() => _fileLength >= FileLayout.FileLengthMax
        ? new HeapFullException($"{_channel.Name}: the store is full: a file has at most {FileLayout.FileLengthMax} bytes. Drop checkpoints or heaps, or clear what is not needed.")
        : new HeapFullException(
            $"{_channel.Name}: there is no room for the file to grow past {_fileLength} bytes. Nothing is lost: make room on the disk (or drop checkpoints or heaps), and go on.");

    private int FreeCount(int index)
    {
        var group = GetGroup(index >> FileLayout.GroupShift);
        var slot = index & (FileLayout.GroupRegions - 1);
        return group.Regions[slot] is { } region ? region.FreeCount
            : group.Entries[slot].Written == 0 ? FileLayout.RegionPages - FileLayout.RegionReservedPages
            : (int)group.Entries[slot].FreePages;
    }

    private void Change(Region region)
    {
        if (!region.IsChanged)
        {
            region.IsChanged = true;
            _changed.Add(region);
        }
    }

    private void Hold(Region region)
    {
        if (!region.IsHeld)
        {
            region.IsHeld = true;
            _held.Add(region);
        }
    }
}
