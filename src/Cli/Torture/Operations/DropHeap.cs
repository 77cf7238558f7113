using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Removes a heap with all its checkpoints.</summary>
internal sealed class DropHeap(StoreModel model, HeapTrack heap) : DurableOperation(heap)
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.DropHeap;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        string name = request.ReadString();
        if (lane.IsOpen(name))
        {
            lane.Close(name);
        }

        lane.Session.Store.DropHeap(name);
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request) => request.Write(Heap.Name);

    /// <inheritdoc/>
    public override void Sent()
    {
        Heap.Close();
        base.Sent();
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        base.Done(reply);
        model.Forget(Heap);
    }

    /// <inheritdoc/>
    protected override HeapModel? Next() => null;
}
