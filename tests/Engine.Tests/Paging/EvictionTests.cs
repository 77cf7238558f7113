using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Paging;

/// <summary>Which pages give up their frames.</summary>
[TestFixture]
internal sealed class EvictionTests
{
    private const ulong PageSize = PersistentHeap.PageSize;
    private const int Frames = (int)(HeapStoreOptions.ResidentBytesMin / PersistentHeap.PageSize);

    [Test]
    public void Pages_that_are_used_often_outlive_a_scan_of_more_pages_than_there_are_frames()
    {
        const int Often = Frames * 3 / 8, OncePerRound = Frames * 3 / 8, Rounds = 30, Scanned = Frames * 3 / 2;
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, Often + (Rounds * OncePerRound) + Scanned, version: 1);
        heap.Checkpoint();
        int next = Often;
        for (int round = 0; round < Rounds; round++)
        {
            ReadBytes(heap, 0, Often);
            ReadBytes(heap, next, OncePerRound);
            next += OncePerRound;
        }

        long before = heap.Statistics.Faults;
        ReadBytes(heap, next, Scanned);
        long afterScan = heap.Statistics.Faults;
        ReadBytes(heap, 0, Often);
        Assert.Multiple(() =>
        {
            Assert.That(afterScan - before, Is.EqualTo(Scanned));
            Assert.That(heap.Statistics.Faults, Is.EqualTo(afterScan));
        });
    }

    [Test]
    public void A_store_to_a_page_that_waits_to_be_written_never_writes_another_instead()
    {
        // Seven of eight frames are changed at each seal, so that there are none to copy all of them while they are being written.
        const int Pages = Frames * 7 / 8, Rounds = 20;
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        PendingCheckpoint? last = null;
        for (int round = 1; round <= Rounds; round++)
        {
            SimulatedStores.Fill(heap, SimulatedStores.Address, Pages, round);
            last = heap.BeginCheckpoint();
        }

        last!.Wait();
        Assert.Multiple(() =>
        {
            Assert.That(heap.Statistics.DirtyEvictions, Is.Zero);
            Assert.That(heap.Statistics.Checkpoints, Is.EqualTo(Rounds));
        });
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, Pages, Rounds);
    }

    private static void ReadBytes(PersistentHeap heap, int firstPage, int pages)
    {
        for (int page = firstPage; page < firstPage + pages; page++)
        {
            byte value = 0;
            heap.Read(SimulatedStores.Address + ((ulong)page * PageSize), new Span<byte>(ref value));
        }
    }
}
