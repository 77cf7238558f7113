namespace Everheap.Engine.Transfer;

/// <summary>How a checkpoint is sent.</summary>
public sealed record SendOptions
{
    /// <summary>Where a transfer that broke off goes on, as the receiver says; null: from the start.</summary>
    public TransferResumePoint? ResumeFrom { get; init; }

    /// <summary>
    /// Whether the heap's note (<see cref="PersistentHeap.WriteNote"/>) is sent, too, as it is when the pages have been sent: the heap moves, and is not only copied. It is
    /// for whoever receives to decide what becomes of it.
    /// </summary>
    public bool IncludesNote { get; init; }
}

/// <summary>How a checkpoint is received.</summary>
public sealed record ReceiveOptions
{
    /// <summary>The default of <see cref="SaveIntervalBytes"/>.</summary>
    public const long SaveIntervalBytesDefault = 64L << 20;

    /// <summary>The heap that is to have the checkpoint, 1 to <see cref="HeapStore.HeapNameBytesMax"/> bytes in UTF-8; null: named as the sender's.</summary>
    public string? HeapName { get; init; }

    /// <summary>
    /// The budget in bytes for pages that are on their way to the file, from <see cref="HeapStoreOptions.ResidentBytesMin"/> to
    /// <see cref="HeapStoreOptions.ResidentBytesMax"/>; null: the store's.
    /// </summary>
    public long? ResidentBytes { get; init; }

    /// <summary>After so many bytes of pages what has come is made durable, so that no more than that has to be sent again. At least one page.</summary>
    public long SaveIntervalBytes { get; init; } = SaveIntervalBytesDefault;
}

/// <summary>What was received.</summary>
/// <param name="HeapName">The heap.</param>
/// <param name="Checkpoint">Its new latest checkpoint.</param>
/// <param name="Added">Pages that the stream added.</param>
/// <param name="Changed">Pages that it changed.</param>
/// <param name="Removed">Pages that it removed.</param>
/// <param name="Bytes">Bytes of the stream.</param>
public sealed record ReceivedCheckpoint(string HeapName, CheckpointInfo Checkpoint, long Added, long Changed, long Removed, long Bytes)
{
    /// <summary>The note of the sender's heap, if it was sent; empty otherwise. It was not made the note of the heap here: <see cref="PersistentHeap.WriteNote"/> does that.</summary>
    public ReadOnlyMemory<byte> Note { get; init; }
}

/// <summary>A receive that broke off, of which something is kept.</summary>
/// <param name="HeapName">The heap that was to have the checkpoint.</param>
/// <param name="CheckpointNumber">The number of the checkpoint in the sender's heap.</param>
/// <param name="Pages">Pages received.</param>
/// <param name="ResumePoint">Where the sender is to go on.</param>
/// <param name="IsActive">Whether it is going on now.</param>
public sealed record UnfinishedReceive(string HeapName, long CheckpointNumber, long Pages, TransferResumePoint ResumePoint, bool IsActive);
