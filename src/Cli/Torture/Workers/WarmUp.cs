using Everheap.Cli.Torture.Model;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Workers;

/// <summary>
/// Uses a store in memory once, while nobody waits for the worker. What the runtime compiles at first use is then compiled, so that kills hit the engine, not the compiler, and times are the engine's.
/// </summary>
internal static class WarmUp
{
    /// <summary>Uses the engine.</summary>
    public static void Run()
    {
        var medium = new MemoryMedium();
        using (HeapStore store = HeapStore.Create(medium))
        using (PersistentHeap heap = store.CreateHeap("warm", WorkerLane.OptionsOf("warm")))
        {
            ulong address = heap.Allocate(1 << 16);
            for (uint write = 1; write < 5; write++)
            {
                WritePage(heap, address, write);
                heap.Checkpoint();
                store.Retain(heap.Name, (long)heap.LatestCheckpointNumber, $"name {write}");
            }

            heap.BeginCheckpoint().Wait();
            heap.Clear(address, 1 << 16);
            heap.Release(address, 1 << 16);
            heap.Revert(1);
        }

        using (HeapStore store = HeapStore.Open(medium))
        {
            store.Fork("warm", 1, "fork");
            using (HeapSnapshot first = store.OpenSnapshot("warm", 1, WorkerLane.OptionsOf("warm")))
            using (HeapSnapshot second = store.OpenSnapshot("warm", 2, WorkerLane.OptionsOf("warm")))
            {
                _ = PageLists.Of(first, 1, out _);
                _ = store.Difference(first, second).Count();
            }

            store.DropCheckpoint("warm", 2);
            store.DropHeap("fork");
            store.Reclaim();
            store.Verify();
        }
    }

    private static void WritePage(PersistentHeap heap, ulong address, uint write)
    {
        byte[] page = new byte[PersistentHeap.PageSize];
        PageContent.Fill(page, 1, address >> PersistentHeap.PageShift, PageValue.Whole(write));
        heap.Write(address, page);
    }
}
