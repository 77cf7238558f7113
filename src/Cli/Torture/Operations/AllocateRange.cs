using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Has a range of addresses given out.</summary>
internal sealed class AllocateRange(HeapTrack heap, ulong count, ulong alignment) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.AllocateRange;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        PersistentHeap heap = lane.Heap(request.ReadString());
        reply.Write(heap.Allocate(request.ReadUInt64() << PersistentHeap.PageShift, request.ReadUInt64() << PersistentHeap.PageShift));
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(heap.Name);
        request.Write(count);
        request.Write(alignment);
    }

    /// <inheritdoc/>
    public override void Sent() => heap.Open();

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        ulong address = reply.ReadUInt64();
        ulong first = address >> PersistentHeap.PageShift;
        if (address % (alignment << PersistentHeap.PageShift) != 0)
        {
            throw new TortureFailure($"heap '{heap.Name}' gave out 0x{address:x}, which is not at a multiple of {alignment} pages");
        }

        foreach ((ulong other, ulong length) in heap.Content.Ranges)
        {
            if (first < other + length && other < first + count)
            {
                throw new TortureFailure($"heap '{heap.Name}' gave out {count} pages from {first} on, of which some are of the {length} from {other} on");
            }
        }

        heap.Content = heap.Content.Allocate(first, count);
    }

    /// <inheritdoc/>
    public override void Full(BinaryReader reply) => heap.MustClose = true;
}
