namespace Everheap.Engine.Tests.Properties;

/// <summary>What can be asked of a store, as <see cref="StoreProperties"/> asks for it.</summary>
internal enum StoreAction
{
    Write,
    Clear,
    Checkpoint,
    CreateHeap,
    OpenHeap,
    CloseHeap,
    Fork,
    Revert,
    Retain,
    SetRetention,
    DropCheckpoint,
    DropHeap,
    OpenSnapshot,
    CloseSnapshot,
    Compare,
    Reclaim,
    Compact,
    Reopen,
    SendWhole,
    SendDifference,
}

/// <summary>
/// One command. Its numbers choose among what there is when its turn comes, so it means something after any others, and commands can be left out of a list at will.
/// </summary>
/// <param name="Action">What.</param>
/// <param name="Store">Which of the two stores.</param>
/// <param name="Heap">Which of the heaps' names, whether there is a heap of that name or not.</param>
/// <param name="Checkpoint">Which checkpoint: even, the n-th newest of those that are retained; odd, also one that is not, or never was.</param>
/// <param name="Value">What else there is to choose: the larger, the more.</param>
internal sealed record StoreCommand(StoreAction Action, int Store, int Heap, int Checkpoint, int Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Action}(store {Store}, heap {Heap}, checkpoint {Checkpoint}, value {Value})";

    /// <summary>Simpler commands: with smaller numbers.</summary>
    public IEnumerable<StoreCommand> Simpler()
    {
        foreach (int number in Smaller(Store))
        {
            yield return this with { Store = number };
        }

        foreach (int number in Smaller(Heap))
        {
            yield return this with { Heap = number };
        }

        foreach (int number in Smaller(Checkpoint))
        {
            yield return this with { Checkpoint = number };
        }

        foreach (int number in Smaller(Value))
        {
            yield return this with { Value = number };
        }
    }

    private static IEnumerable<int> Smaller(int number)
    {
        for (int candidate = 0; candidate < number; candidate = (candidate + number + 1) / 2)
        {
            yield return candidate;
        }
    }
}
