namespace Everheap.Engine;

/// <summary>
/// Counts since the store was opened. Hits are not counted: they never leave compiled code.
/// The same figures are published by the meter <c>Everheap.Engine</c>.
/// </summary>
public sealed record HeapStatistics
{
    /// <summary>Pages loaded from the file.</summary>
    public long Faults { get; init; }

    /// <summary>Nodes of the page map loaded from the file.</summary>
    public long MapFaults { get; init; }

    /// <summary>Slow-path calls that found their page resident.</summary>
    public long SoftFaults { get; init; }

    /// <summary>Pages and map nodes that gave up their frames.</summary>
    public long Evictions { get; init; }

    /// <summary>Pages and map nodes written between checkpoints so that their frames could be given up.</summary>
    public long DirtyEvictions { get; init; }

    /// <summary>Pages copied because a sealed page was written to before its checkpoint had written it.</summary>
    public long SealedCopies { get; init; }

    /// <summary>Pages of pinned ranges that a seal copied aside.</summary>
    public long PinnedCopies { get; init; }

    /// <summary>Pages of pinned ranges that a seal had to write, as there were no frames to copy them to: these make a pause long.</summary>
    public long PinnedWrites { get; init; }

    /// <summary>Pages in pinned ranges, now. They count among <see cref="ResidentFrames"/>.</summary>
    public long PinnedPages { get; init; }

    /// <summary>Pages that are resident and changed since the last seal, now.</summary>
    public long DirtyPages { get; init; }

    /// <summary>Bytes of <see cref="DirtyPages"/>.</summary>
    public long DirtyBytes { get; init; }

    /// <summary>Frames in use, now: pages, those in pinned ranges included, and nodes of the page map.</summary>
    public long ResidentFrames { get; init; }

    /// <summary>Frames the budget allows.</summary>
    public long FrameCount { get; init; }

    /// <summary>Bytes written to the medium.</summary>
    public long BytesWritten { get; init; }

    /// <summary>Bytes read from the medium.</summary>
    public long BytesRead { get; init; }

    /// <summary>Checkpoints made durable.</summary>
    public long Checkpoints { get; init; }

    /// <summary>The pause of the last seal.</summary>
    public TimeSpan LastPause { get; init; }

    /// <summary>The longest pause of a seal.</summary>
    public TimeSpan MaxPause { get; init; }

    /// <summary>The last checkpoint's time from seal to durable.</summary>
    public TimeSpan LastDuration { get; init; }

    /// <summary>The longest time from seal to durable.</summary>
    public TimeSpan MaxDuration { get; init; }

    /// <summary>How long the mutator waited, in all, for the checkpoint writer: for a frame, for room, or for the previous checkpoint.</summary>
    public TimeSpan StallTime { get; init; }
}
