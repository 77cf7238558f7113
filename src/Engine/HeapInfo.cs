namespace Everheap.Engine;

/// <summary>A heap of a store, as the newest durable root has it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Created">When it was created, UTC.</param>
/// <param name="LatestCheckpoint">The number of its latest checkpoint.</param>
/// <param name="MappedPages">Pages of its address space that hold something.</param>
/// <param name="OriginName">The heap that it was forked from; null if it was not, or if that heap is gone or in another store.</param>
/// <param name="OriginCheckpoint">The checkpoint that it was forked from, or received as from another store; 0 if neither.</param>
/// <param name="Retention">Which of its checkpoints are retained.</param>
public sealed record HeapInfo(
    string Name,
    DateTimeOffset Created,
    long LatestCheckpoint,
    long MappedPages,
    string? OriginName,
    long OriginCheckpoint,
    RetentionPolicy Retention)
{
    /// <summary>
    /// The number of the checkpoint from which the heap has gone a way of its own: that it was forked with or received as, or that the last revert made. 0 if it has gone straight
    /// on since it was created. If it is also the latest, the heap has made no checkpoint of its own on that way yet.
    /// </summary>
    public long BranchCheckpoint { get; init; }
}
