using System.Globalization;
using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Makes a checkpoint, and answers when it is durable.</summary>
internal sealed class MakeCheckpoint(HeapTrack heap) : Operation
{
    private HeapModel? _next;

    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.Checkpoint;

    /// <summary>What the answer tells of the store.</summary>
    public SpaceReport Space { get; private set; }

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        PersistentHeap heap = lane.Heap(request.ReadString());
        lane.Pending.Remove(heap.Name);
        PendingCheckpoint pending;
        try
        {
            pending = heap.BeginCheckpoint();
        }
        catch (HeapFullException)
        {
            reply.Write(false);
            throw;
        }

        reply.Write(true);
        reply.Write(pending.Wait().Number);
        SpaceReport.Write(reply, lane, heap);
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request) => request.Write(heap.Name);

    /// <inheritdoc/>
    public override void Sent()
    {
        heap.Open();
        _next = heap.BeginCheckpoint();
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        reply.ReadBoolean();
        long number = reply.ReadInt64();
        if (number != _next!.Latest)
        {
            throw new TortureFailure(string.Create(
                CultureInfo.InvariantCulture, $"a checkpoint of heap '{heap.Name}' has the number {number}, and should have {_next.Latest}"));
        }

        Space = SpaceReport.Read(reply);
        heap.Stalled = null;
        heap.Settle(_next);
    }

    /// <inheritdoc/>
    public override void Full(BinaryReader reply)
    {
        if (reply.ReadBoolean())
        {
            // It was sealed, so what had stalled before was completed; now it is this one that stalls.
            heap.Settle(_next!.Latest - 1);
            heap.Stalled = _next.Content;
        }
        else if (heap.PendingNumber > 0)
        {
            heap.MustClose = true; // The one before stalled while nobody waited for it.
        }

        heap.Withdraw();
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Kind} of {heap.Name}";
}
