using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Makes a heap that starts as a checkpoint of another.</summary>
internal sealed class Fork(StoreModel model, HeapTrack origin, long number, HeapTrack heap) : DurableOperation(heap)
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.Fork;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply) =>
        lane.Session.Store.Fork(request.ReadString(), request.ReadInt64(), request.ReadString());

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(origin.Name);
        request.Write(number);
        request.Write(Heap.Name);
    }

    /// <inheritdoc/>
    public override void Full(BinaryReader reply)
    {
        base.Full(reply);
        model.Forget(Heap);
    }

    /// <inheritdoc/>
    protected override HeapModel? Next() => origin.Durable!.Fork(number, Heap.Name);
}
