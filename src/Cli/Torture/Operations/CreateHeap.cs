using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Makes a heap. It is in the file from its first checkpoint on.</summary>
internal sealed class CreateHeap(HeapTrack heap) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.CreateHeap;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        string name = request.ReadString();
        lane.Opened(lane.Session.Store.CreateHeap(name, WorkerLane.OptionsOf(name)));
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request) => request.Write(heap.Name);

    /// <inheritdoc/>
    public override void Sent() => heap.Open();
}
