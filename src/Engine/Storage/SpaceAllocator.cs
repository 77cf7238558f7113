namespace Everheap.Engine.Storage;

/// <summary>Which of the two epochs that can be alive at once an allocation or release belongs to.</summary>
internal enum Epoch
{
    /// <summary>The one the mutator is in: part of the checkpoint after the one being written.</summary>
    Current,

    /// <summary>The one that was sealed and is being written.</summary>
    Sealed,
}

/// <summary>
/// Gives out and takes back pages of the file. Its bitmaps are part of every checkpoint.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>A page that any of the last <see cref="FileLayout.RootsKept"/> durable roots reaches, or that the checkpoint being written reaches, is never
/// given out. A page in use is in Kept or Fresh; one given back by an epoch goes to Dropped, at that epoch's seal to HeldNew,
/// when its checkpoint is durable to HeldOld, and when the next one is durable it is free.</item>
/// <item>A page given out and given back within one epoch was never reachable from a root, and is free at once.</item>
/// <item>The bitmap written for a checkpoint is exactly what that checkpoint reaches: what was held for its predecessors' sake
/// is free in it, as it will be when it is opened.</item>
/// <item>Only bitmaps and directories that changed are written, each to the slot after the one that holds. The last RootsKept roots' slots
/// are never written to, as there is one slot more than that.</item>
/// <item>Nothing is read at opening: a directory or bitmap is loaded, and its checksum verified, at the first touch of its pages.</item>
/// </list>
/// <para>
/// Concurrency: every member is called under the pager's gate, except <see cref="WriteChanged"/>, which the checkpoint writer calls while nobody else
/// changes Kept (the mutator changes it only in <see cref="Seal"/>, which waits for the writer) or the entries of loaded regions.
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

    /// <summary>Regions whose bitmaps are in memory before idle ones are let go: 8 KiB each.</summary>
    public const int LoadedRegionsMax = 512;

    private readonly StoreChannel _channel;
    private readonly Group?[] _groups = new Group?[FileLayout.GroupCountMax];
    private readonly List<Region> _touched = [];
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

    /// <summary>The length of the file as far as this allocator uses it, in bytes.</summary>
    public long FileLength => _fileLength;

    /// <summary>The entries for groups, as they are after <see cref="WriteChanged"/>, to go into the root.</summary>
    public GroupEntries GroupEntries => _groupEntries;

    /// <summary>Pages in use by the checkpoint being written, reserved pages of regions that have a bitmap included.</summary>
    public long KeptPages => _keptPages;

    /// <summary>Gives out a run of pages.</summary>
    /// <param name="epoch">On whose behalf.</param>
    /// <param name="wanted">How many pages are wanted, at least 1.</param>
    /// <param name="count">How many the run has: 1 to <paramref name="wanted"/>.</param>
    /// <returns>The place of the first.</returns>
    /// <exception cref="HeapFailedException">The file cannot grow.</exception>
    /// <exception cref="HeapException">The file has reached its largest length.</exception>
    public ulong Allocate(Epoch epoch, int wanted, out int count)
    {
        var least = Math.Min(wanted, ShortRunPages);
        while (true)
        {
            if (least > 1 && !_longRunsExhausted)
            {
                if (TryAllocate(epoch, wanted, least, out var place, out count))
                {
                    return place;
                }

                _longRunsExhausted = true;
            }

            var pages = _fileLength >> FileLayout.PageShift;
            var isMostlyFull = pages - _takenPages < pages / 4;
            if (least > 1 && isMostlyFull && TryGrow())
            {
                continue;
            }

            if (TryAllocate(epoch, wanted, 1, out var shortPlace, out count))
            {
                return shortPlace;
            }

            if (!TryGrow())
            {
                throw new HeapException($"{_channel.Name}: the store is full: a file has at most {FileLayout.FileLengthMax} bytes. Release what is not needed.");
            }
        }
    }

    /// <summary>Whether a page was given out in the current epoch: no root reaches it, so it may be written over.</summary>
    public bool IsFresh(ulong place) =>
        Region.Test(GetRegion((int)(place >> FileLayout.RegionShift)).Fresh, (int)(place & (FileLayout.RegionPages - 1)));

    /// <summary>Takes a page back.</summary>
    /// <exception cref="HeapCorruptedException">The page is not in use: the page map and the bitmaps disagree.</exception>
    public void Release(Epoch epoch, ulong place)
    {
        var region = GetRegion((int)(place >> FileLayout.RegionShift));
        var bit = (int)(place & (FileLayout.RegionPages - 1));
        if (epoch == Epoch.Current && Region.Test(region.Fresh, bit))
        {
            Region.Clear(region.Fresh, bit);
            Region.Clear(region.Taken, bit);
            region.FreeCount++;
            _takenPages--;
            return;
        }

        if (bit < FileLayout.RegionReservedPages || !Region.Test(region.Kept, bit) || Region.Test(region.Dropped, bit))
        {
            throw new HeapCorruptedException(
                $"{_channel.Name}: file page {place} (offset {place << FileLayout.PageShift}) is given back, but the allocator has it as free. Run verify.",
                fileOffset: (long)(place << FileLayout.PageShift));
        }

        if (epoch == Epoch.Current)
        {
            Touch(region);
            Region.Set(region.EnsureDropped(), bit);
        }
        else
        {
            Region.Clear(region.Kept, bit);
            _keptPages--;
            Change(region);
            Hold(region);
            Region.Set(region.EnsureHeldNew(), bit);
        }
    }

    /// <summary>Closes the current epoch and opens the next. The previous checkpoint is complete.</summary>
    public void Seal()
    {
        foreach (var region in _touched)
        {
            region.IsTouched = false;
            if (region.Dropped != null)
            {
                Hold(region);
            }

            var before = Region.Count(region.Kept);
            region.Seal();
            _keptPages += Region.Count(region.Kept) - before;
            Change(region);
        }

        _touched.Clear();
    }

    /// <summary>Writes the bitmaps and directories that the sealed epoch changed. Returns the bytes written.</summary>
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
            }

            group.FreePages -= entry.FreePages;
            entry.FreePages = (uint)(FileLayout.RegionPages - Region.Count(region.Kept));
            group.FreePages += entry.FreePages;
            WriteSlot(ref entry, FileLayout.BitmapOffset(region.Index, NextSlot(entry)), region.Kept);
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
            WriteSlot(ref entry, FileLayout.DirectoryOffset(group.Index, NextSlot(entry)), group.Entries);
            group.IsChanged = false;
            bytes += FileLayout.PageSize;
        }

        _changed.Clear();
        _changedGroups.Clear();
        return bytes;
    }

    /// <summary>The checkpoint that was being written is durable: what only the root before its predecessor needed is free.</summary>
    public void OnDurable()
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

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var group in _groups)
        {
            group?.Dispose();
        }
    }

    private static byte NextSlot(in SpaceEntry entry) => entry.Written == 0 ? (byte)0 : (byte)((entry.Slot + 1) % FileLayout.SlotCount);

    private void WriteSlot(ref SpaceEntry entry, long offset, void* page)
    {
        var bytes = new ReadOnlySpan<byte>(page, FileLayout.PageSize);
        _channel.Write(offset, bytes);
        entry.Checksum = DiskView.Hash(bytes);
        entry.Slot = NextSlot(entry);
        entry.Written = 1;
    }

    private bool TryAllocate(Epoch epoch, int wanted, int least, out ulong place, out int count)
    {
        var pages = _fileLength >> FileLayout.PageShift;
        var regions = (int)((pages + FileLayout.RegionPages - 1) >> FileLayout.RegionShift);
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
                Take(epoch, region, bit, count);
                place = ((ulong)index << FileLayout.RegionShift) + (uint)bit;
                _cursor = (long)place + count;
                return true;
            }
        }

        place = 0;
        count = 0;
        return false;
    }

    private void Take(Epoch epoch, Region region, int bit, int count)
    {
        ulong* owner;
        if (epoch == Epoch.Current)
        {
            Touch(region);
            owner = region.EnsureFresh();
        }
        else
        {
            Change(region);
            owner = region.Kept;
            _keptPages += count;
        }

        for (var i = bit; i < bit + count; i++)
        {
            Region.Set(region.Taken, i);
            Region.Set(owner, i);
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

        // A crash while growing may have left the file longer than its root says; it is never cut.
        if (length > _channel.Length)
        {
            _channel.Resize(length);
        }

        _fileLength = length;
        _longRunsExhausted = false;
        return true;
    }

    private int FreeCount(int index)
    {
        var group = GetGroup(index >> FileLayout.GroupShift);
        var slot = index & (FileLayout.GroupRegions - 1);
        return group.Regions[slot] is { } region ? region.FreeCount
            : group.Entries[slot].Written == 0 ? FileLayout.RegionPages - FileLayout.RegionReservedPages
            : (int)group.Entries[slot].FreePages;
    }

    private void Touch(Region region)
    {
        if (!region.IsTouched)
        {
            region.IsTouched = true;
            _touched.Add(region);
        }
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
