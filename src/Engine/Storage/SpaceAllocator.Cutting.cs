namespace Everheap.Engine.Storage;

// Making the file shorter: places are given out below a ceiling only, what lies above is moved away by others, and then the tail is cut off.
internal sealed unsafe partial class SpaceAllocator
{
    /// <summary>
    /// Which slot a bitmap (by its region) or a directory (by the complement of its group) is written to first, where that is not slot 0: it was cut off
    /// with the tail, and a root that is kept still has it in the slot before.
    /// </summary>
    private readonly Dictionary<int, byte> _firstSlots = [];

    private bool _isCutting;

    /// <summary>Whether the tail stays for now: pages are being moved, and free room to move them through is worth more.</summary>
    public bool KeepsTail { get; set; }

    /// <summary>The place from which on pages are to be moved away; null while the file is not being made shorter. Any thread.</summary>
    public ulong? Ceiling => Volatile.Read(ref _ceiling) is var ceiling and not long.MaxValue ? (ulong)ceiling : null;

    /// <summary>From now on gives out places below a ceiling, as long as there are any.</summary>
    /// <param name="spare">Pages to leave free below it, beside those in use.</param>
    /// <returns>Whether the file can become shorter by that.</returns>
    public bool LowerCeiling(long spare)
    {
        lock (_lock)
        {
            var pages = _fileLength >> FileLayout.PageShift;
            var needed = _takenPages + spare;
            needed += RegionsOf(needed) * (long)FileLayout.RegionReservedPages;
            _isCutting = true;
            if (needed >= pages)
            {
                return false;
            }

            Volatile.Write(ref _ceiling, needed);
            _cursor = 0;
            return true;
        }
    }

    /// <summary>Gives out places anywhere again.</summary>
    public void LiftCeiling() => Volatile.Write(ref _ceiling, long.MaxValue);

    /// <summary>
    /// Lets the root that is being put together have a shorter file, if nothing in its tail is taken, be it for older roots' sake. Between <see cref="Apply"/> and
    /// <see cref="WriteChanged"/>.
    /// </summary>
    public void CutTail()
    {
        if (!_isCutting || KeepsTail)
        {
            return;
        }

        lock (_lock)
        {
            var length = Math.Max((UsedEnd() << FileLayout.PageShift) + FileLayout.GrowthMin - 1 & -FileLayout.GrowthMin, FileLayout.FileLengthInitial);
            if (length >= _fileLength)
            {
                return;
            }

            var regions = RegionsOf(length >> FileLayout.PageShift);
            var regionsBefore = RegionsOf(_fileLength >> FileLayout.PageShift);
            for (var index = regions; index < regionsBefore; index++)
            {
                ForgetRegion(index);
            }

            for (var group = (regions + FileLayout.GroupRegions - 1) >> FileLayout.GroupShift; group << FileLayout.GroupShift < regionsBefore; group++)
            {
                ForgetGroup(_groups[group]!);
            }

            Volatile.Write(ref _fileLength, length);
            _cursor = 0;
        }
    }

    /// <summary>
    /// Cuts the file to the longer of the two lengths that the kept roots say, once both are durable. Nothing that either reaches lies beyond; a crash before the cut is
    /// durable leaves the file longer, which is always allowed.
    /// </summary>
    public void CutFile(long newest, long before)
    {
        lock (_lock)
        {
            var length = Math.Max(Math.Max(newest, before), _fileLength);
            if (_isCutting && length < _channel.Length)
            {
                _channel.TryResize(length);
            }
        }
    }

    /// <summary>The page after the last that is taken, or that belongs to a bitmap that cannot go yet.</summary>
    private long UsedEnd()
    {
        for (var index = RegionsOf(_fileLength >> FileLayout.PageShift) - 1; index >= 0; index--)
        {
            var first = (long)index << FileLayout.RegionShift;
            var group = GetGroup(index >> FileLayout.GroupShift);
            var loaded = group.Regions[index & (FileLayout.GroupRegions - 1)];
            if (FreeCount(index) == FileLayout.RegionPages - FileLayout.RegionReservedPages && loaded is null or { IsIdle: true })
            {
                continue;
            }

            var region = GetRegion(index);
            for (var word = FileLayout.BitmapWords - 1; word >= 0; word--)
            {
                if (region.Taken[word] != 0)
                {
                    return first + (word << 6) + 64 - System.Numerics.BitOperations.LeadingZeroCount(region.Taken[word]);
                }
            }
        }

        return 0;
    }

    /// <summary>Forgets the bitmap of a region that is empty and lies beyond the new end.</summary>
    private void ForgetRegion(int index)
    {
        var group = GetGroup(index >> FileLayout.GroupShift);
        var slot = index & (FileLayout.GroupRegions - 1);
        ref var entry = ref group.Entries[slot];
        if (group.Regions[slot] is { } region)
        {
            region.Dispose();
            group.Regions[slot] = null;
            _loadedRegions--;
        }

        if (entry.Written != 0)
        {
            _firstSlots[index] = After(entry.Slot);
            group.FreePages -= entry.FreePages;
            entry = default;
            _keptPages -= FileLayout.RegionReservedPages;
            _takenPages -= FileLayout.RegionReservedPages;
            if (!group.IsChanged)
            {
                group.IsChanged = true;
                _changedGroups.Add(group);
            }
        }

    }

    /// <summary>Forgets a directory whose regions have all been forgotten.</summary>
    private void ForgetGroup(Group group)
    {
        ref var directory = ref _groupEntries[group.Index];
        if (directory.Written != 0)
        {
            _firstSlots[~group.Index] = After(directory.Slot);
        }

        directory = default;
        _changedGroups.Remove(group);
        _groups[group.Index] = null;
        group.Dispose();
    }
}
