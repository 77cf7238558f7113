using System.Diagnostics;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

// Pinned ranges: pages that lie side by side in memory of their own instead of in frames. Called under the gate where it does not say that it takes it, by the mutator.
//
// A page of a pinned range has no frame, but for copies that were made of it for a checkpoint (orphans), and its leaf is resident. Frames are withdrawn from the pool, one
// for each of its pages. Its mark in the range says whether it has changed in the current epoch; if it has not, then what the page map, a deferred place, or a Sealed
// PinnedCopy of it has, is its content.
internal sealed unsafe partial class Pager
{
    /// <summary>Frames that pinned ranges leave to everything else: as many as the smallest budget has.</summary>
    private const int PagedFramesMin = (int)(HeapStoreOptions.ResidentBytesMin >> FileLayout.PageShift);

    private PinnedRange[] _pinned = [];

    /// <summary>Pages that one more range could have, wherever it is.</summary>
    public int PinnablePages
    {
        get
        {
            // For each page, its share of the nodes above: at most two at each level more than pages / 256, pages / 65,536, and so on.
            var frames = _pool.Count - PagedFramesMin - FramesPinned(except: null) - (2 * FileLayout.NodeLevels);
            return (int)Math.Max(0, frames * (FileLayout.NodeEntries - 1L) / FileLayout.NodeEntries);
        }
    }

    /// <summary>Pins pages. Takes the gate.</summary>
    public PinnedRange Pin(ulong firstPage, ulong pages, ulong pagesMax)
    {
        ThrowIfNotPinnable(null, firstPage, pages);
        var range = new PinnedRange(this, firstPage, (int)pagesMax);
        try
        {
            Extend(range, (int)pages);
        }
        catch
        {
            range.Close();
            throw;
        }

        _pinned = [.. _pinned, range];
        return range;
    }

    /// <summary>Makes a range longer, or leaves it as it is. Takes the gate.</summary>
    public void Extend(PinnedRange range, int pages)
    {
        var before = range.Pages;
        ThrowIfNotWritable();
        ThrowIfNotPinnable(range, range.FirstPage, (ulong)pages);
        range.Prepare(pages);
        try
        {
            while (range.Pages < pages)
            {
                lock (_gate)
                {
                    MoveIn(range, pages); // one leaf a gate: it may be up to 256 reads
                }
            }
        }
        catch
        {
            lock (_gate)
            {
                MoveOut(range, before);
            }

            throw;
        }
    }

    /// <summary>Gives a range up. Takes the gate.</summary>
    public void Unpin(PinnedRange range)
    {
        lock (_gate)
        {
            MoveOut(range, 0);
            Forget(range);
        }
    }

    /// <summary>Zeroes a part of a pinned page. A page that reads as zero already is not marked for it.</summary>
    private static void ClearPinned(PinnedRange range, int index, int offset, int length)
    {
        var bytes = range.Content(index, 1).Slice(offset, length);
        if (bytes.IndexOfAnyExcept((byte)0) >= 0)
        {
            range.Mark(index);
            bytes.Clear();
        }
    }

    private void Forget(PinnedRange range)
    {
        _pinned = [.. _pinned.Where(other => other != range)];
        range.Close();
    }

    private bool TryFindPinned(ulong page, out PinnedRange range, out int index)
    {
        foreach (var candidate in _pinned)
        {
            var distance = page - candidate.FirstPage; // wraps around to something large for a page before the range
            if (distance < (ulong)candidate.Pages)
            {
                range = candidate;
                index = (int)distance;
                return true;
            }
        }

        range = null!;
        index = -1;
        return false;
    }

    private void ThrowIfNotPinnable(PinnedRange? range, ulong firstPage, ulong pages)
    {
        foreach (var other in _pinned)
        {
            if (other != range && firstPage < other.FirstPage + (ulong)other.Pages && other.FirstPage < firstPage + pages)
            {
                throw new ArgumentException(
                    $"Heap '{_heapName}': {pages << FileLayout.PageShift} bytes at 0x{firstPage << FileLayout.PageShift:x} overlap the range of {other.Length} bytes that is pinned at 0x{other.Address:x}.");
            }
        }

        var pinned = FramesPinned(except: range);
        if (pages > (ulong)_pool.Count || pinned + FramesFor(firstPage, pages) + PagedFramesMin > _pool.Count)
        {
            throw new HeapException(
                $"{_channel.Name}: heap '{_heapName}': {pages << FileLayout.PageShift} bytes cannot be pinned in a budget of {(long)_pool.Count << FileLayout.PageShift} bytes beside "
                + $"the {pinned << FileLayout.PageShift} that are pinned already. Open the heap with more.");
        }
    }

    private long FramesPinned(PinnedRange? except) => _pinned.Sum(range => range == except ? 0 : FramesFor(range.FirstPage, (ulong)range.Pages));

    /// <summary>Frames of the budget that a pinned range takes: one a page, and one for each node above them.</summary>
    private static long FramesFor(ulong firstPage, ulong pages)
    {
        long frames = 0;
        for (var level = 0; pages > 0 && level <= FileLayout.NodeLevels; level++)
        {
            var shift = FileLayout.NodeShift * level;
            frames += (long)(((firstPage + pages - 1) >> shift) - (firstPage >> shift)) + 1;
        }

        return frames;
    }

    /// <summary>Takes the next pages into a range, up to the end of a leaf.</summary>
    private void MoveIn(PinnedRange range, int end)
    {
        var page = range.FirstPage + (ulong)range.Pages;
        var leaf = FindNode(1, page >> FileLayout.NodeShift, create: true, out _);
        if (range.Pages == 0 || (page & (FileLayout.NodeEntries - 1)) == 0)
        {
            _infos[leaf].Children++;
            range.Leaves.Add(leaf);
        }

        end = (int)Math.Min(end, range.Pages + (FileLayout.NodeEntries - (long)(page & (FileLayout.NodeEntries - 1))));
        while (range.Pages < end)
        {
            var count = MoveIn(range, range.FirstPage + (ulong)range.Pages, leaf, end - range.Pages);
            ClearEntries(range.FirstPage + (ulong)range.Pages, (ulong)count);
            range.Pages += count;
        }
    }

    /// <summary>Takes a page into a range, behind the last, and with it those that can be read together with it. Returns how many.</summary>
    private int MoveIn(PinnedRange range, ulong page, int leaf, int max)
    {
        var index = range.Pages;
        while (true)
        {
            var frame = _index.Find(page);
            if (frame >= 0 && _infos[frame].State != _sealedState)
            {
                _pool.Span(frame).CopyTo(range.Content(index, 1));
                if (_infos[frame].State == _dirtyState)
                {
                    _pool.Remove(ref _dirty[0], frame);
                    range.Mark(index);
                }

                Remove(frame);
                _pool.TryWithdraw(); // that one, or another
                return 1;
            }

            if (_pool.TryWithdraw())
            {
                return frame >= 0 ? MoveInSealed(range, frame) : MoveInFromFile(range, page, leaf, max);
            }

            if (!TryEvict())
            {
                WaitForWriter();
            }
        }
    }

    /// <summary>Takes in a page whose frame the checkpoint writer still needs.</summary>
    private int MoveInSealed(PinnedRange range, int frame)
    {
        _pool.Span(frame).CopyTo(range.Content(range.Pages, 1));
        _index.Remove(frame);
        _infos[frame].Flags |= FrameFlags.Orphan | FrameFlags.PinnedCopy;
        return 1;
    }

    /// <summary>Takes in pages that have no frame: as many as lie side by side in the file, too, and can be had without evicting. One frame is withdrawn already.</summary>
    private int MoveInFromFile(PinnedRange range, ulong page, int leaf, int max)
    {
        var entry = Locate(page, leaf);
        if (entry.Place == 0)
        {
            return 1;
        }

        var filePages = (ulong)(_channel.Length >> FileLayout.PageShift);
        var count = 1;
        while (count < Math.Min(max, BatchPages)
            && entry.Place + (uint)count < filePages
            && Locate(page + (uint)count, leaf).Place == entry.Place + (uint)count
            && _index.Find(page + (uint)count) < 0
            && _pool.TryWithdraw())
        {
            count++;
        }

        var index = range.Pages;
        try
        {
            ReadVerified(page, entry, leaf, range.Content(index, count));
        }
        catch
        {
            _pool.Restore(count);
            range.Wipe(index, index + count);
            throw;
        }

        _faults += count;
        return count;
    }

    /// <summary>Reads pages that lie side by side in the file.</summary>
    private void ReadVerified(ulong first, in MapEntry firstEntry, int leaf, Span<byte> destination)
    {
        if (destination.Length == FileLayout.PageSize)
        {
            ReadVerified(firstEntry, destination, first);
            return;
        }

        var offset = (long)(firstEntry.Place << FileLayout.PageShift);
        _channel.Read(offset, destination);
        for (var at = 0; at < destination.Length; at += FileLayout.PageSize)
        {
            var page = first + (ulong)(at >> FileLayout.PageShift);
            if (DiskView.Hash(destination.Slice(at, FileLayout.PageSize)) != Locate(page, leaf).Checksum)
            {
                throw Corrupted(page, offset + at, "its checksum does not match");
            }
        }
    }

    /// <summary>Gives up the pages of a range from one on. Needs no frame that the range does not give back, and no file.</summary>
    private void MoveOut(PinnedRange range, int from)
    {
        var end = range.Pages;
        ClearEntries(range.FirstPage + (ulong)from, (ulong)(end - from));
        if (_isMapSealed)
        {
            TakeBackCopies(range, from);
        }

        // A leaf's worth at a time, so that a page is not in memory twice for long.
        for (var index = from; index < end;)
        {
            var stop = (int)Math.Min(end, (long)index + FileLayout.NodeEntries);
            var restored = 0;
            for (var i = index; i < stop; i++)
            {
                if (range.Marks[i] != 0 && !IsZeroAnyway(range, i))
                {
                    _pool.Restore(1);
                    MoveOutChanged(range, i);
                    restored++;
                }
            }

            range.Wipe(index, stop);
            _pool.Restore(stop - index - restored);
            index = stop;
        }

        var leaves = from == 0 ? 0 : (int)(((range.FirstPage + (ulong)from - 1) >> FileLayout.NodeShift) - (range.FirstPage >> FileLayout.NodeShift)) + 1;
        for (var i = leaves; i < range.Leaves.Count; i++)
        {
            _infos[range.Leaves[i]].Children--;
        }

        range.Leaves.RemoveRange(leaves, range.Leaves.Count - leaves);
        range.Pages = from;
    }

    /// <summary>
    /// What the checkpoint writer has not written yet of a range that is given up is not in the map yet: those copies become their pages' frames again, unless the
    /// pages have changed since. Where they have, the mark says that there is such a copy.
    /// </summary>
    private void TakeBackCopies(PinnedRange range, int from)
    {
        for (var frame = 0; frame < _pool.Touched; frame++)
        {
            ref var info = ref _infos[frame];
            var index = info.Key - range.FirstPage;
            if (info.State != _sealedState || (info.Flags & FrameFlags.PinnedCopy) == 0 || index < (ulong)from || index >= (ulong)range.Pages)
            {
                continue;
            }

            info.Flags &= ~FrameFlags.PinnedCopy;
            if (range.Marks[(int)index] == 0)
            {
                info.Flags &= ~FrameFlags.Orphan;
                _index.Add(frame);
            }
            else
            {
                range.Marks[(int)index] = PinnedRange.MarkOfCopied;
            }
        }
    }

    /// <summary>Whether a marked page reads as zero also without a frame.</summary>
    private bool IsZeroAnyway(PinnedRange range, int index)
    {
        var page = range.FirstPage + (ulong)index;
        return range.Marks[index] != PinnedRange.MarkOfCopied && Locate(page, range.LeafOf(page)).Place == 0 && range.IsZero(index);
    }

    private void MoveOutChanged(PinnedRange range, int index)
    {
        if (!_pool.TryTake(out var frame))
        {
            throw new UnreachableException("A frame was restored to the pool, and is not there.");
        }

        range.Content(index, 1).CopyTo(_pool.Span(frame));
        var page = range.FirstPage + (ulong)index;
        var leaf = range.LeafOf(page);
        _infos[leaf].Children++;
        Install(frame, page, leaf);
        _infos[frame].State = _dirtyState;
        _pool.Append(ref _dirty[0], frame);
    }
}
