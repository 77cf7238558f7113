using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Writes pages, each whole or its middle alone. Nothing of it is durable before a checkpoint.</summary>
internal sealed class WritePages(HeapTrack heap, IReadOnlyList<(ulong Page, uint Write)> pages, bool isPatch) : Operation
{
    /// <summary>Every so many writes one is made in two pieces.</summary>
    private const uint PiecesEvery = 8;

    /// <summary>Where the first piece ends.</summary>
    private const int PieceLength = 1000;

    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.WritePages;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        PersistentHeap heap = lane.Heap(request.ReadString());
        bool isPatch = request.ReadBoolean();
        int count = request.ReadInt32();
        Span<byte> bytes = stackalloc byte[PersistentHeap.PageSize];
        int done = 0;
        bool isHalf = false;
        try
        {
            for (; done < count; done++)
            {
                ulong page = request.ReadUInt64();
                uint write = request.ReadUInt32();
                ulong address = page << PersistentHeap.PageShift;
                if (isPatch)
                {
                    Span<byte> patch = bytes[..PageContent.PatchLength];
                    PageContent.FillPatch(patch, lane.Session.Salt, page, write);
                    heap.Write(address + PageContent.PatchOffset, patch);
                    continue;
                }

                PageContent.Fill(bytes, lane.Session.Salt, page, PageValue.Whole(write));
                if (write % PiecesEvery == 0)
                {
                    heap.Write(address, bytes[..PieceLength]);
                    isHalf = true;
                    heap.Write(address + PieceLength, bytes[PieceLength..]);
                    isHalf = false;
                }
                else
                {
                    heap.Write(address, bytes);
                }
            }
        }
        catch (HeapFullException)
        {
            reply.Write(done);
            reply.Write(isHalf);
            throw;
        }
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(heap.Name);
        request.Write(isPatch);
        request.Write(pages.Count);
        foreach ((ulong page, uint write) in pages)
        {
            request.Write(page);
            request.Write(write);
        }
    }

    /// <inheritdoc/>
    public override void Sent() => heap.Open();

    /// <inheritdoc/>
    public override void Done(BinaryReader reply) => Apply(pages.Count);

    /// <inheritdoc/>
    public override void Full(BinaryReader reply)
    {
        Apply(reply.ReadInt32());
        heap.MustClose |= reply.ReadBoolean();
    }

    private void Apply(int count)
    {
        HeapContent content = heap.Content;
        for (int i = 0; i < count; i++)
        {
            content = content.Write(pages[i].Page, pages[i].Write, isPatch);
        }

        heap.Content = content;
    }
}
