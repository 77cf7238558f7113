using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Checkpoints;

/// <summary>Opening costs the same for any size of heap: no replay, no scan. Bytes are counted, because time would prove nothing.</summary>
[TestFixture]
internal sealed class OpeningCostTests
{
    private const int OpeningBytesMax = 128 << 10;

    [Test]
    public void Opening_a_sparse_heap_of_10_GiB_reads_and_writes_no_more_than_a_few_pages()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("sparse.heap");
        using (HeapStore store = HeapStore.Create(path, SimulatedStores.Smallest))
        {
            using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
            ulong address = heap.Allocate(10UL << 30);
            for (ulong at = 0; at < 10UL << 30; at += 4UL << 20)
            {
                SimulatedStores.Fill(heap, address + at, 1, version: 1);
            }

            heap.Checkpoint();
        }

        CountingMedium medium = new(FileMedium.Open(path, readOnly: false));
        using HeapStore opened = HeapStore.Open(medium, SimulatedStores.Smallest);
        using PersistentHeap again = opened.OpenHeap(SimulatedStores.HeapName);
        TestContext.Out.WriteLine($"read {medium.BytesRead} bytes, wrote {medium.BytesWritten}");
        Assert.Multiple(() =>
        {
            Assert.That(medium.BytesRead, Is.LessThanOrEqualTo(OpeningBytesMax));
            Assert.That(medium.BytesWritten, Is.LessThanOrEqualTo(FileLayout.PageSize));
        });
    }

    [Test]
    public void Opening_a_file_of_many_regions_reads_no_more_than_opening_a_small_one()
    {
        // As if 20 GiB had been written: the file has 160 regions, of which a few are in use.
        SimulatedMedium small = Filled(pages: 10, length: 0);
        SimulatedMedium large = Filled(pages: 60_000, length: 20L << 30);
        Assert.That(BytesToOpen(large), Is.LessThanOrEqualTo(BytesToOpen(small) + OpeningBytesMax));
    }

    private static long BytesToOpen(SimulatedMedium medium)
    {
        long before = medium.BytesRead;
        using HeapStore store = HeapStore.Open(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        return medium.BytesRead - before;
    }

    private static SimulatedMedium Filled(int pages, long length)
    {
        SimulatedMedium medium = new(1);
        using (HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest))
        {
            using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
            byte[] bytes = new byte[256 << 10];
            for (int page = 0; page < pages; page += bytes.Length / PersistentHeap.PageSize)
            {
                heap.Write(SimulatedStores.Address + ((ulong)page * PersistentHeap.PageSize), bytes);
            }

            heap.Checkpoint();
        }

        SparseImage image = medium.Current();
        if (length > image.Length)
        {
            image.Resize(length);
        }

        return new SimulatedMedium(1, image);
    }
}
