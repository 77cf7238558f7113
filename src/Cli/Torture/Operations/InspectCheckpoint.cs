using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Reads a retained checkpoint whole, from a snapshot of its own, and compares it with what it held when it was made.</summary>
internal sealed class InspectCheckpoint(HeapTrack heap, long number) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.InspectCheckpoint;

    /// <summary>How many pages were compared.</summary>
    public int Count { get; private set; }

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        string name = request.ReadString();
        using HeapSnapshot snapshot = lane.Session.Store.OpenSnapshot(name, request.ReadInt64(), WorkerLane.OptionsOf(name));
        Write(reply, snapshot, lane.Session.Salt);
    }

    /// <summary>Writes all that a snapshot holds.</summary>
    public static void Write(BinaryWriter reply, HeapSnapshot snapshot, int salt)
    {
        List<FoundPage> pages = PageLists.Of(snapshot, salt, out long count);
        reply.Write(snapshot.MappedPages);
        reply.Write(count);
        PageLists.Write(reply, pages);
    }

    /// <summary>Reads that, and compares it.</summary>
    /// <returns>How many pages were compared.</returns>
    public static int Compare(BinaryReader reply, string heapName, long number, HeapContent expected)
    {
        long mapped = reply.ReadInt64();
        long counted = reply.ReadInt64();
        if (mapped != counted)
        {
            throw new TortureFailure($"checkpoint {number} of heap '{heapName}' says {mapped} mapped pages, and has {counted}");
        }

        FoundPage[] pages = PageLists.Read(reply);
        return expected.Difference(pages) is { } difference
            ? throw new TortureFailure($"in checkpoint {number} of heap '{heapName}', {difference}")
            : pages.Length;
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(heap.Name);
        request.Write(number);
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply) => Count = Compare(reply, heap.Name, number, heap.Durable!.Checkpoints[number].Content);
}
