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

/// <summary>
/// Opens a store that may be damaged in any way, reads all that it serves, has it walk over everything, and, if told so, tries to change it. What it is refused with is part of the answer; anything that
/// the engine does not document is a failure.
/// </summary>
internal sealed class InspectImage(string path, int salt, bool isReadOnly) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.InspectImage;

    /// <summary>The exception's name that the store was refused with; null: it was opened.</summary>
    public string? Refusal { get; private set; }

    /// <summary>What that says.</summary>
    public string Message { get; private set; } = "";

    /// <summary>Roots that were passed over at opening.</summary>
    public int SkippedRoots { get; private set; }

    /// <summary>What the store's own walk found; null if the walk was refused.</summary>
    public FoundVerification? Verification { get; private set; }

    /// <summary>All that it serves.</summary>
    public IReadOnlyList<ServedCheckpoint> Checkpoints { get; private set; } = [];

    /// <summary>The exception's name that a change was refused with; empty: it was made, or not tried.</summary>
    public string ChangeRefusal { get; private set; } = "";

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        string path = request.ReadString();
        int salt = request.ReadInt32();
        bool isReadOnly = request.ReadBoolean();
        HeapStore store;
        try
        {
            store = HeapStore.Open(path, new HeapStoreOptions { ReadOnly = isReadOnly });
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
            reply.Write(isReadOnly ? "" : TryChange(store));
        }
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(path);
        request.Write(salt);
        request.Write(isReadOnly);
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
        var served = new ServedCheckpoint[reply.ReadInt32()];
        for (int i = 0; i < served.Length; i++)
        {
            served[i] = new ServedCheckpoint(reply.ReadString(), reply.ReadInt64(), reply.ReadBoolean(), PageLists.Read(reply));
        }

        Checkpoints = served;
        Verification = reply.ReadBoolean() ? VerifyStore.Read(reply) : null;
        ChangeRefusal = reply.ReadString();
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
