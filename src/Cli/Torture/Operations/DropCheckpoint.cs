using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Drops a retained checkpoint.</summary>
internal sealed class DropCheckpoint(HeapTrack heap, long number) : DurableOperation(heap)
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.DropCheckpoint;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply) =>
        lane.Session.Store.DropCheckpoint(request.ReadString(), request.ReadInt64());

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(Heap.Name);
        request.Write(number);
    }

    /// <inheritdoc/>
    protected override HeapModel? Next() => Heap.Newest!.Drop(number);
}
