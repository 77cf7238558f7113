using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Operations;

namespace Everheap.Cli.Torture.Workload;

/// <summary>Draws what a lane does next, out of what can be done to its heaps as they are.</summary>
/// <param name="model">What is known of the store.</param>
/// <param name="limits">How much it may hold.</param>
internal sealed class LanePlanner(StoreModel model, WorkloadLimits limits)
{
    private readonly PagePicker _pages = new(model, limits);

    /// <summary>Whether files may not grow now: no operation is drawn that leaves it unclear what was done if there is no room.</summary>
    public bool IsFull { get; set; }

    /// <summary>Whether the store holds about as much as it is to hold.</summary>
    public bool IsCrowded { get; set; }

    /// <summary>Draws an operation.</summary>
    /// <param name="lane">For whom.</param>
    /// <param name="wish">What kind it is to be, if that can be done now.</param>
    public Operation Next(Lane lane, OperationKind? wish = null)
    {
        HeapTrack[] heaps = [.. lane.HeapsOf(model)];
        if (heaps.FirstOrDefault(heap => heap.MustClose) is { } tainted)
        {
            return new CloseHeap(model, tainted);
        }

        if (heaps.Length == 0)
        {
            return new CreateHeap(model.NewHeap(lane.Prefix));
        }

        if (wish is { } wanted)
        {
            foreach (HeapTrack heap in heaps)
            {
                if (Draw(lane, heaps, heap, kind => kind == wanted ? 1 : 0) is { } operation)
                {
                    return operation;
                }
            }
        }

        while (true)
        {
            if (Draw(lane, heaps, heaps[lane.Random.Next(heaps.Length)], Weight) is { } operation)
            {
                return operation;
            }
        }
    }

    /// <summary>What has to be done before the lane has nothing going on; null if it has not.</summary>
    public Operation? Quieten(Lane lane) =>
        lane.HeapsOf(model).FirstOrDefault(heap => heap.PendingNumber > 0) is { } heap ? new AwaitCheckpoint(heap) : null;

    private int Weight(OperationKind kind) => kind switch
    {
        OperationKind.WritePages => IsFull ? 60 : IsCrowded ? 12 : 34,
        OperationKind.ClearPages => IsFull ? 0 : IsCrowded ? 8 : 4,
        OperationKind.AllocateRange => IsFull || IsCrowded ? 0 : 3,
        OperationKind.ReleaseRange => IsFull ? 0 : 2,
        OperationKind.ReadPages => 8,
        OperationKind.Checkpoint => IsFull ? 24 : 12,
        OperationKind.BeginCheckpoint => IsFull ? 0 : 10,
        OperationKind.AwaitCheckpoint => 8,
        OperationKind.CreateHeap => IsFull || IsCrowded ? 0 : 2,
        OperationKind.CloseHeap => 3,
        OperationKind.Retain => IsCrowded ? 1 : 4,
        OperationKind.SetRetention => 3,
        OperationKind.DropCheckpoint => IsCrowded ? 10 : 3,
        OperationKind.Fork => IsCrowded ? 0 : 5,
        OperationKind.ReceiveCheckpoint => IsCrowded ? 0 : 3,
        OperationKind.Revert => 3,
        OperationKind.DropHeap => IsCrowded ? 4 : 1,
        OperationKind.InspectCheckpoint => 3,
        OperationKind.HoldSnapshot => 3,
        OperationKind.ReleaseSnapshot => 4,
        OperationKind.CompareCheckpoints => 3,
        OperationKind.Reclaim => IsCrowded ? 6 : 3,
        OperationKind.Compact => 1,
        OperationKind.WriteNote => 3,
        OperationKind.Verify => 1,
        _ => 0,
    };

    private Operation? Draw(Lane lane, HeapTrack[] heaps, HeapTrack heap, Func<OperationKind, int> weight)
    {
        List<(OperationKind Kind, Func<Operation> Make)> choices = [.. Choices(lane, heaps, heap).Where(choice => weight(choice.Kind) > 0)];
        int draw = lane.Random.Next(Math.Max(choices.Sum(choice => weight(choice.Kind)), 1));
        foreach ((OperationKind kind, Func<Operation> make) in choices)
        {
            draw -= weight(kind);
            if (draw < 0)
            {
                return make();
            }
        }

        return null;
    }

    private IEnumerable<(OperationKind Kind, Func<Operation> Make)> Choices(Lane lane, HeapTrack[] heaps, HeapTrack heap)
    {
        Random random = lane.Random;
        yield return (OperationKind.WritePages, () => new WritePages(heap, _pages.ToWrite(heap, random), isPatch: random.Next(3) == 0));
        yield return (OperationKind.ReadPages, () => new ReadPages(heap, _pages.ToRead(heap, random)));
        yield return (OperationKind.Checkpoint, () => new MakeCheckpoint(heap));
        yield return (OperationKind.BeginCheckpoint, () => new BeginCheckpoint(heap));
        if (heap.Content.Pages.Count > 0 && heap.IsOpen)
        {
            yield return (OperationKind.ClearPages, () => PagePicker.ToClear(heap, random));
        }

        if (!heap.IsOpen || heap.Content.Ranges.Count < WorkloadLimits.RangesMax)
        {
            yield return (OperationKind.AllocateRange, () => new AllocateRange(heap, (ulong)(random.Next(8) == 0 ? 1 << 18 : random.Next(1, 48)), 1UL << random.Next(4)));
        }

        if (heap.IsOpen && heap.Content.Ranges.Count > 0)
        {
            yield return (OperationKind.ReleaseRange, () => new ReleaseRange(heap, heap.Content.Ranges.Keys.ElementAt(random.Next(heap.Content.Ranges.Count))));
        }

        if (heap.PendingNumber > 0)
        {
            yield return (OperationKind.AwaitCheckpoint, () => new AwaitCheckpoint(heap));
        }

        if (heap.IsOpen)
        {
            yield return (OperationKind.CloseHeap, () => new CloseHeap(model, heap));
        }

        if (heaps.Length < WorkloadLimits.HeapsPerLaneMax)
        {
            yield return (OperationKind.CreateHeap, () => new CreateHeap(model.NewHeap(lane.Prefix)));
        }

        if (lane.Number == 1)
        {
            yield return (OperationKind.WriteNote, () => new WriteNote(model));
            yield return (OperationKind.Verify, () => new VerifyStore());
        }

        yield return (OperationKind.Reclaim, () => new Reclaim(random.Next(4) == 0 ? random.Next(1, 64) : 4096));
        yield return (OperationKind.Compact, () => new CompactStore());
        if (heap.Durable is { } durable)
        {
            foreach ((OperationKind, Func<Operation>) choice in HistoryChoices(lane, heaps, heap, durable))
            {
                yield return choice;
            }
        }
    }

    /// <summary>What can be done to checkpoints that are durable.</summary>
    private IEnumerable<(OperationKind Kind, Func<Operation> Make)> HistoryChoices(Lane lane, HeapTrack[] heaps, HeapTrack heap, HeapModel durable)
    {
        Random random = lane.Random;

        // While a checkpoint is being written it is not known when the policy drops others: those that are held stay.
        bool isQuiet = heap.PendingNumber == 0;
        long[] certain = [.. durable.Checkpoints.Where(pair => !pair.Value.MayBeGone && (isQuiet || pair.Value.IsHeld)).Select(pair => pair.Key)];
        if (certain.Length > 0)
        {
            yield return (OperationKind.InspectCheckpoint, () => new InspectCheckpoint(heap, Pick(certain, random)));
            if (heaps.Length <= WorkloadLimits.HeapsPerLaneMax)
            {
                yield return (OperationKind.Fork, () => new Fork(model, heap, Pick(certain, random), model.NewHeap(lane.Prefix)));
            }

            HeapTrack other = heaps[random.Next(heaps.Length)];
            if (other.PendingNumber == 0 && other.Durable is { } otherDurable)
            {
                long[] others = [.. otherDurable.Checkpoints.Where(pair => !pair.Value.MayBeGone).Select(pair => pair.Key)];
                yield return (OperationKind.CompareCheckpoints, () => new CompareCheckpoints(heap, Pick(certain, random), other, Pick(others, random)));
            }
        }

        if (heap.HeldSnapshot > 0)
        {
            yield return (OperationKind.ReleaseSnapshot, () => new ReleaseSnapshot(heap));
        }

        if (!isQuiet)
        {
            yield break;
        }

        if (heaps.Length <= WorkloadLimits.HeapsPerLaneMax)
        {
            yield return (OperationKind.ReceiveCheckpoint, () => Receive(lane, heap, certain));
        }

        yield return (OperationKind.Revert, () => new Revert(heap, Pick(certain, random)));
        yield return (OperationKind.SetRetention, () => new SetRetention(heap, random.Next(1, 6), keepsAll: durable.Checkpoints.Count < WorkloadLimits.RetainedMax && random.Next(6) == 0));
        if (durable.Checkpoints.Count < WorkloadLimits.RetainedMax)
        {
            yield return (OperationKind.Retain, () => new Retain(heap, Pick(certain, random), random.Next(2) == 0 ? $"name {model.NextWrite()}" : null));
        }

        long[] droppable = [.. certain.Where(number => number != durable.Latest && number != heap.HeldSnapshot)];
        if (droppable.Length > 0)
        {
            yield return (OperationKind.DropCheckpoint, () => new DropCheckpoint(heap, Pick(droppable, random)));
        }

        if (heap.HeldSnapshot == 0)
        {
            yield return (OperationKind.HoldSnapshot, () => new HoldSnapshot(heap));
            if (heaps.Length > 1)
            {
                yield return (OperationKind.DropHeap, () => new DropHeap(model, heap));
            }
        }
    }

    /// <summary>A transfer that broke off, once more; or a new one.</summary>
    private ReceiveCheckpoint Receive(Lane lane, HeapTrack heap, long[] certain)
    {
        foreach ((string name, TransferModel transfer) in model.Transfers)
        {
            if (transfer.OriginName == heap.Name && certain.Contains(transfer.ToNumber) && (transfer.FromNumber == 0 || certain.Contains(transfer.FromNumber)))
            {
                return new ReceiveCheckpoint(model, heap, transfer, model.Track(name));
            }
        }

        long to = Pick(certain, lane.Random);
        long[] older = [.. certain.Where(number => number < to)];
        long from = older.Length > 0 && lane.Random.Next(3) > 0 ? Pick(older, lane.Random) : 0;
        return new ReceiveCheckpoint(model, heap, new TransferModel(heap.Name, from, to), model.NewHeap(lane.Prefix));
    }

    private static long Pick(long[] numbers, Random random) => numbers[random.Next(numbers.Length)];
}
