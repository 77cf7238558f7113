using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Everheap.Engine.Tests.Model;

/// <summary>
/// What a store has to hold after one of its roots: its heaps, their histories, and the content of every checkpoint that can be opened. It never
/// changes; what the store does is said as functions from one model to the next.
/// </summary>
internal sealed record StoreModel
{
    /// <summary>The checkpoints of a heap that are remembered without being retained, the latest counted.</summary>
    private const int HistoryLengthMax = HeapStore.HistoryLengthMax;

    /// <summary>A store that was just created.</summary>
    public static readonly StoreModel Empty = new();

    /// <summary>The heaps that have a checkpoint, by name.</summary>
    public ImmutableSortedDictionary<string, ModelHeap> Heaps { get; private init; } = ImmutableSortedDictionary.Create<string, ModelHeap>(StringComparer.Ordinal);

    /// <summary>The heap of an id; null if there is none, or none any more.</summary>
    public ModelHeap? Find(int id) => Heaps.Values.FirstOrDefault(heap => heap.Id == id);

    /// <summary>A heap gets a checkpoint; its first one enters it into the store.</summary>
    public StoreModel Advance(ModelHeap identity, ModelCheckpoint checkpoint, IPins pins)
    {
        ModelHeap heap = Find(identity.Id) ?? identity;
        return With(heap.Retired(pins) with { Checkpoints = heap.Retired(pins).Checkpoints.Add(checkpoint) }).Pruned(identity.Id, pins);
    }

    /// <summary>A heap goes back to one of its checkpoints, which makes a new one.</summary>
    public StoreModel Revert(int id, long number, DateTime now, IPins pins)
    {
        ModelHeap heap = Find(id)!;
        HeapModel content = heap.Find(number)!.Content!;
        return Advance(heap, new ModelCheckpoint(heap.Number + 1, now, content), pins);
    }

    /// <summary>A checkpoint becomes a heap of its own.</summary>
    public StoreModel Fork(int id, long number, int newId, string newName, DateTime now)
    {
        ModelHeap origin = Find(id)!;
        ModelCheckpoint source = origin.Find(number)!;
        return With(new ModelHeap(newId, newName, now)
        {
            OriginId = id,
            OriginNumber = number,
            Retention = origin.Retention,
            Checkpoints = [new ModelCheckpoint(number, source.Time, source.Content)],
        });
    }

    /// <summary>A checkpoint that was sent becomes a heap that knows nothing of where it comes from.</summary>
    public StoreModel Receive(ModelCheckpoint sent, int newId, string newName, DateTime now) => With(new ModelHeap(newId, newName, now)
    {
        OriginNumber = sent.Number,
        Checkpoints = [new ModelCheckpoint(sent.Number, sent.Time, sent.Content)],
    });

    /// <summary>A heap goes, with all its checkpoints.</summary>
    public StoreModel Drop(int id) => this with { Heaps = Heaps.Remove(Find(id)!.Name) };

    /// <summary>A checkpoint is to be kept until it is dropped.</summary>
    public StoreModel Retain(int id, long number, string? name) =>
        With(Find(id)!.Replace(number, checkpoint => checkpoint with { IsHeld = true, Name = name ?? checkpoint.Name }));

    /// <summary>A checkpoint can no longer be opened.</summary>
    public StoreModel DropCheckpoint(int id, long number) => With(Find(id)!.Replace(number, checkpoint => checkpoint.Forgotten()));

    /// <summary>A heap keeps other checkpoints from now on.</summary>
    public StoreModel SetRetention(int id, RetentionPolicy policy, IPins pins) => With(Find(id)! with { Retention = policy }).Pruned(id, pins);

    /// <summary>Drops the checkpoints of a heap that its policy does not retain, and forgets those too old to be remembered.</summary>
    public StoreModel Pruned(int id, IPins pins)
    {
        if (Find(id) is not { } heap)
        {
            return this;
        }

        List<ModelCheckpoint> kept = [heap.Checkpoints[^1]];
        int remembered = 1;
        foreach (ModelCheckpoint checkpoint in heap.Checkpoints.SkipLast(1).Reverse())
        {
            if (checkpoint.IsRetained && heap.Wants(checkpoint, heap.Number, pins))
            {
                kept.Add(checkpoint);
            }
            else if (++remembered <= HistoryLengthMax)
            {
                kept.Add(checkpoint.Forgotten());
            }
        }

        kept.Reverse();
        return With(heap with { Checkpoints = [.. kept] });
    }

    /// <summary>All that is said of heaps and checkpoints, but for their content.</summary>
    public string Describe()
    {
        StringBuilder text = new();
        foreach (ModelHeap heap in Heaps.Values)
        {
            Line(text, heap.Name, heap.Created, heap.Number, Find(heap.OriginId)?.Name, heap.OriginNumber, heap.Retention);
            foreach (ModelCheckpoint checkpoint in heap.Checkpoints)
            {
                Line(text, checkpoint.Number, checkpoint.Time, checkpoint.Name, checkpoint.IsRetained, checkpoint.IsHeld);
            }
        }

        return text.ToString();
    }

    /// <summary>The same of a store.</summary>
    public static string Describe(HeapStore store)
    {
        StringBuilder text = new();
        foreach (HeapInfo heap in store.Heaps.OrderBy(heap => heap.Name, StringComparer.Ordinal))
        {
            Line(text, heap.Name, heap.Created.UtcDateTime, heap.LatestCheckpoint, heap.OriginName, heap.OriginCheckpoint, heap.Retention);
            foreach (CheckpointInfo checkpoint in store.History(heap.Name))
            {
                Line(text, checkpoint.Number, checkpoint.Time.UtcDateTime, checkpoint.Name, checkpoint.IsRetained, checkpoint.IsHeld);
            }
        }

        return text.ToString();
    }

    private static void Line(StringBuilder text, string name, DateTime created, long number, string? origin, long originNumber, RetentionPolicy retention) =>
        text.AppendLine(CultureInfo.InvariantCulture, $"{name}: {created:O} at {number}, of {origin ?? "nothing"} {originNumber}, keeps {retention.KeepLast} and {retention.KeepFor}");

    private static void Line(StringBuilder text, long number, DateTime time, string? name, bool isRetained, bool isHeld) =>
        text.AppendLine(CultureInfo.InvariantCulture, $"  {number} {time:O} {name}{(isRetained ? " retained" : "")}{(isHeld ? " held" : "")}");

    private StoreModel With(ModelHeap heap) => this with { Heaps = Heaps.SetItem(heap.Name, heap) };
}

/// <summary>Which checkpoints snapshots are open of: those are kept.</summary>
internal interface IPins
{
    public bool IsPinned(int heapId, long number);
}

/// <summary>A heap of a <see cref="StoreModel"/>. The id tells heaps of the same name apart that lived one after the other.</summary>
internal sealed record ModelHeap(int Id, string Name, DateTime Created)
{
    public int OriginId { get; init; }

    public long OriginNumber { get; init; }

    public RetentionPolicy Retention { get; init; } = RetentionPolicy.LatestOnly;

    /// <summary>Oldest first; the last is the latest.</summary>
    public ImmutableList<ModelCheckpoint> Checkpoints { get; init; } = [];

    public long Number => Checkpoints.IsEmpty ? 0 : Checkpoints[^1].Number;

    /// <summary>What the latest checkpoint holds.</summary>
    public HeapModel Content => Checkpoints[^1].Content!;

    /// <summary>Those that can be opened.</summary>
    public IEnumerable<ModelCheckpoint> Retained => Checkpoints.Where(checkpoint => checkpoint.IsRetained);

    public ModelCheckpoint? Find(long number) => Checkpoints.Find(checkpoint => checkpoint.Number == number);

    public ModelHeap Replace(long number, Func<ModelCheckpoint, ModelCheckpoint> change) =>
        this with { Checkpoints = Checkpoints.Replace(Find(number)!, change(Find(number)!)) };

    /// <summary>Whether an older checkpoint is kept when the latest has this number.</summary>
    public bool Wants(ModelCheckpoint checkpoint, long latest, IPins pins) =>
        checkpoint.IsHeld
        || pins.IsPinned(Id, checkpoint.Number)
        || checkpoint.Number + Retention.KeepLast > latest
        || (Retention.KeepFor > TimeSpan.Zero && Checkpoints[^1].Time - checkpoint.Time < Retention.KeepFor);

    /// <summary>The latest checkpoint becomes one of the older ones.</summary>
    public ModelHeap Retired(IPins pins) => Checkpoints.IsEmpty || Wants(Checkpoints[^1], Number + 1, pins)
        ? this
        : Replace(Number, checkpoint => checkpoint.Forgotten());
}

/// <summary>A checkpoint of a <see cref="StoreModel"/>.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Time">When it was sealed.</param>
/// <param name="Content">What it holds, never to be changed; null if it is only remembered.</param>
internal sealed record ModelCheckpoint(long Number, DateTime Time, HeapModel? Content)
{
    public bool IsRetained => Content is not null;

    public bool IsHeld { get; init; }

    public string? Name { get; init; }

    public ModelCheckpoint Forgotten() => new(Number, Time, null);
}
