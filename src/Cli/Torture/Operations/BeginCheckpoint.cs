using System.Globalization;
using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Begins a checkpoint, and answers while it is being written. That it is durable is said unasked, when it is.</summary>
internal sealed class BeginCheckpoint(HeapTrack heap) : Operation
{
    private HeapModel? _next;

    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.BeginCheckpoint;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        PersistentHeap heap = lane.Heap(request.ReadString());
        PendingCheckpoint pending = heap.BeginCheckpoint();
        lane.Pending[heap.Name] = pending;
        reply.Write(pending.Number);
        pending.Completion.ContinueWith(
            completion => lane.ReportCompleted(heap.Name, completion.Result.Number),
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnRanToCompletion,
            TaskScheduler.Default);
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
        long number = reply.ReadInt64();
        if (number != _next!.Latest)
        {
            throw new TortureFailure(string.Create(
                CultureInfo.InvariantCulture, $"a checkpoint of heap '{heap.Name}' has the number {number}, and should have {_next.Latest}"));
        }

        // It was begun, so the one before it was waited for. Its own completion may have been told of before this answer.
        heap.Settle(number - 1);
        heap.Stalled = null;
        if (heap.Durable?.Latest < number || heap.Durable is null)
        {
            heap.Pend(number);
        }
    }

    /// <inheritdoc/>
    public override void Full(BinaryReader reply)
    {
        // What was sealed before found no room, and stays sealed. Closing gives it up.
        heap.Withdraw();
        heap.MustClose = true;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Kind} of {heap.Name}";
}
