namespace Everheap.Engine;

/// <summary>How the file of a store is used, now.</summary>
/// <param name="FileBytes">Its length, in bytes, as far as the store uses it.</param>
/// <param name="UsedBytes">What the newest durable root reaches: heaps, retained checkpoints, what waits to be reclaimed, the catalog and the allocator's own pages.</param>
/// <param name="HeldBytes">What cannot be given out although that root does not reach it: it is needed by the root before, or belongs to epochs that are not committed.</param>
/// <param name="SharedPages">Pages that more than one heap, checkpoint or node refers to.</param>
/// <param name="ReclaimPending">Dropped trees and parts of trees that are not worked off yet.</param>
public sealed record SpaceStatistics(long FileBytes, long UsedBytes, long HeldBytes, long SharedPages, long ReclaimPending);
