using System.Runtime.CompilerServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

/// <summary>A list of frames, linked through <see cref="Frame.Next"/> and <see cref="Frame.Previous"/>. A frame is in one list at most.</summary>
internal struct FrameList
{
    public int First;
    public int Last;
    public int Count;

    public static FrameList Empty => new() { First = -1, Last = -1 };
}

/// <summary>All frames: one block of memory of exactly the budget, and 32 bytes beside each.</summary>
/// <remarks>
/// Invariant: frames in use and frames withdrawn are together never more than the budget. Frames never move. Memory is taken as frames are first used: a frame that
/// was used before is used again before one that was not. A frame that is withdrawn has no memory, so that what it was withdrawn for may have as much.
/// </remarks>
internal sealed unsafe class FramePool : IDisposable
{
    /// <summary>A budget from which on pages of 2 MiB are no waste.</summary>
    public const long HugePagesMin = 16L << 20;

    /// <summary>Frames that are used before pages of 2 MiB are asked for: 8 MiB. A heap that stays smaller takes what it uses, and no more.</summary>
    private const int SmallPagedFrames = 8 << (20 - FileLayout.PageShift);

    private readonly ReservedMemory _arena;
    private readonly ReservedMemory _infos;
    private readonly bool _wantsHugePages;
    private int _untouched;
    private int _limit;
    private FrameList _free = FrameList.Empty;
    private FrameList _withdrawn = FrameList.Empty;

    public FramePool(long bytes)
    {
        Count = (int)(bytes >> FileLayout.PageShift);
        _limit = Count;
        _wantsHugePages = bytes >= HugePagesMin;
        _arena = new ReservedMemory((long)Count << FileLayout.PageShift);
        _infos = new ReservedMemory((long)Count * sizeof(Frame));
        Infos = (Frame*)_infos.Start;
        Arena = _arena.Start;
    }

    /// <summary>How many frames there are.</summary>
    public int Count { get; }

    /// <summary>One per frame.</summary>
    public Frame* Infos { get; }

    /// <summary>The content of frame 0, then of frame 1, and so on.</summary>
    public byte* Arena { get; }

    /// <summary>Frames in use.</summary>
    public int Used { get; private set; }

    /// <summary>Frames that are not given out, because their share of the budget is used for something else.</summary>
    public int Withdrawn { get; private set; }

    /// <summary>Frames that are not withdrawn.</summary>
    public int Circulating => Count - Withdrawn;

    /// <summary>Frames that can be taken.</summary>
    public int Available => Circulating - Used;

    /// <summary>The frames that the clock has to look at: those below this were used at some time.</summary>
    public int Touched => _untouched;

    /// <summary>The content of a frame.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Content(int frame) => Arena + ((long)frame << FileLayout.PageShift);

    /// <summary>The content of a frame.</summary>
    public Span<byte> Span(int frame) => new(Content(frame), FileLayout.PageSize);

    /// <summary>Takes a free frame, if there is one. Its content is anything.</summary>
    public bool TryTake(out int frame)
    {
        frame = _free.First;
        if (frame >= 0)
        {
            Remove(ref _free, frame);
        }
        else if (_untouched < _limit)
        {
            frame = _untouched++;
            if (_untouched == SmallPagedFrames)
            {
                AllowHugePages();
            }
        }
        else
        {
            return false;
        }

        ref var info = ref Infos[frame];
        info = default;
        info.Next = info.Previous = info.Parent = -1;
        Used++;
        return true;
    }

    /// <summary>Gives a frame back; it is in no list.</summary>
    public void Return(int frame)
    {
        Infos[frame].State = FrameState.Free;
        Infos[frame].Flags = FrameFlags.None;
        Append(ref _free, frame);
        Used--;
    }

    /// <summary>Takes a free frame out of circulation, if there is one, and gives its memory back.</summary>
    public bool TryWithdraw()
    {
        if (_untouched < _limit)
        {
            _limit--;
        }
        else if (_free.First >= 0)
        {
            if (_withdrawn.Count == 0)
            {
                // A page of 2 MiB would have memory for the frames in it that are to have none.
                _arena.AllowHugePages(false);
            }

            var frame = _free.First;
            Remove(ref _free, frame);
            Append(ref _withdrawn, frame);
            _arena.GiveBack((long)frame << FileLayout.PageShift, FileLayout.PageSize);
        }
        else
        {
            return false;
        }

        Withdrawn++;
        return true;
    }

    /// <summary>Takes frames back into circulation.</summary>
    public void Restore(int count)
    {
        Withdrawn -= count;
        var touched = Math.Min(count, _withdrawn.Count);
        for (var i = 0; i < touched; i++)
        {
            var frame = _withdrawn.First;
            Remove(ref _withdrawn, frame);
            Append(ref _free, frame);
        }

        _limit += count - touched;
        if (touched > 0)
        {
            AllowHugePages();
        }
    }

    /// <summary>Gives the memory of free frames back, until they are used again.</summary>
    public void Trim()
    {
        for (var frame = 0; frame < _untouched;)
        {
            var end = frame;
            while (end < _untouched && Infos[end].State == FrameState.Free)
            {
                end++;
            }

            if (end > frame)
            {
                _arena.GiveBack((long)frame << FileLayout.PageShift, (long)(end - frame) << FileLayout.PageShift);
            }

            frame = end + 1;
        }
    }

    /// <summary>Gives all frames back at once; none is withdrawn.</summary>
    public void Clear()
    {
        _free = FrameList.Empty;
        Used = _untouched;
        for (var frame = 0; frame < _untouched; frame++)
        {
            Return(frame);
        }
    }

    /// <summary>Adds a frame to the end of a list.</summary>
    public void Append(ref FrameList list, int frame)
    {
        ref var info = ref Infos[frame];
        info.Next = -1;
        info.Previous = list.Last;
        if (list.Last >= 0)
        {
            Infos[list.Last].Next = frame;
        }
        else
        {
            list.First = frame;
        }

        list.Last = frame;
        list.Count++;
    }

    /// <summary>Takes a frame out of a list.</summary>
    public void Remove(ref FrameList list, int frame)
    {
        ref var info = ref Infos[frame];
        if (info.Previous >= 0)
        {
            Infos[info.Previous].Next = info.Next;
        }
        else
        {
            list.First = info.Next;
        }

        if (info.Next >= 0)
        {
            Infos[info.Next].Previous = info.Previous;
        }
        else
        {
            list.Last = info.Previous;
        }

        info.Next = info.Previous = -1;
        list.Count--;
    }

    private void AllowHugePages()
    {
        if (_wantsHugePages && _untouched >= SmallPagedFrames && _withdrawn.Count == 0)
        {
            _arena.AllowHugePages(true);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _arena.Dispose();
        _infos.Dispose();
    }
}
