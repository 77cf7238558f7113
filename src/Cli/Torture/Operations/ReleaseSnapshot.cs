using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Reads all of a snapshot whose heap has gone on meanwhile, and closes it.</summary>
internal sealed class ReleaseSnapshot(HeapTrack heap) : Operation
{
    private readonly long _number = heap.HeldSnapshot;
    private readonly HeapContent _content = heap.Durable!.Checkpoints[heap.HeldSnapshot].Content;

    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.ReleaseSnapshot;

    /// <summary>How many pages were compared.</summary>
    public int Count { get; private set; }

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        lane.Snapshots.Remove(request.ReadString(), out HeapSnapshot? snapshot);
        using (snapshot)
        {
            InspectCheckpoint.Write(reply, snapshot!, lane.Session.Salt);
        }
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request) => request.Write(heap.Name);

    /// <inheritdoc/>
    public override void Sent()
    {
        // From now on the store may let go of it.
        heap.HeldSnapshot = 0;
        heap.Restate(state => state.Unpin(_number));
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply) => Count = InspectCheckpoint.Compare(reply, heap.Name, _number, _content);
}
