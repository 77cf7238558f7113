using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Gives a range of addresses back, with what is in it.</summary>
internal sealed class ReleaseRange(HeapTrack heap, ulong first) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.ReleaseRange;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        PersistentHeap heap = lane.Heap(request.ReadString());
        heap.Release(request.ReadUInt64() << PersistentHeap.PageShift, request.ReadUInt64() << PersistentHeap.PageShift);
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(heap.Name);
        request.Write(first);
        request.Write(heap.Content.Ranges[first]);
    }

    /// <inheritdoc/>
    public override void Sent() => heap.Open();

    /// <inheritdoc/>
    public override void Done(BinaryReader reply) => heap.Content = heap.Content.Release(first);

    /// <inheritdoc/>
    public override void Full(BinaryReader reply) => heap.MustClose = true;
}
