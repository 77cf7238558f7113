using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Walks everything, and tells what there is: every heap with its checkpoints, and every page of the latest.</summary>
internal sealed class DescribeStore : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.DescribeStore;

    /// <summary>What was found.</summary>
    public StoreDescription Found { get; private set; } = null!;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        HeapStore store = lane.Session.Store;
        IReadOnlyList<HeapInfo> heaps = store.Heaps;
        reply.Write(heaps.Count);
        foreach (HeapInfo heap in heaps)
        {
            Write(reply, lane, heap);
        }

        IReadOnlyList<UnfinishedReceive> unfinished = HeapTransfer.GetUnfinished(store);
        reply.Write(unfinished.Count);
        foreach (UnfinishedReceive receive in unfinished)
        {
            reply.Write(receive.HeapName);
        }

        Span<byte> note = stackalloc byte[HeapStore.NoteLengthMax];
        reply.Write(store.TryReadNote(note, out int length) ? WriteNote.Decode(note[..length]) : 0L);
        VerifyStore.Write(reply, store.Verify());
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        var heaps = new FoundHeap[reply.ReadInt32()];
        for (int i = 0; i < heaps.Length; i++)
        {
            heaps[i] = ReadHeap(reply);
        }

        string[] unfinished = new string[reply.ReadInt32()];
        for (int i = 0; i < unfinished.Length; i++)
        {
            unfinished[i] = reply.ReadString();
        }

        Found = new StoreDescription(heaps, unfinished, reply.ReadInt64(), VerifyStore.Read(reply));
    }

    private static void Write(BinaryWriter reply, WorkerLane lane, HeapInfo heap)
    {
        HeapStore store = lane.Session.Store;
        reply.Write(heap.Name);
        reply.Write(heap.LatestCheckpoint);
        reply.Write(heap.Retention.KeepLast);
        reply.Write(heap.Retention.KeepFor > TimeSpan.Zero);
        reply.Write(heap.OriginName ?? "");
        reply.Write(heap.OriginCheckpoint);
        reply.Write(heap.MappedPages);
        CheckpointInfo[] retained = [.. store.History(heap.Name).Where(checkpoint => checkpoint.IsRetained)];
        reply.Write(retained.Length);
        foreach (CheckpointInfo checkpoint in retained)
        {
            reply.Write(checkpoint.Number);
            reply.Write(checkpoint.Name ?? "");
            reply.Write(checkpoint.IsHeld);
        }

        using HeapSnapshot snapshot = store.OpenSnapshot(heap.Name, null, WorkerLane.OptionsOf(heap.Name));
        List<FoundPage> pages = PageLists.Of(snapshot, lane.Session.Salt, out long count);
        reply.Write(count);
        PageLists.Write(reply, pages);
    }

    private static FoundHeap ReadHeap(BinaryReader reply)
    {
        string name = reply.ReadString();
        long latest = reply.ReadInt64();
        int keepLast = reply.ReadInt32();
        bool keepsAll = reply.ReadBoolean();
        string origin = reply.ReadString();
        long originCheckpoint = reply.ReadInt64();
        long mappedPages = reply.ReadInt64();
        var checkpoints = new FoundCheckpoint[reply.ReadInt32()];
        for (int i = 0; i < checkpoints.Length; i++)
        {
            long number = reply.ReadInt64();
            string checkpointName = reply.ReadString();
            checkpoints[i] = new FoundCheckpoint(number, checkpointName.Length == 0 ? null : checkpointName, reply.ReadBoolean());
        }

        long countedPages = reply.ReadInt64();
        return new FoundHeap(
            name, latest, keepLast, keepsAll, origin.Length == 0 ? null : origin, originCheckpoint, mappedPages, countedPages, checkpoints, PageLists.Read(reply));
    }
}
