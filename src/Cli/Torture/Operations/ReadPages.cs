using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Reads pages of the open heap, and compares them with what was written.</summary>
internal sealed class ReadPages(HeapTrack heap, IReadOnlyList<ulong> pages) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.ReadPages;

    /// <summary>How many pages were compared.</summary>
    public int Count => pages.Count;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        PersistentHeap heap = lane.Heap(request.ReadString());
        var found = new FoundPage[request.ReadInt32()];
        for (int i = 0; i < found.Length; i++)
        {
            found[i] = PageLists.Look(heap.Read, lane.Session.Salt, request.ReadUInt64());
        }

        PageLists.Write(reply, found);
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(heap.Name);
        request.Write(pages.Count);
        foreach (ulong page in pages)
        {
            request.Write(page);
        }
    }

    /// <inheritdoc/>
    public override void Sent() => heap.Open();

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        foreach (FoundPage page in PageLists.Read(reply))
        {
            if (HeapContent.Difference(page, heap.Content.Pages.GetValueOrDefault(page.Number)) is { } difference)
            {
                throw new TortureFailure($"in the open heap '{heap.Name}', {difference}");
            }
        }
    }

    /// <inheritdoc/>
    public override void Full(BinaryReader reply)
    {
        // No frame could be freed to read into: nothing was changed.
    }
}
