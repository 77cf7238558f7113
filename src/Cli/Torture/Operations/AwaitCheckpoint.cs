using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Waits for a checkpoint that was begun.</summary>
internal sealed class AwaitCheckpoint(HeapTrack heap) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.AwaitCheckpoint;

    /// <summary>What the answer tells of the store.</summary>
    public SpaceReport Space { get; private set; }

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        string name = request.ReadString();
        reply.Write(lane.Pending[name].Wait().Number);
        lane.Pending.Remove(name);
        SpaceReport.Write(reply, lane, lane.Heap(name));
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request) => request.Write(heap.Name);

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        heap.Settle(reply.ReadInt64());
        Space = SpaceReport.Read(reply);
    }

    /// <inheritdoc/>
    public override void Full(BinaryReader reply)
    {
        // What was sealed before found no room, and stays sealed. Closing gives it up.
        heap.Withdraw();
        heap.MustClose = true;
    }
}
