using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Drops what was received in part.</summary>
internal sealed class DropUnfinished(StoreModel model) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.DropUnfinished;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        foreach (UnfinishedReceive unfinished in HeapTransfer.GetUnfinished(lane.Session.Store))
        {
            HeapTransfer.DropUnfinished(lane.Session.Store, unfinished.HeapName);
        }
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply) => model.Transfers.Clear();
}
