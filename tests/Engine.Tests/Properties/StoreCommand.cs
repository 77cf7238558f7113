using FsCheck;
using FsCheck.Fluent;

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
    private const int ValueMax = 400;

    /// <summary>Lists of commands, and simpler lists for one that fails: shorter ones first, then such with smaller numbers.</summary>
    public static Arbitrary<List<StoreCommand>> Lists
    {
        get
        {
            Gen<StoreCommand> command =
                from action in Gen.Frequency(Weights.Select(weight => (weight.Weight, Gen.Constant(weight.Action))))
                from store in Gen.Frequency((4, Gen.Constant(0)), (1, Gen.Constant(1)))
                from heap in Gen.Frequency((3, Gen.Choose(0, 1)), (1, Gen.Choose(0, StoreSide.NameCount - 1)))
                from checkpoint in Gen.Frequency((3, Gen.Choose(0, 4).Select(n => 2 * n)), (1, Gen.Choose(0, 9)))
                from value in Gen.Choose(0, ValueMax)
                select new StoreCommand(action, store, heap, checkpoint, value);
            return Arb.From(command.ListOf().Select(list => list.ToList()), Simpler);
        }
    }

    private static IEnumerable<(int Weight, StoreAction Action)> Weights =>
    [
        (14, StoreAction.Write),
        (3, StoreAction.Clear),
        (14, StoreAction.Checkpoint),
        (2, StoreAction.CreateHeap),
        (2, StoreAction.OpenHeap),
        (4, StoreAction.CloseHeap),
        (5, StoreAction.Fork),
        (4, StoreAction.Revert),
        (4, StoreAction.Retain),
        (5, StoreAction.SetRetention),
        (3, StoreAction.DropCheckpoint),
        (2, StoreAction.DropHeap),
        (4, StoreAction.OpenSnapshot),
        (3, StoreAction.CloseSnapshot),
        (4, StoreAction.Compare),
        (3, StoreAction.Reclaim),
        (2, StoreAction.Compact),
        (3, StoreAction.Reopen),
        (4, StoreAction.SendWhole),
        (5, StoreAction.SendDifference),
    ];

    /// <inheritdoc/>
    public override string ToString() => $"{Action}(store {Store}, heap {Heap}, checkpoint {Checkpoint}, value {Value})";

    private static IEnumerable<List<StoreCommand>> Simpler(List<StoreCommand> commands)
    {
        for (int length = (commands.Count + 1) / 2; length > 0; length = length == 1 ? 0 : (length + 1) / 2)
        {
            for (int start = 0; start < commands.Count; start += length)
            {
                yield return [.. commands.Take(start), .. commands.Skip(start + length)];
            }
        }

        for (int i = 0; i < commands.Count; i++)
        {
            foreach (StoreCommand simpler in Simpler(commands[i]))
            {
                yield return [.. commands.Take(i), simpler, .. commands.Skip(i + 1)];
            }
        }
    }

    private static IEnumerable<StoreCommand> Simpler(StoreCommand command)
    {
        foreach (int number in Smaller(command.Store))
        {
            yield return command with { Store = number };
        }

        foreach (int number in Smaller(command.Heap))
        {
            yield return command with { Heap = number };
        }

        foreach (int number in Smaller(command.Checkpoint))
        {
            yield return command with { Checkpoint = number };
        }

        foreach (int number in Smaller(command.Value))
        {
            yield return command with { Value = number };
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
