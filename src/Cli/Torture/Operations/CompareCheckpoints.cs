using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Has the store find the pages in which two checkpoints differ, and compares that with the pages that do.</summary>
internal sealed class CompareCheckpoints(HeapTrack before, long beforeNumber, HeapTrack after, long afterNumber) : Operation
{
    private const ulong EndOfPages = PersistentHeap.AddressEnd >> PersistentHeap.PageShift;

    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.CompareCheckpoints;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        HeapStore store = lane.Session.Store;
        string before = request.ReadString();
        using HeapSnapshot first = store.OpenSnapshot(before, request.ReadInt64(), WorkerLane.OptionsOf(before));
        string after = request.ReadString();
        using HeapSnapshot second = store.OpenSnapshot(after, request.ReadInt64(), WorkerLane.OptionsOf(after));
        PageDifference[] differences = [.. store.Difference(first, second).Where(difference => difference.PageNumber < EndOfPages)];
        reply.Write(differences.Length);
        foreach (PageDifference difference in differences)
        {
            reply.Write(difference.PageNumber);
            reply.Write((byte)difference.Kind);
        }
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(before.Name);
        request.Write(beforeNumber);
        request.Write(after.Name);
        request.Write(afterNumber);
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        PageDifference[] expected = [.. Expected()];
        int count = reply.ReadInt32();
        for (int i = 0; i < count; i++)
        {
            var found = new PageDifference(reply.ReadUInt64(), (PageDifferenceKind)reply.ReadByte());
            if (i >= expected.Length || found != expected[i])
            {
                throw Wrong($"says {found}, where {(i < expected.Length ? expected[i].ToString() : "nothing more")} was to come");
            }
        }

        if (count < expected.Length)
        {
            throw Wrong($"leaves out {expected[count]}");
        }
    }

    private TortureFailure Wrong(string what) =>
        new($"the difference between checkpoint {beforeNumber} of heap '{before.Name}' and {afterNumber} of '{after.Name}' {what}");

    private IEnumerable<PageDifference> Expected()
    {
        HeapContent first = before.Durable!.Checkpoints[beforeNumber].Content;
        HeapContent second = after.Durable!.Checkpoints[afterNumber].Content;
        foreach (ulong page in first.Pages.Keys.Union(second.Pages.Keys).Order())
        {
            bool isBefore = first.Pages.TryGetValue(page, out PageValue was);
            bool isAfter = second.Pages.TryGetValue(page, out PageValue becomes);
            if (!isBefore || !isAfter)
            {
                yield return new PageDifference(page, isAfter ? PageDifferenceKind.Added : PageDifferenceKind.Removed);
            }
            else if (was != becomes)
            {
                yield return new PageDifference(page, PageDifferenceKind.Changed);
            }
        }
    }
}
