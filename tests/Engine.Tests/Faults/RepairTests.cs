using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Faults;

/// <summary>Damage that <see cref="HeapStore.Verify"/> finds is gone behind by <see cref="HeapStore.Repair"/>, and what it cannot mend stays readable as far as it goes.</summary>
[TestFixture]
internal sealed class RepairTests
{
    private const ulong Address = SimulatedStores.Address;
    private const int Pages = 300;
    private const ulong FirstPage = Address / PersistentHeap.PageSize;

    private static HeapStoreOptions Options => new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin, BackgroundReclaim = false };

    [Test]
    public void A_heap_with_a_damaged_page_goes_back_to_its_newest_checkpoint_without_it()
    {
        SparseImage image = Store();
        image.Flip(new StoreImage(image).Walk().Single(place => place.Level == 0 && place.PageNumber == FirstPage).Offset + 100, 3);
        using SimulatedMedium medium = new(1, image);
        using HeapStore store = HeapStore.Open(medium, Options);
        Assert.That(store.Verify().IsSound, Is.False);
        HeapRepair found = store.Examine().Single(repair => repair.HeapName == "main");
        Assert.Multiple(() =>
        {
            Assert.That(found.Damaged, Is.EqualTo(new long[] { 3 }));
            Assert.That(found.NewestValid, Is.EqualTo(2));
        });
        store.Repair();
        AssertIs(store, "main", first: 2);
        AssertIs(store, "fork", first: 1);
        Assert.That(store.GetHeap("main").LatestCheckpoint, Is.EqualTo(4));
        AssertWorks(store);
    }

    [Test]
    public void Damage_that_several_checkpoints_share_is_found_in_each_of_them()
    {
        SparseImage image = Store();
        image.Flip(new StoreImage(image).Walk().Single(place => place.Level == 0 && place.PageNumber == FirstPage + Pages - 1).Offset, 0);
        using SimulatedMedium medium = new(1, image);
        using HeapStore store = HeapStore.Open(medium, Options);
        IReadOnlyList<HeapRepair> found = store.Repair();
        Assert.That(found.Single(repair => repair.HeapName == "main").Damaged, Is.EquivalentTo(new long[] { 1, 2, 3 }));
        Assert.That(found.Single(repair => repair.HeapName == "main").NewestValid, Is.Null);
        Assert.That(found.Single(repair => repair.HeapName == "fork").Damaged, Is.EqualTo(new long[] { 1 }));

        // Nothing to go back to: everything but that page is still served.
        using PersistentHeap heap = store.OpenHeap("main");
        SimulatedStores.AssertFilled(heap, Address + (100 * PersistentHeap.PageSize), Pages - 101, version: 1);
        Assert.That(() => heap.Read(Address + ((Pages - 1) * PersistentHeap.PageSize), new byte[1]), Throws.InstanceOf<HeapCorruptedException>());
    }

    [TestCase("bitmap")]
    [TestCase("directory")]
    public void A_damaged_allocator_is_made_anew(string what)
    {
        SparseImage image = Store();
        StoreImage view = new(image);
        image.Flip(what == "bitmap" ? view.BitmapOffset(0) : view.DirectoryOffset(0), 1);
        using SimulatedMedium medium = new(1, image);
        using HeapStore store = HeapStore.Open(medium, Options);
        Assert.That(store.Verify().IsSound, Is.False);
        store.Repair();
        AssertIs(store, "main", first: 3);
        AssertIs(store, "fork", first: 1);
        AssertWorks(store);
    }

    [Test]
    public void A_sound_store_stays_as_it_is()
    {
        using SimulatedMedium medium = new(1, Store());
        using HeapStore store = HeapStore.Open(medium, Options);
        Assert.That(store.Repair().Sum(repair => repair.Damaged.Count), Is.Zero);
        AssertIs(store, "main", first: 3);
        Assert.That(store.History("main").Where(c => c.IsRetained).Select(c => c.Number), Is.EqualTo(new long[] { 1, 2, 3 }));
        AssertWorks(store);
    }

    [Test]
    public void A_crash_at_any_io_of_a_repair_leaves_the_store_before_or_after_it()
    {
        SparseImage image = Store();
        image.Flip(new StoreImage(image).Walk().Single(place => place.Level == 0 && place.PageNumber == FirstPage).Offset + 100, 3);
        int crashes = 0;
        for (bool more = true; more; crashes++)
        {
            using SimulatedMedium medium = new(crashes, image) { CrashAt = crashes };
            using (HeapStore store = HeapStore.Open(medium, Options))
            {
                try
                {
                    store.Repair();
                }
                catch (HeapFailedException) when (medium.HasCrashed)
                {
                }
            }

            more = medium.HasCrashed;
            using SimulatedMedium after = new(1, medium.Image(CrashFlavour.AnySubsetReordered, new Random(crashes)));
            using HeapStore again = HeapStore.Open(after, Options);
            if (!again.Verify().IsSound)
            {
                again.Repair();
            }

            AssertIs(again, "main", first: 2);
            AssertWorks(again);
        }

        Assert.That(crashes, Is.GreaterThan(5));
    }

    /// <summary>A heap of three retained checkpoints, each of which changed the first hundred pages, and a fork of the first.</summary>
    private static SparseImage Store()
    {
        using SimulatedMedium medium = new(1);
        using (HeapStore store = HeapStore.Create(medium, Options))
        {
            using PersistentHeap heap = store.CreateHeap("main");
            SimulatedStores.Fill(heap, Address, Pages, version: 1);
            heap.Checkpoint();
            store.SetRetention("main", new RetentionPolicy { KeepLast = 10 });
            store.Fork("main", 1, "fork");
            for (int version = 2; version <= 3; version++)
            {
                SimulatedStores.Fill(heap, Address, 100, version);
                heap.Checkpoint();
            }
        }

        return medium.Current();
    }

    private static void AssertIs(HeapStore store, string name, int first)
    {
        Assert.That(store.Verify().Problems, Is.Empty);
        using PersistentHeap heap = store.OpenHeap(name);
        SimulatedStores.AssertFilled(heap, Address, 100, first);
        SimulatedStores.AssertFilled(heap, Address + (100 * PersistentHeap.PageSize), Pages - 100, version: 1);
    }

    private static void AssertWorks(HeapStore store)
    {
        for (int i = 0; i < 3; i++)
        {
            using PersistentHeap heap = store.OpenHeap("main");
            SimulatedStores.Fill(heap, Address, Pages, version: 10 + i);
            heap.Checkpoint();
            Assert.That(store.Verify().Problems, Is.Empty);
        }
    }
}
