using System.Collections.Immutable;
using System.IO.Pipelines;
using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Torture.Operations;

/// <summary>
/// Sends a checkpoint, whole or as what differs from an older one, and receives it in the same store as a heap of its own. One that broke off before is gone on with.
/// </summary>
internal sealed class ReceiveCheckpoint(StoreModel model, HeapTrack origin, TransferModel transfer, HeapTrack heap) : DurableOperation(heap)
{
    /// <summary>So often what has come is made durable that a kill mostly leaves something of it.</summary>
    private const long SaveIntervalBytes = 128 << 10;

    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.ReceiveCheckpoint;

    /// <summary>Whether an earlier transfer was gone on with.</summary>
    public bool IsResumed { get; private set; }

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        HeapStore store = lane.Session.Store;
        string originName = request.ReadString();
        long fromNumber = request.ReadInt64();
        HeapOptions budget = WorkerLane.OptionsOf(originName);
        using HeapSnapshot to = store.OpenSnapshot(originName, request.ReadInt64(), budget);
        using HeapSnapshot? from = fromNumber > 0 ? store.OpenSnapshot(originName, fromNumber, budget) : null;
        var receive = new ReceiveOptions { HeapName = request.ReadString(), ResidentBytes = budget.ResidentBytes, SaveIntervalBytes = SaveIntervalBytes };
        TransferResumePoint? resume = HeapTransfer.GetUnfinished(store)
            .FirstOrDefault(unfinished => unfinished.HeapName == receive.HeapName
                && unfinished.ResumePoint.ToContentId == to.Checkpoint.ContentId
                && unfinished.ResumePoint.FromContentId == (from?.Checkpoint.ContentId ?? Guid.Empty))
            ?.ResumePoint;
        RunAsync(store, from, to, new SendOptions { ResumeFrom = resume }, receive).GetAwaiter().GetResult();
        reply.Write(resume is { NextPage: > 0 });
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(origin.Name);
        request.Write(transfer.FromNumber);
        request.Write(transfer.ToNumber);
        request.Write(Heap.Name);
    }

    /// <inheritdoc/>
    public override void Sent()
    {
        base.Sent();
        model.Transfers[Heap.Name] = transfer;
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        base.Done(reply);
        model.Transfers.Remove(Heap.Name);
        IsResumed = reply.ReadBoolean();
    }

    /// <inheritdoc/>
    public override void Full(BinaryReader reply)
    {
        // What has come may be kept; it can be gone on with.
        base.Full(reply);
        model.Forget(Heap);
    }

    /// <inheritdoc/>
    protected override HeapModel? Next() => new(
        Heap.Name,
        transfer.ToNumber,
        ImmutableSortedDictionary<long, CheckpointModel>.Empty.Add(transfer.ToNumber, new CheckpointModel(origin.Durable!.Checkpoints[transfer.ToNumber].Content)))
    {
        OriginCheckpoint = transfer.FromNumber > 0 ? 0 : transfer.ToNumber,

        // A difference starts from whichever heap has what it is based on: of several, any.
        IsOriginOpen = transfer.FromNumber > 0,
    };

    private static async Task RunAsync(HeapStore store, HeapSnapshot? from, HeapSnapshot to, SendOptions send, ReceiveOptions receive)
    {
        var pipe = new Pipe();
        Task sending = SendAsync(from, to, pipe.Writer, send);
        try
        {
            await HeapTransfer.ReceiveAsync(store, pipe.Reader, receive).ConfigureAwait(false);
        }
        catch
        {
            await pipe.Reader.CompleteAsync().ConfigureAwait(false);
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // It finds nobody who reads.
            throw;
        }

        await sending.ConfigureAwait(false);
    }

    private static async Task SendAsync(HeapSnapshot? from, HeapSnapshot to, PipeWriter writer, SendOptions send)
    {
        await HeapTransfer.SendAsync(from, to, writer, send).ConfigureAwait(false);
        await writer.CompleteAsync().ConfigureAwait(false);
    }
}
