using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Takes a heap back to an older checkpoint, be it open or not.</summary>
internal sealed class Revert(HeapTrack heap, long number) : DurableOperation(heap)
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.Revert;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        string name = request.ReadString();
        long number = request.ReadInt64();
        if (lane.IsOpen(name))
        {
            lane.Heap(name).Revert(number);
        }
        else
        {
            lane.Session.Store.Revert(name, number);
        }
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(Heap.Name);
        request.Write(number);
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        base.Done(reply);
        Heap.Stalled = null;
        Heap.Content = Heap.Durable!.Content;
    }

    /// <inheritdoc/>
    protected override HeapModel? Next() => Heap.Newest!.Revert(number);
}
