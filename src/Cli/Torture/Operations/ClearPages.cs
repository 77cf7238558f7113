using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Makes pages read as zero again, and drops them.</summary>
internal sealed class ClearPages(HeapTrack heap, ulong first, ulong count) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.ClearPages;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        PersistentHeap heap = lane.Heap(request.ReadString());
        heap.Clear(request.ReadUInt64() << PersistentHeap.PageShift, request.ReadUInt64() << PersistentHeap.PageShift);
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(heap.Name);
        request.Write(first);
        request.Write(count);
    }

    /// <inheritdoc/>
    public override void Sent() => heap.Open();

    /// <inheritdoc/>
    public override void Done(BinaryReader reply) => heap.Content = heap.Content.Clear(first, count);

    /// <inheritdoc/>
    public override void Full(BinaryReader reply) => heap.MustClose = true;
}
