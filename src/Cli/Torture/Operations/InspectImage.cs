using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>A checkpoint that an image serves.</summary>
/// <param name="HeapName">Its heap.</param>
/// <param name="Number">Its number.</param>
/// <param name="IsComplete">Whether all its pages could be listed.</param>
/// <param name="Pages">Its pages, those included that were refused.</param>
internal sealed record ServedCheckpoint(string HeapName, long Number, bool IsComplete, IReadOnlyList<FoundPage> Pages);

/// <summary>All that a store serves, and what its walk over everything finds.</summary>
/// <param name="Checkpoints">The checkpoints, with their pages.</param>
/// <param name="Verification">What the walk found; null if it was refused.</param>
internal sealed record ServedStore(IReadOnlyList<ServedCheckpoint> Checkpoints, FoundVerification? Verification)
{
    /// <summary>Whether the walk found everything in order.</summary>
    public bool IsSound => Verification is { ProblemCount: 0 } walk && walk.AllocatedPages == walk.ReachablePages;
}

/// <summary>What is done to a store that may be damaged, after all was read.</summary>
internal enum ImageUse : byte
{
    /// <summary>Nothing: it is opened for reading.</summary>
    Read,

    /// <summary>A page is written, and a checkpoint made.</summary>
    Change,

    /// <summary>It is repaired, and all is read once more.</summary>
    Repair,
}

/// <summary>
/// Opens a store that may be damaged in any way, reads all that it serves, has it walk over everything, and uses it. What it is refused with is part of the answer; anything
/// that the engine does not document is a failure.
/// </summary>
internal sealed class InspectImage(string path, int salt, ImageUse use) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.InspectImage;

    /// <summary>The exception's name that the store was refused with; null: it was opened.</summary>
    public string? Refusal { get; private set; }

    /// <summary>What that says.</summary>
    public string Message { get; private set; } = "";

    /// <summary>Roots that were passed over at opening.</summary>
    public int SkippedRoots { get; private set; }

    /// <summary>What it serves.</summary>
    public ServedStore Served { get; private set; } = new([], null);

    /// <summary>The exception's name that its use was refused with; empty: it was not.</summary>
    public string UseRefusal { get; private set; } = "";

    /// <summary>What it serves after its repair; null if there was none.</summary>
    public ServedStore? Repaired { get; private set; }

    /// <summary>By heap, the checkpoint that was found the newest valid one at the repair; 0: there was none.</summary>
    public IReadOnlyDictionary<string, long> NewestValid { get; private set; } = new Dictionary<string, long>();

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        string path = request.ReadString();
        int salt = request.ReadInt32();
        var use = (ImageUse)request.ReadByte();
        HeapStore store;
        try
        {
            store = HeapStore.Open(path, new HeapStoreOptions { ReadOnly = use == ImageUse.Read });
        }
        catch (Exception refusal) when (IsDocumented(refusal))
        {
            reply.Write(refusal.GetType().Name);
            reply.Write(refusal.Message);
            return;
        }

        using (store)
        {
            reply.Write("");
            reply.Write(store.SkippedRoots.Count);
            WriteServed(reply, store, salt);
            switch (use)
            {
                case ImageUse.Change:
                    reply.Write(TryChange(store));
                    break;
                case ImageUse.Repair:
                    Repair(reply, store, salt);
                    break;
            }
        }
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(path);
        request.Write(salt);
        request.Write((byte)use);
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        string refusal = reply.ReadString();
        if (refusal.Length > 0)
        {
            Refusal = refusal;
            Message = reply.ReadString();
            return;
        }

        SkippedRoots = reply.ReadInt32();
        Served = ReadServed(reply);
        UseRefusal = use == ImageUse.Read ? "" : reply.ReadString();
        if (use != ImageUse.Repair || UseRefusal.Length > 0)
        {
            return;
        }

        var newest = new Dictionary<string, long>();
        for (int count = reply.ReadInt32(); count > 0; count--)
        {
            newest.Add(reply.ReadString(), reply.ReadInt64());
        }

        NewestValid = newest;
        Repaired = ReadServed(reply);
    }

    private static void WriteServed(BinaryWriter reply, HeapStore store, int salt)
    {
        ServedCheckpoint[] served = [.. Serve(store, salt)];
        reply.Write(served.Length);
        foreach (ServedCheckpoint checkpoint in served)
        {
            reply.Write(checkpoint.HeapName);
            reply.Write(checkpoint.Number);
            reply.Write(checkpoint.IsComplete);
            PageLists.Write(reply, checkpoint.Pages);
        }

        Walk(store, reply);
    }

    private static ServedStore ReadServed(BinaryReader reply)
    {
        var served = new ServedCheckpoint[reply.ReadInt32()];
        for (int i = 0; i < served.Length; i++)
        {
            served[i] = new ServedCheckpoint(reply.ReadString(), reply.ReadInt64(), reply.ReadBoolean(), PageLists.Read(reply));
        }

        return new ServedStore(served, reply.ReadBoolean() ? VerifyStore.Read(reply) : null);
    }

    /// <summary>Repairs the store, tells what it says, and all that it serves then.</summary>
    private static void Repair(BinaryWriter reply, HeapStore store, int salt)
    {
        IReadOnlyList<HeapRepair> repairs;
        try
        {
            repairs = store.Repair();
        }
        catch (Exception refusal) when (IsDocumented(refusal))
        {
            reply.Write(refusal.GetType().Name);
            return;
        }

        reply.Write("");
        reply.Write(repairs.Count);
        foreach (HeapRepair repair in repairs)
        {
            reply.Write(repair.HeapName);
            reply.Write(repair.NewestValid ?? 0);
        }

        WriteServed(reply, store, salt);
    }

    private static bool IsDocumented(Exception refusal) => refusal is HeapException or IOException;

    private static IEnumerable<ServedCheckpoint> Serve(HeapStore store, int salt)
    {
        foreach (HeapInfo heap in store.Heaps)
        {
            foreach (CheckpointInfo checkpoint in store.History(heap.Name).Where(checkpoint => checkpoint.IsRetained))
            {
                using HeapSnapshot snapshot = store.OpenSnapshot(heap.Name, checkpoint.Number, new HeapOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin });
                var pages = new List<FoundPage>();
                yield return new ServedCheckpoint(heap.Name, checkpoint.Number, TryRead(snapshot, salt, pages), pages);
            }
        }
    }

    /// <summary>Reads all pages. False if not all could be listed.</summary>
    private static bool TryRead(HeapSnapshot snapshot, int salt, List<FoundPage> pages)
    {
        try
        {
            foreach (ulong number in snapshot.Pages())
            {
                if (number < PersistentHeap.AddressEnd >> PersistentHeap.PageShift)
                {
                    pages.Add(TryLook(snapshot, salt, number));
                }
            }

            return true;
        }
        catch (Exception refusal) when (IsDocumented(refusal))
        {
            return false;
        }
    }

    private static FoundPage TryLook(HeapSnapshot snapshot, int salt, ulong number)
    {
        try
        {
            return PageLists.Look(snapshot.Read, salt, number);
        }
        catch (Exception refusal) when (IsDocumented(refusal))
        {
            return new FoundPage(number, PageState.Refused, default);
        }
    }

    private static void Walk(HeapStore store, BinaryWriter reply)
    {
        VerifyReport report;
        try
        {
            report = store.Verify();
        }
        catch (Exception refusal) when (IsDocumented(refusal))
        {
            reply.Write(false);
            return;
        }

        reply.Write(true);
        VerifyStore.Write(reply, report);
    }

    /// <summary>Writes a page of the first heap, and makes a checkpoint.</summary>
    /// <returns>What that was refused with; empty if it was not.</returns>
    private static string TryChange(HeapStore store)
    {
        try
        {
            if (store.Heaps is [HeapInfo first, ..])
            {
                using PersistentHeap heap = store.OpenHeap(first.Name, new HeapOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin });
                heap.Write(0, [1]);
                heap.Checkpoint();
            }

            return "";
        }
        catch (Exception refusal) when (IsDocumented(refusal))
        {
            return refusal.GetType().Name;
        }
    }
}
