using FsCheck;
using FsCheck.Fluent;

namespace Everheap.Engine.Tests.Properties;

/// <summary>Commands in a row: generated, made simpler when they fail, and said whole when they are the simplest that do.</summary>
internal sealed record StoreCommandList(IReadOnlyList<StoreCommand> Commands)
{
    private const int ValueMax = 400;

    /// <summary>Lists of commands, and simpler lists for one that fails: shorter ones first, then such with smaller numbers.</summary>
    public static Arbitrary<StoreCommandList> Any
    {
        get
        {
            Gen<StoreCommand> command =
                from action in Gen.Frequency(Weights.Select(weight => (weight.Weight, Gen.Constant(weight.Action))))
                from store in Gen.Frequency((4, Gen.Constant(0)), (1, Gen.Constant(1)))
                from heap in Gen.Frequency((5, Gen.Constant(0)), (2, Gen.Constant(1)), (2, Gen.Choose(2, StoreSide.NameCount - 1)))
                from checkpoint in Gen.Frequency((3, Gen.Choose(0, 4).Select(n => 2 * n)), (1, Gen.Choose(0, 9)))
                from value in Gen.Choose(0, ValueMax)
                select new StoreCommand(action, store, heap, checkpoint, value);
            return Arb.From(command.ListOf().Select(commands => new StoreCommandList([.. commands])), list => list.Simpler());
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
        (8, StoreAction.SetRetention),
        (3, StoreAction.DropCheckpoint),
        (2, StoreAction.DropHeap),
        (4, StoreAction.OpenSnapshot),
        (3, StoreAction.CloseSnapshot),
        (4, StoreAction.Compare),
        (3, StoreAction.Reclaim),
        (2, StoreAction.Compact),
        (3, StoreAction.Reopen),
        (6, StoreAction.SendWhole),
        (10, StoreAction.SendDifference),
    ];

    /// <inheritdoc/>
    public override string ToString() => string.Concat(Commands.Select(command => $"{Environment.NewLine}  {command}"));

    private IEnumerable<StoreCommandList> Simpler()
    {
        foreach (IReadOnlyList<StoreCommand> shorter in Commands.Shorter())
        {
            yield return new StoreCommandList(shorter);
        }

        for (int i = 0; i < Commands.Count; i++)
        {
            foreach (StoreCommand simpler in Commands[i].Simpler())
            {
                yield return new StoreCommandList([.. Commands.Take(i), simpler, .. Commands.Skip(i + 1)]);
            }
        }
    }
}
