using System.Runtime.InteropServices;

namespace Everheap.Engine.Storage;

// What is in memory of the allocator's state: directories and bitmaps come when their pages are first touched, and idle bitmaps go when there are many.
internal sealed unsafe partial class SpaceAllocator
{
    private Group GetGroup(int index)
    {
        if (_groups[index] is { } present)
        {
            return present;
        }

        var group = new Group(index);
        var entry = _groupEntries[index];
        if (entry.Written != 0)
        {
            Load(entry, FileLayout.DirectoryOffset(index, entry.Slot), group.Entries, "directory", group);
            group.FreePages = entry.FreePages;
        }
        else if (_previous?.Groups[index] is { Written: not 0 } before)
        {
            _firstSlots[~index] = After(before.Slot);
        }

        return _groups[index] = group;
    }

    private Region GetRegion(int index)
    {
        var group = GetGroup(index >> FileLayout.GroupShift);
        var slot = index & (FileLayout.GroupRegions - 1);
        if (group.Regions[slot] is { } present)
        {
            return present;
        }

        var region = new Region(index);
        var entry = group.Entries[slot];
        if (entry.Written != 0)
        {
            var offset = FileLayout.BitmapOffset(index, entry.Slot);
            Load(entry, offset, region.Kept, "bitmap", region);
            if (!region.TryLoadKept())
            {
                region.Dispose();
                throw new HeapCorruptedException(
                    $"{_channel.Name}: the allocator's bitmap at offset {offset} matches its checksum, but has reserved pages as free. Run verify; restore the file from a copy.",
                    fileOffset: offset);
            }
        }

        if (_previous is { } previous)
        {
            HoldFor(previous, region, entry);
        }

        _loadedRegions++;
        return group.Regions[slot] = region;
    }

    /// <summary>
    /// Holds what the root before the opened one uses and the opened one does not: as in the process that wrote them. If its bitmap cannot
    /// be had, that root could not be opened either, and there is nothing to hold.
    /// </summary>
    private void HoldFor(in Superblock previous, Region region, in SpaceEntry now)
    {
        var groupIndex = region.Index >> FileLayout.GroupShift;
        var page = stackalloc byte[FileLayout.PageSize];
        var bytes = new Span<byte>(page, FileLayout.PageSize);
        if (!TryRead(previous.Groups[groupIndex], slot => FileLayout.DirectoryOffset(groupIndex, slot), bytes))
        {
            return;
        }

        var before = ((SpaceEntry*)page)[region.Index & (FileLayout.GroupRegions - 1)];
        if (now.Written == 0 && before.Written != 0)
        {
            _firstSlots[region.Index] = After(before.Slot); // cut off by the opened root; the one before still has its bitmap
        }

        if ((before.Slot == now.Slot && before.Checksum == now.Checksum)
            || !TryRead(before, slot => FileLayout.BitmapOffset(region.Index, slot), bytes))
        {
            return;
        }

        if (region.HoldFor((ulong*)page) is var count and > 0)
        {
            _takenPages += count;
            Hold(region);
        }
    }

    /// <summary>
    /// Makes every bitmap say what was found in use, and nothing else. A bitmap that is damaged itself is taken to have had everything in use: until two more roots
    /// are durable nothing in its region is given out, as the kept roots may need it.
    /// </summary>
    /// <param name="delta">The change; committed like any other.</param>
    /// <param name="inUse">The pages in use, one bitmap a region.</param>
    public void Rebuild(SpaceDelta delta, IReadOnlyDictionary<int, ulong[]> inUse)
    {
        lock (_lock)
        {
            _keptPages = 0;
            _takenPages = 0;
            for (var index = 0; index < RegionsOf(_fileLength >> FileLayout.PageShift); index++)
            {
                var region = GetRegionOrFull(index);
                inUse.TryGetValue(index, out var found);
                var end = Math.Min((_fileLength >> FileLayout.PageShift) - ((long)index << FileLayout.RegionShift), FileLayout.RegionPages);
                for (var bit = FileLayout.RegionReservedPages; bit < end; bit++)
                {
                    var isInUse = found is not null && (found[bit >> 6] & (1UL << (bit & 63))) != 0;
                    var isKept = Region.Test(region.Kept, bit);
                    if (isKept && !isInUse)
                    {
                        Region.Set(delta.FindOrAdd(region).EnsureDropped(), bit);
                    }
                    else if (isInUse && !isKept)
                    {
                        if (!Region.Test(region.Taken, bit))
                        {
                            Region.Set(region.Taken, bit);
                            region.FreeCount--;
                            _takenPages++;
                        }

                        Region.Set(delta.FindOrAdd(region).EnsureFresh(), bit);
                    }
                }

                // Counted anew as well: what was counted may rest on the damaged bitmaps.
                var isWritten = _groups[index >> FileLayout.GroupShift]!.Entries[index & (FileLayout.GroupRegions - 1)].Written != 0;
                var uncounted = isWritten ? 0 : FileLayout.RegionReservedPages;
                _keptPages += Region.Count(region.Kept) - uncounted;
                _takenPages += Region.Count(region.Taken) - uncounted;
            }
        }
    }

    private Region GetRegionOrFull(int index)
    {
        try
        {
            return GetRegion(index);
        }
        catch (HeapCorruptedException)
        {
            var groupIndex = index >> FileLayout.GroupShift;
            var group = _groups[groupIndex] ??= new Group(groupIndex); // a damaged directory is made anew, too
            var region = new Region(index);
            var pagesLeft = (_fileLength >> FileLayout.PageShift) - ((long)index << FileLayout.RegionShift);
            region.TakeAll((int)Math.Min(pagesLeft, FileLayout.RegionPages));
            Change(region);
            _loadedRegions++;
            return group.Regions[index & (FileLayout.GroupRegions - 1)] = region;
        }
    }

    /// <summary>Loads every region whose bitmap differs between the opened root and the one before it, so that what is held for the latter is known.</summary>
    private void LoadHeld()
    {
        var previous = _previous!.Value;
        _previous = null;
        var page = stackalloc byte[FileLayout.PageSize];
        for (var index = 0; index < FileLayout.GroupCountMax; index++)
        {
            var groupIndex = index;
            if (!TryRead(previous.Groups[index], slot => FileLayout.DirectoryOffset(groupIndex, slot), new Span<byte>(page, FileLayout.PageSize)))
            {
                continue;
            }

            try
            {
                _previous = previous;
                LoadHeldOf(GetGroup(index), (SpaceEntry*)page);
            }
            catch (HeapCorruptedException)
            {
                // The directory: none of its regions can be used.
            }
            finally
            {
                _previous = null; // All that is to be known of it is known.
            }
        }
    }

    private void LoadHeldOf(Group group, SpaceEntry* before)
    {
        for (var slot = 0; slot < FileLayout.GroupRegions; slot++)
        {
            var isBefore = before[slot].Written != 0 && ((long)((group.Index << FileLayout.GroupShift) + slot) << FileLayout.RegionShift) < _fileLength >> FileLayout.PageShift;
            if (isBefore && group.Regions[slot] is null && (before[slot].Slot != group.Entries[slot].Slot || before[slot].Checksum != group.Entries[slot].Checksum))
            {
                try
                {
                    GetRegion((group.Index << FileLayout.GroupShift) + slot);
                }
                catch (HeapCorruptedException)
                {
                    // Damage is told of when what is damaged is needed; it keeps nothing else from being held.
                }
            }
        }
    }

    private bool TryRead(in SpaceEntry entry, Func<int, long> offset, Span<byte> page)
    {
        if (entry.Written == 0 || entry.Slot >= FileLayout.SlotCount)
        {
            return false;
        }

        var start = offset(entry.Slot);
        if (start > _channel.Length - FileLayout.PageSize)
        {
            return false; // a root that says so was not made by this program
        }

        _channel.Read(start, page);
        return DiskView.Hash(page) == entry.Checksum;
    }

    private void Load(in SpaceEntry entry, long offset, void* page, string what, IDisposable owner)
    {
        var bytes = new Span<byte>(page, FileLayout.PageSize);
        var isThere = entry.Slot < FileLayout.SlotCount && offset <= _channel.Length - FileLayout.PageSize;
        if (isThere)
        {
            _channel.Read(offset, bytes);
        }

        if (!isThere || DiskView.Hash(bytes) != entry.Checksum)
        {
            owner.Dispose();
            throw new HeapCorruptedException(
                $"{_channel.Name}: the allocator's {what} at offset {offset} does not match its checksum. Run verify; restore the file from a copy.",
                fileOffset: offset);
        }
    }

    private void UnloadIdle()
    {
        foreach (var group in _groups)
        {
            if (group is null)
            {
                continue;
            }

            for (var i = 0; i < group.Regions.Length; i++)
            {
                if (group.Regions[i] is { IsIdle: true } region)
                {
                    region.Dispose();
                    group.Regions[i] = null;
                    _loadedRegions--;
                }
            }
        }
    }

    /// <summary>A directory page, and the bitmaps below it that are loaded.</summary>
    private sealed class Group(int index) : IDisposable
    {
        public int Index { get; } = index;

        public SpaceEntry* Entries { get; private set; } =
            (SpaceEntry*)NativeMemory.AllocZeroed(FileLayout.PageSize);

        public Region?[] Regions { get; } = new Region?[FileLayout.GroupRegions];

        public uint FreePages { get; set; }

        public bool IsChanged { get; set; }

        public void Dispose()
        {
            foreach (var region in Regions)
            {
                region?.Dispose();
            }

            NativeMemory.Free(Entries);
            Entries = null;
        }
    }
}
