using System.Diagnostics;
using System.Runtime.CompilerServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

// Taking frames back: a clock that counts. Taking a page's translation entries away is clearing its reference bit; a page whose entries are gone when the hand comes
// round again, and which was not found used in many rounds before, is a victim. Called under the gate, by the mutator.
internal sealed unsafe partial class Pager
{
    /// <summary>Dirty victims are written this many at a time, side by side, so that one write serves many faults.</summary>
    private const int BatchPages = 64;

    /// <summary>How far the hand goes on to fill a batch, in frames.</summary>
    private const int BatchScanFrames = 4 * BatchPages;

    /// <summary>
    /// Times the hand goes round before giving up: once to take references away, so often until a page's uses are counted down, once for pages, and once for each level of
    /// nodes that became childless by that.
    /// </summary>
    private const int RevolutionsMax = 2 + (Frame.UsesMax - 1) + FileLayout.NodeLevels;

    private readonly int[] _batch = new int[BatchPages];
    private int _hand;

    /// <summary>Whether the writer was resumed because frames ran out, and neither has finished nor stalled again since.</summary>
    private bool _isResumedForFrames;

    /// <summary>A frame to fill. Waits for the checkpoint writer if everything else is in its hands.</summary>
    private int TakeFrame()
    {
        int frame;
        while (!TryTakeFrame(out frame))
        {
            WaitForWriter();
        }

        return frame;
    }

    /// <summary>A frame to fill, if one is free or can be made so without waiting for the checkpoint writer.</summary>
    private bool TryTakeFrame(out int frame) => _pool.TryTake(out frame) || (TryEvict() && _pool.TryTake(out frame));

    /// <summary>A frame to fill, if one is free or a Clean one that nobody uses is near.</summary>
    private bool TryTakeFrameCheaply(out int frame)
    {
        if (_pool.TryTake(out frame))
        {
            return true;
        }

        for (var step = 0; step < BatchPages; step++)
        {
            frame = AdvanceHand();
            if (IsCleanVictim(frame))
            {
                Evict(frame);
                return _pool.TryTake(out frame);
            }
        }

        return false;
    }

    /// <summary>Frees at least one frame.</summary>
    private bool TryEvict()
    {
        var batchMax = Math.Min(BatchPages, _pool.Circulating / 16);
        var batched = 0;
        var freed = false;
        var stop = (long)_pool.Touched * RevolutionsMax;
        for (long step = 0; step < stop && !(freed && batched == 0); step++)
        {
            var frame = AdvanceHand();
            ref var info = ref _infos[frame];
            if (info.State == FrameState.Free || info.State == _sealedState || info.Children != 0 || (info.Flags & FrameFlags.Pinned) != 0)
            {
                continue;
            }

            if (TakeReference(frame))
            {
                continue;
            }

            var isPage = FrameKey.Level(info.Key) == 0;
            if (info.State == FrameState.Clean)
            {
                Evict(frame);
                freed = true;
            }
            else if (!isPage)
            {
                if (!_isMapSealed && !_channel.IsFailed)
                {
                    WriteOutNode(frame);
                    Evict(frame);
                    freed = true;
                }
            }
            else if (CanWriteOut(frame, batched))
            {
                if (batched == 0)
                {
                    stop = Math.Min(stop, step + BatchScanFrames);
                }

                info.Flags |= FrameFlags.Pinned; // so that the hand does not take it twice
                _batch[batched++] = frame;
                if (batched == batchMax)
                {
                    break;
                }
            }
        }

        if (batched > 0)
        {
            WriteOutBatch(batched);
            freed = true;
        }

        return freed;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int AdvanceHand()
    {
        var frame = _hand;
        _hand = frame + 1 == _pool.Touched ? 0 : frame + 1;
        return frame;
    }

    /// <summary>
    /// Takes away what says that a frame was used since the hand came by last. True if anything did, or if it was used so often before that it is spared all the same.
    /// </summary>
    /// <remarks>
    /// Found used in one round, a page is spared that time. Found used in several, it is spared as many times more, less one: what is used often outlives what was used just now.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TakeReference(int frame)
    {
        ref var info = ref _infos[frame];
        var wasUsed = (info.Flags & FrameFlags.Referenced) != 0;
        var wasNew = (info.Flags & FrameFlags.New) != 0;
        info.Flags &= ~(FrameFlags.Referenced | FrameFlags.New);
        if (FrameKey.Level(info.Key) != 0)
        {
            return wasUsed;
        }

        wasUsed |= ClearEntries(info.Key);
        if (wasUsed)
        {
            // The entry of a page that is new is there because it was loaded.
            info.Uses += (byte)(wasNew || info.Uses == Frame.UsesMax ? 0 : 1);
            return true;
        }

        if (info.Uses <= 1)
        {
            return false;
        }

        info.Uses--;
        return true;
    }

    /// <summary>Whether a frame can be freed without writing anything, and was not used; if it was, it says so no more.</summary>
    private bool IsCleanVictim(int frame)
    {
        ref var info = ref _infos[frame];
        return info.State == FrameState.Clean && info.Children == 0 && (info.Flags & FrameFlags.Pinned) == 0 && !TakeReference(frame);
    }

    /// <summary>Notes that a page is used other than through a translation table.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void NoteUse(int frame)
    {
        ref var info = ref _infos[frame];
        info.Flags = (info.Flags & FrameFlags.New) != 0 ? info.Flags & ~FrameFlags.New : info.Flags | FrameFlags.Referenced;
    }

    /// <summary>Frees a Clean frame that no table has an entry of.</summary>
    private void Evict(int frame)
    {
        Remove(frame);
        _evictions++;
    }

    /// <summary>Takes a Clean frame out of everything.</summary>
    private void Remove(int frame)
    {
        _index.Remove(frame);
        var parent = _infos[frame].Parent;
        if (parent >= 0)
        {
            _infos[parent].Children--;
        }

        _pool.Return(frame);
    }

    /// <summary>Whether a dirty page can be written now, and its new place be noted.</summary>
    private bool CanWriteOut(int frame, int batched)
    {
        if (_channel.IsFailed)
        {
            return false;
        }

        return !_isMapSealed || CanDefer(_infos[frame].Parent, batched);
    }

    /// <summary>Writes dirty pages to fresh places, as few runs as can be had, and frees their frames.</summary>
    private void WriteOutBatch(int count)
    {
        try
        {
            var written = WriteOutInPlace(count);
            while (written < count)
            {
                var place = AllocateCurrent(count - written, out var run);
                for (var i = 0; i < run; i++)
                {
                    _pool.Span(_batch[written + i]).CopyTo(Staged(i));
                }

                _channel.Write((long)(place << FileLayout.PageShift), new ReadOnlySpan<byte>(_staging.Start, run << FileLayout.PageShift));
                for (var i = 0; i < run; i++)
                {
                    var frame = _batch[written + i];
                    SetPlace(frame, new MapEntry { Place = place + (uint)i, Checksum = DiskView.Hash(Staged(i)) });
                    EvictWrittenOut(frame);
                }

                written += run;
                _epochEvictedPages += run;
                CountWrittenOut(run);
            }
        }
        catch
        {
            for (var i = 0; i < count; i++)
            {
                _infos[_batch[i]].Flags &= ~FrameFlags.Pinned;
            }

            throw;
        }
    }

    /// <summary>
    /// Those of a batch that were evicted in this epoch before are written to the places they got then, which no root reaches: what the
    /// system has not written to the disk yet it then need not write twice, and the file does not grow. They go to the front of the batch.
    /// </summary>
    /// <returns>How many they were.</returns>
    private int WriteOutInPlace(int count)
    {
        var done = 0;
        for (var i = 0; i < count; i++)
        {
            var frame = _batch[i];
            var entry = CurrentEntry(frame);
            if (entry->Place == 0 || !_space!.IsFresh(_delta, entry->Place))
            {
                continue;
            }

            var content = _pool.Span(frame);
            _channel.Write((long)(entry->Place << FileLayout.PageShift), content);
            entry->Checksum = DiskView.Hash(content);
            MarkDirtyUnlessDeferred(entry, frame);
            EvictWrittenOut(frame);
            _batch[i] = _batch[done];
            _batch[done++] = frame;
        }

        CountWrittenOut(done);
        return done;
    }

    private void EvictWrittenOut(int frame)
    {
        _pool.Remove(ref _dirty[0], frame);
        _infos[frame].State = FrameState.Clean;
        Evict(frame);
    }

    private void CountWrittenOut(int pages)
    {
        _dirtyEvictions += pages;
        _epochEvictedBytes += (long)pages << FileLayout.PageShift;
    }

    /// <summary>Writes a dirty node to a fresh place. The map is the current epoch's.</summary>
    private void WriteOutNode(int frame)
    {
        ref var info = ref _infos[frame];
        var level = FrameKey.Level(info.Key);
        var content = _pool.Span(frame);
        MapEntry entry = default;
        if (content.IndexOfAnyExcept((byte)0) >= 0)
        {
            entry.Place = AllocateCurrent(1, out _);
            entry.Checksum = DiskView.Hash(content);
            _channel.Write((long)(entry.Place << FileLayout.PageShift), content);
            _dirtyEvictions++;
            _epochEvictedBytes += FileLayout.PageSize;
        }

        SetCurrentEntry(info.Parent, (int)(FrameKey.Index(info.Key) & (FileLayout.NodeEntries - 1)), entry);
        _pool.Remove(ref _dirty[level], frame);
        info.State = FrameState.Clean;
    }

    private Span<byte> Staged(int index) => new(_staging.Start + ((long)index << FileLayout.PageShift), FileLayout.PageSize);

    /// <summary>Has a writer that stalled for want of room go on. Called under the gate, by the mutator; null where there is no writer.</summary>
    public Action? ResumeStalled { get; set; }

    /// <summary>Lets go of the gate until the checkpoint writer has got on. The writer never waits for the mutator, so it does.</summary>
    private void WaitForWriter()
    {
        if (!_isWriterActive)
        {
            _channel.ThrowIfFailed();
            if (_stalled is { } full)
            {
                // There may be room by now. If it stalls again, there is not.
                if (_isResumedForFrames || ResumeStalled is null)
                {
                    _isResumedForFrames = false;
                    throw new HeapFullException(full.Message);
                }

                _isResumedForFrames = true;
                ResumeStalled();
            }
            else
            {
                throw new HeapException(
                    $"{_channel.Name}: the budget of {(long)_pool.Count << FileLayout.PageShift} bytes is too small for what is needed at once. Open the store with more.");
            }
        }

        var start = Stopwatch.GetTimestamp();
        Monitor.Wait(_gate);
        CountStall(start);
    }
}
