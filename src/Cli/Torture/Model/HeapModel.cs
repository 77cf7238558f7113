using System.Collections.Immutable;

namespace Everheap.Cli.Torture.Model;

/// <summary>A checkpoint that is retained, or the latest.</summary>
/// <param name="Content">What it holds.</param>
internal sealed record CheckpointModel(HeapContent Content)
{
    /// <summary>The name it was retained under.</summary>
    public string? Name { get; init; }

    /// <summary>Whether it was retained one by one, against any policy.</summary>
    public bool IsHeld { get; init; }

    /// <summary>Whether a snapshot of it is open.</summary>
    public bool IsPinned { get; init; }

    /// <summary>A snapshot alone kept it, and was closed: the store drops it when it comes to that.</summary>
    public bool MayBeGone { get; init; }
}

/// <summary>What a heap is, as far as it is durable. Immutable: each operation that is durable when it returns makes another.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Latest">The number of its latest checkpoint.</param>
/// <param name="Checkpoints">Those that can be opened, by number; the latest is the last.</param>
internal sealed record HeapModel(string Name, long Latest, ImmutableSortedDictionary<long, CheckpointModel> Checkpoints)
{
    /// <summary>The newest so many are retained.</summary>
    public int KeepLast { get; init; } = 1;

    /// <summary>All are retained, by age: none is old enough to go.</summary>
    public bool KeepsAll { get; init; }

    /// <summary>The heap that it was forked from.</summary>
    public string? OriginName { get; init; }

    /// <summary>The checkpoint that it was forked from.</summary>
    public long OriginCheckpoint { get; init; }

    /// <summary>Whether that is left open: it is any of several.</summary>
    public bool IsOriginOpen { get; init; }

    /// <summary>The content of the latest checkpoint.</summary>
    public HeapContent Content => Checkpoints[Latest].Content;

    /// <summary>A heap with its first checkpoint.</summary>
    public static HeapModel First(string name, HeapContent content) =>
        new(name, 1, ImmutableSortedDictionary<long, CheckpointModel>.Empty.Add(1, new CheckpointModel(content)));

    /// <summary>The next checkpoint is made.</summary>
    public HeapModel Advance(HeapContent content)
    {
        CheckpointModel latest = Checkpoints[Latest];
        ImmutableSortedDictionary<long, CheckpointModel> kept =
            latest.IsHeld || latest.IsPinned || KeepsAll || KeepLast > 1 ? Checkpoints : Checkpoints.Remove(Latest);
        return (this with { Latest = Latest + 1, Checkpoints = kept.Add(Latest + 1, new CheckpointModel(content)) }).Pruned();
    }

    /// <summary>A new checkpoint with the content of an older one is made.</summary>
    public HeapModel Revert(long number) => Advance(Checkpoints[number].Content);

    /// <summary>A checkpoint is retained one by one.</summary>
    public HeapModel Retain(long number, string? name) =>
        With(number, checkpoint => checkpoint with { IsHeld = true, Name = name ?? checkpoint.Name });

    /// <summary>The policy changes.</summary>
    public HeapModel WithRetention(int keepLast, bool keepsAll) => (this with { KeepLast = keepLast, KeepsAll = keepsAll }).Pruned();

    /// <summary>A retained checkpoint is dropped.</summary>
    public HeapModel Drop(long number) => this with { Checkpoints = Checkpoints.Remove(number) };

    /// <summary>Another heap starts as a checkpoint of this.</summary>
    public HeapModel Fork(long number, string name) => new(
        name, number, ImmutableSortedDictionary<long, CheckpointModel>.Empty.Add(number, new CheckpointModel(Checkpoints[number].Content)))
    {
        KeepLast = KeepLast,
        KeepsAll = KeepsAll,
        OriginName = Name,
        OriginCheckpoint = number,
    };

    /// <summary>A snapshot of a checkpoint is opened.</summary>
    public HeapModel Pin(long number) => With(number, checkpoint => checkpoint with { IsPinned = true });

    /// <summary>The snapshot of a checkpoint is closed.</summary>
    public HeapModel Unpin(long number) => Checkpoints.ContainsKey(number)
        ? With(number, checkpoint => checkpoint with { IsPinned = false, MayBeGone = number != Latest && !IsWanted(number, checkpoint with { IsPinned = false }) })
        : this;

    /// <summary>
    /// The process is gone, and its snapshots with it; which checkpoints are there is known. One that a snapshot alone had kept goes when the store next comes to look.
    /// </summary>
    /// <param name="found">The numbers of the checkpoints that are there.</param>
    public HeapModel Settled(IEnumerable<long> found)
    {
        HashSet<long> numbers = [.. found];
        return Checkpoints.Keys.Aggregate(this, (state, number) => numbers.Contains(number) ? state.Unpin(number) : state.Drop(number));
    }

    private HeapModel Pruned() => this with { Checkpoints = Checkpoints.RemoveRange(Checkpoints.Where(pair => pair.Key != Latest && !IsWanted(pair.Key, pair.Value)).Select(pair => pair.Key)) };

    private bool IsWanted(long number, CheckpointModel checkpoint) =>
        checkpoint.IsHeld || checkpoint.IsPinned || KeepsAll || number + KeepLast > Latest;

    private HeapModel With(long number, Func<CheckpointModel, CheckpointModel> change) =>
        this with { Checkpoints = Checkpoints.SetItem(number, change(Checkpoints[number])) };
}
