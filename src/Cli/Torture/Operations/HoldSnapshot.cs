using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Opens a snapshot of a heap's latest checkpoint, and leaves it open while the heap goes on.</summary>
internal sealed class HoldSnapshot(HeapTrack heap) : Operation
{
    private readonly long _number = heap.Durable!.Latest;

    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.HoldSnapshot;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        string name = request.ReadString();
        lane.Snapshots.Add(name, lane.Session.Store.OpenSnapshot(name, request.ReadInt64(), WorkerLane.OptionsOf(name)));
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(heap.Name);
        request.Write(_number);
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        heap.HeldSnapshot = _number;
        heap.Restate(state => state.Pin(_number));
    }
}
