namespace Everheap.Engine.Tests.Simulation;

/// <summary>Stores with something in them, on simulated media, for tests that start from there.</summary>
internal static class SimulatedStores
{
    public const string HeapName = "main";

    /// <summary>An address that is in nobody's way: above the range the owner's header is in.</summary>
    public const ulong Address = 4UL << 20;

    public static HeapStoreOptions Smallest => new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin };

    /// <summary>Pages of recognizable content: each is filled with bytes made from its number and a version.</summary>
    public static byte[] PageContent(ulong pageNumber, int version)
    {
        byte[] bytes = new byte[PersistentHeap.PageSize];
        new Random(HashCode.Combine(pageNumber, version) & int.MaxValue).NextBytes(bytes);
        return bytes;
    }

    public static void Fill(PersistentHeap heap, ulong address, int pages, int version)
    {
        for (ulong i = 0; i < (ulong)pages; i++)
        {
            ulong at = address + (i * PersistentHeap.PageSize);
            heap.Write(at, PageContent(at / PersistentHeap.PageSize, version));
        }
    }

    public static void AssertFilled(PersistentHeap heap, ulong address, int pages, int version)
    {
        byte[] found = new byte[PersistentHeap.PageSize];
        for (ulong i = 0; i < (ulong)pages; i++)
        {
            ulong at = address + (i * PersistentHeap.PageSize);
            heap.Read(at, found);
            if (!found.AsSpan().SequenceEqual(PageContent(at / PersistentHeap.PageSize, version)))
            {
                throw new AssertionException($"Page {at / PersistentHeap.PageSize} is not version {version}.");
            }
        }
    }

    /// <summary>A closed store with so many checkpoints of so many pages; the version of a page is its checkpoint, counted from 1.</summary>
    public static SparseImage Image(int checkpoints = 3, int pages = 40)
    {
        SimulatedMedium medium = new(seed: 1);
        using (HeapStore store = HeapStore.Create(medium, Smallest))
        {
            using PersistentHeap heap = store.CreateHeap(HeapName);
            for (int version = 1; version <= checkpoints; version++)
            {
                Fill(heap, Address, pages, version);
                heap.Checkpoint();
            }
        }

        return medium.Current();
    }
}
