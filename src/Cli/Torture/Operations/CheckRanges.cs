using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>
/// Finds out whether exactly those ranges of a closed heap are given out that should be: releases each, after which all addresses must be free in one piece. No checkpoint is made, so none of it stays.
/// </summary>
internal sealed class CheckRanges(HeapTrack heap) : Operation
{
    private const ulong FirstAddress = 1UL << 20;

    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.CheckRanges;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        string name = request.ReadString();
        int count = request.ReadInt32();
        string finding = "";
        using (PersistentHeap heap = lane.Session.Store.OpenHeap(name, WorkerLane.OptionsOf(name)))
        {
            try
            {
                for (int i = 0; i < count; i++)
                {
                    heap.Release(request.ReadUInt64() << PersistentHeap.PageShift, request.ReadUInt64() << PersistentHeap.PageShift);
                }

                ulong all = heap.Allocate(PersistentHeap.AddressEnd - FirstAddress);
                finding = all == FirstAddress ? "" : $"all that is free begins at 0x{all:x}";
            }
            catch (HeapFullException)
            {
                throw;
            }
            catch (Exception refusal) when (refusal is ArgumentException or HeapException)
            {
                finding = refusal.Message;
            }
        }

        reply.Write(finding);
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(heap.Name);
        request.Write(heap.Durable!.Content.Ranges.Count);
        foreach ((ulong first, ulong count) in heap.Durable.Content.Ranges)
        {
            request.Write(first);
            request.Write(count);
        }
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        if (reply.ReadString() is { Length: > 0 } finding)
        {
            throw new TortureFailure($"heap '{heap.Name}' does not give out the {heap.Durable!.Content.Ranges.Count} ranges of addresses that it should: {finding}");
        }
    }

    /// <inheritdoc/>
    public override void Full(BinaryReader reply)
    {
        // Nothing was changed, and nothing learnt.
    }
}
