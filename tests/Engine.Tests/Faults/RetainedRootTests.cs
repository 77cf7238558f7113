using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Faults;

/// <summary>The root before the newest stays whole, so that damage to the newest root alone costs one checkpoint and not the store.</summary>
[TestFixture]
internal sealed class RetainedRootTests
{
    [Test]
    public void Whatever_the_history_the_root_before_the_newest_opens_whole_if_the_newest_is_damaged()
    {
        SimulatedMedium medium = new(1);
        Random random = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 400, version: 1);
        heap.Checkpoint();
        int previousFrom = 0;
        int previousCount = 0;
        for (int version = 2; version < 30; version++)
        {
            int from = random.Next(300);
            int count = random.Next(1, 100);
            SimulatedStores.Fill(heap, Page(from), count, version);

            // Work on after the seal too: evictions then take fresh places before the next root exists.
            heap.Checkpoint();
            SimulatedStores.Fill(heap, Page(500), 300, version);
            if (version > 2)
            {
                SparseImage damaged = medium.Current();
                damaged.Flip(FileLayout.SuperblockOffset(new StoreImage(damaged).Slot) + 300, 1);
                using HeapStore older = HeapStore.Open(new SimulatedMedium(1, damaged), SimulatedStores.Smallest);
                using PersistentHeap olderHeap = older.OpenHeap(SimulatedStores.HeapName);
                Assert.That(olderHeap.LatestCheckpointNumber, Is.EqualTo(heap.LatestCheckpointNumber - 1));
                Assert.That(older.Verify().IsSound, Is.True, $"version {version}");
                SimulatedStores.AssertFilled(olderHeap, Page(previousFrom), previousCount, version - 1);
            }

            (previousFrom, previousCount) = (from, count);
        }
    }

    [Test]
    public void The_root_before_the_newest_stays_whole_also_after_the_store_was_opened_again()
    {
        SimulatedMedium medium = new(1);
        int versionAtPrevious = 0;
        for (int version = 1; version < 12; version++)
        {
            using HeapStore store = version == 1 ? HeapStore.Create(medium, SimulatedStores.Smallest) : HeapStore.Open(medium, SimulatedStores.Smallest);
            using PersistentHeap heap = version == 1 ? store.CreateHeap(SimulatedStores.HeapName) : store.OpenHeap(SimulatedStores.HeapName);
            if (version > 1)
            {
                // Evictions of the new process, before its first checkpoint.
                SimulatedStores.Fill(heap, Page(0), 600, version: 1000 + version);
                AssertPreviousRootIsWhole(medium, versionAtPrevious, heap.LatestCheckpointNumber - 1);
            }

            SimulatedStores.Fill(heap, Page(0), 300, version);
            heap.Checkpoint();
            SimulatedStores.Fill(heap, Page(0), 300, version: version + 100);
            heap.Checkpoint();
            versionAtPrevious = version;
            store.Dispose();
            medium.Reattach();
        }
    }

    [Test]
    public void An_old_root_whose_space_was_rightly_used_again_is_not_reported()
    {
        SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        for (int version = 1; version <= 12; version++)
        {
            SimulatedStores.Fill(heap, SimulatedStores.Address, 200, version);
            heap.Checkpoint();
            SimulatedStores.Fill(heap, Page(1000), 700, version); // evictions take the space that was freed
            List<string> told = [];
            using HeapStore opened = HeapStore.Open(new SimulatedMedium(1, medium.Current()), new HeapStoreOptions { Logger = new ListLogger(told) });
            Assert.That(opened.SkippedRoots, Is.Empty);
            Assert.That(told, Is.Empty);
        }
    }

    [Test]
    public void Overwriting_the_same_pages_over_and_over_does_not_grow_the_file()
    {
        SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 200, version: 0);
        for (int version = 1; version <= 6; version++)
        {
            SimulatedStores.Fill(heap, SimulatedStores.Address, 200, version);
            heap.Checkpoint();
        }

        long length = medium.Length;
        for (int version = 7; version < 60; version++)
        {
            SimulatedStores.Fill(heap, SimulatedStores.Address, 200, version);
            heap.Checkpoint();
        }

        Assert.That(medium.Length, Is.EqualTo(length), "freed places are used again");
    }

    private static void AssertPreviousRootIsWhole(SimulatedMedium medium, int version, ulong number)
    {
        SparseImage damaged = medium.Current();
        damaged.Flip(FileLayout.SuperblockOffset(new StoreImage(damaged).Slot) + 300, 1);
        using HeapStore older = HeapStore.Open(new SimulatedMedium(1, damaged), SimulatedStores.Smallest);
        using PersistentHeap heap = older.OpenHeap(SimulatedStores.HeapName);
        Assert.That(heap.LatestCheckpointNumber, Is.EqualTo(number));
        SimulatedStores.AssertFilled(heap, Page(0), 300, version);
        Assert.That(older.Verify().IsSound, Is.True);
    }

    private static ulong Page(int index) => SimulatedStores.Address + ((ulong)index * PersistentHeap.PageSize);
}
