namespace Everheap.Engine;

/// <summary>One checkpoint, as its heap's history tells of it.</summary>
/// <param name="Number">Its number: 1 for the heap's first, then one more each; a fork goes on from its origin's.</param>
/// <param name="Time">When it was sealed, UTC.</param>
/// <param name="Pages">Pages of the heap that were written for it, evictions since the previous one included.</param>
/// <param name="Bytes">Bytes written to the file for it: pages and page map. (The commit adds some pages of catalog and allocator, and the root.)</param>
/// <param name="Pause">How long the mutator was stopped for the seal.</param>
/// <param name="Duration">From the seal until it was durable. In a history read from the file, until just before its root was written.</param>
public sealed record CheckpointInfo(long Number, DateTimeOffset Time, long Pages, long Bytes, TimeSpan Pause, TimeSpan Duration)
{
    /// <summary>The name it was retained under; null if it has none.</summary>
    public string? Name { get; init; }

    /// <summary>
    /// Identifies what it holds, in every store that has it: forks, reverts and transfers keep it. Two checkpoints with the same id have the same content; two with
    /// different ids may have, too.
    /// </summary>
    public Guid ContentId { get; init; }

    /// <summary>Whether it can be opened: it is the latest, or is retained. Otherwise only this is remembered of it.</summary>
    public bool IsRetained { get; init; }

    /// <summary>Whether it is kept until it is dropped, whatever the heap's retention policy says.</summary>
    public bool IsHeld { get; init; }
}

/// <summary>A root slot that was refused when the store was opened.</summary>
/// <param name="Slot">The index of the slot.</param>
/// <param name="FileOffset">Where it is in the file, in bytes.</param>
/// <param name="Sequence">The checkpoint number it claims, or -1 if nothing in it can be believed.</param>
/// <param name="Reason">Why it was refused.</param>
public sealed record SkippedRoot(int Slot, long FileOffset, long Sequence, string Reason);
