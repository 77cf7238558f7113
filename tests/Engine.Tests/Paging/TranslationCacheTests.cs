using Everheap.Engine.Paging;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Paging;

/// <summary>The cache of frames that collections use: who may store by it, and until when.</summary>
[TestFixture]
internal sealed unsafe class TranslationCacheTests
{
    private const ulong Page = SimulatedStores.Address / PersistentHeap.PageSize;

    [Test]
    public void A_seal_takes_every_right_to_store_away_and_leaves_entries_to_load()
    {
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        *heap.Cache.Store(Page) = 1;
        heap.Checkpoint();
        long before = heap.Statistics.SoftFaults;
        Assert.That(*heap.Cache.Load(Page), Is.EqualTo(1));
        Assert.That(heap.Statistics.SoftFaults, Is.EqualTo(before), "the entry is still there");
        *heap.Cache.Store(Page) = 2;
        Assert.That(heap.DirtyBytes, Is.EqualTo(PersistentHeap.PageSize), "the store was noticed");
    }

    [Test]
    public void A_right_to_store_does_not_come_back_when_epochs_have_gone_round()
    {
        HeapStoreOptions options = new() { ResidentBytes = 8 * HeapStoreOptions.ResidentBytesMin };
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), options);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        TranslationCache cache = heap.Cache;
        for (int epoch = 0; epoch < 3 * (int)TranslationCache.EpochCount; epoch++)
        {
            cache.ClearStores();
            long before = heap.Statistics.SoftFaults;
            *cache.Store(Page + ((ulong)epoch % TranslationCache.EpochCount)) = 1; // got the right when an epoch last had this name
            if (epoch >= (int)TranslationCache.EpochCount)
            {
                Assert.That(heap.Statistics.SoftFaults, Is.EqualTo(before + 1), $"epoch {epoch}");
            }
        }
    }

    [Test]
    public void Pinning_and_giving_up_a_range_takes_the_entries_of_its_pages_away()
    {
        HeapStoreOptions options = new() { ResidentBytes = 2 * HeapStoreOptions.ResidentBytesMin };
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), options);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        *heap.Cache.Store(Page) = 1;
        byte* frame = heap.Cache.Load(Page);
        using (PinnedRange range = heap.PinRange(SimulatedStores.Address, PersistentHeap.PageSize))
        {
            Assert.That((nint)heap.Cache.Load(Page), Is.EqualTo(range.Memory).And.Not.EqualTo((nint)frame));
            heap.Checkpoint();
            *heap.Cache.Store(Page) = 2;
            Assert.That(heap.DirtyBytes, Is.EqualTo(PersistentHeap.PageSize));
        }

        Assert.That(*heap.Cache.Load(Page), Is.EqualTo(2));
        heap.Checkpoint();
        using HeapSnapshot snapshot = store.OpenSnapshot(SimulatedStores.HeapName);
        byte[] found = new byte[1];
        snapshot.Read(SimulatedStores.Address, found);
        Assert.That(found[0], Is.EqualTo(2));
    }
}
