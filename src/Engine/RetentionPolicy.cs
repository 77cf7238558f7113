namespace Everheap.Engine;

/// <summary>
/// Which checkpoints of a heap are retained, that is, can be opened, forked and reverted to, beside the latest: those that either rule names, and those that were
/// retained one by one (<see cref="HeapStore.Retain"/>).
/// </summary>
/// <remarks>A retained checkpoint costs the space of the pages that have changed since. The rules are applied with each checkpoint of the heap.</remarks>
public sealed record RetentionPolicy
{
    /// <summary>The latest alone: nothing is shared, nothing is counted. What a heap is created with.</summary>
    public static readonly RetentionPolicy LatestOnly = new();

    /// <summary>The most that <see cref="KeepLast"/> can be.</summary>
    public const int KeepLastMax = 100_000;

    /// <summary>The newest so many are retained, the latest counted: 1 to <see cref="KeepLastMax"/>.</summary>
    public int KeepLast { get; init; } = 1;

    /// <summary>
    /// Those are retained that are younger than this, by their times of sealing and the time of the latest; zero: age counts for nothing. Times are the clock's: one that jumps far
    /// ahead makes all of them old. What must not go by the clock is kept by <see cref="KeepLast"/> or by name.
    /// </summary>
    public TimeSpan KeepFor { get; init; }
}
