using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Faults;

/// <summary>Damage of every kind of structure is refused, and the message says which and where.</summary>
[TestFixture]
internal sealed class DamageTests
{
    private const int Checkpoints = 3;
    private const int Pages = 40;
    private const int FlipsPerKind = 40;

    private static readonly SparseImage Sound = SimulatedStores.Image(Checkpoints, Pages);
    private static readonly int[] Levels = [1, 2, 3, 4, 5];

    [Test]
    public void A_flipped_bit_in_a_page_is_refused_by_page_number_and_offset()
    {
        StoreImage image = new(Sound);
        Random random = new(1);
        foreach ((int level, ulong page, long offset) in image.Walk().Where(place => place.Level == 0))
        {
            Assert.That(level, Is.Zero);
            using HeapStore store = OpenFlipped(offset, random);
            using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
            byte[] bytes = new byte[8];
            HeapCorruptedException refused = Assert.Throws<HeapCorruptedException>(() => heap.Read(page * PersistentHeap.PageSize, bytes))!;
            Assert.Multiple(() =>
            {
                Assert.That(refused.PageNumber, Is.EqualTo((long)page));
                Assert.That(refused.FileOffset, Is.EqualTo(offset));
                Assert.That(refused.HeapName, Is.EqualTo(SimulatedStores.HeapName));
                Assert.That(bytes, Is.All.Zero, "nothing of a refused page is served");
            });
        }
    }

    [Test]
    public void A_damaged_page_is_refused_again_and_other_pages_are_served()
    {
        (int _, ulong page, long offset) = new StoreImage(Sound).Walk().First(place => place.Level == 0);
        using HeapStore store = OpenFlipped(offset, new Random(2));
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        byte[] bytes = new byte[PersistentHeap.PageSize];
        Assert.Throws<HeapCorruptedException>(() => heap.Read(page * PersistentHeap.PageSize, bytes));
        Assert.Throws<HeapCorruptedException>(() => heap.Read(page * PersistentHeap.PageSize, bytes));
        Assert.Throws<HeapCorruptedException>(() => heap.Write((page * PersistentHeap.PageSize) + 5, [1, 2, 3]));
        SimulatedStores.AssertFilled(heap, (page + 1) * PersistentHeap.PageSize, Pages - 1, Checkpoints);
    }

    [TestCaseSource(nameof(Levels))]
    public void A_flipped_bit_in_a_map_node_is_refused_by_offset(int level)
    {
        (int _, ulong _, long offset) = new StoreImage(Sound).Walk().First(place => place.Level == level);
        Random random = new(level);
        for (int i = 0; i < FlipsPerKind; i++)
        {
            using HeapStore store = OpenFlipped(offset, random);
            using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
            HeapCorruptedException refused = Assert.Throws<HeapCorruptedException>(() => heap.Read(SimulatedStores.Address, new byte[8]))!;
            Assert.That(refused.FileOffset, Is.EqualTo(offset), refused.Message);
        }
    }

    [Test]
    public void A_flipped_bit_in_the_newest_catalog_falls_back_to_the_root_before_it()
    {
        StoreImage image = new(Sound);
        Random random = new(3);
        foreach ((int _, ulong _, long offset) in image.WalkCatalog())
        {
            for (int i = 0; i < FlipsPerKind / 4; i++)
            {
                AssertOpensTheOneBefore(offset, random, "catalog");
            }
        }
    }

    [Test]
    public void A_flipped_bit_in_the_newest_root_falls_back_to_the_root_before_it_and_is_reported()
    {
        StoreImage image = new(Sound);
        Random random = new(4);
        for (int i = 0; i < FlipsPerKind; i++)
        {
            AssertOpensTheOneBefore(FileLayout.SuperblockOffset(image.Slot), random, "root");
        }
    }

    [Test]
    public void Every_bit_of_the_head_of_a_root_counts()
    {
        StoreImage image = new(Sound);
        long offset = FileLayout.SuperblockOffset(image.Slot);
        for (int bit = 0; bit < 256 * 8; bit++)
        {
            SparseImage flipped = Sound.Copy();
            flipped.Flip(offset + (bit / 8), bit % 8);
            try
            {
                using HeapStore store = HeapStore.Open(new SimulatedMedium(1, flipped), SimulatedStores.Smallest);
                Assert.That(store.SkippedRoots, Has.Count.EqualTo(1), $"bit {bit}");
            }
            catch (HeapFormatException)
            {
                Assert.That(bit / 8, Is.InRange(8, 11), "only a newer version may be refused as a whole");
            }
        }
    }

    [Test]
    public void All_roots_damaged_is_a_clear_error_that_names_each_slot()
    {
        SparseImage damaged = Sound.Copy();
        for (int slot = 0; slot < FileLayout.SlotCount; slot++)
        {
            damaged.Flip(FileLayout.SuperblockOffset(slot) + 2000, 3);
        }

        HeapCorruptedException refused = Assert.Throws<HeapCorruptedException>(
            () => HeapStore.Open(new SimulatedMedium(1, damaged), SimulatedStores.Smallest))!;
        Assert.That(refused.Message, Does.Contain("simulated medium").And.Contain("0").And.Contain("1").And.Contain("2"));
    }

    [Test]
    public void A_flipped_bit_in_the_allocator_is_refused_before_anything_is_written_over()
    {
        StoreImage image = new(Sound);
        Random random = new(5);
        foreach (long offset in new[] { image.BitmapOffset(0), image.DirectoryOffset(0) })
        {
            for (int i = 0; i < FlipsPerKind; i++)
            {
                AssertAllocatorDamageIsRefused(offset, random);
            }
        }
    }

    [Test]
    public void Verify_finds_a_flipped_bit_in_anything_the_newest_root_reaches()
    {
        StoreImage image = new(Sound);
        List<long> offsets = [.. image.Walk().Select(place => place.Offset), image.BitmapOffset(0), image.DirectoryOffset(0)];
        Random random = new(6);
        foreach (long offset in offsets)
        {
            SparseImage flipped = Flipped(offset, random);
            try
            {
                using HeapStore store = HeapStore.Open(new SimulatedMedium(1, flipped), SimulatedStores.Smallest);
                VerifyReport report = store.Verify();
                Assert.That(report.IsSound, Is.False, $"damage at {offset}");
                Assert.That(report.Problems.Select(p => p.FileOffset), Does.Contain(offset), $"damage at {offset}");
            }
            catch (HeapCorruptedException refused)
            {
                Assert.That(refused.FileOffset, Is.EqualTo(offset), refused.Message);
            }
        }
    }

    [Test]
    public void Verify_of_a_sound_store_says_how_much_it_walked()
    {
        using HeapStore store = HeapStore.Open(new SimulatedMedium(1, Sound), SimulatedStores.Smallest);
        VerifyReport report = store.Verify();
        Assert.Multiple(() =>
        {
            Assert.That(report.IsSound, Is.True);
            Assert.That(report.Pages, Is.EqualTo(new StoreImage(Sound).Walk().Count(place => place.Level == 0)));
            Assert.That(report.MapNodes, Is.EqualTo(new StoreImage(Sound).Walk().Concat(new StoreImage(Sound).WalkCatalog()).Count(place => place.Level > 0)));
            Assert.That(report.ReachablePages, Is.EqualTo(report.AllocatedPages));
        });
    }

    private static void AssertAllocatorDamageIsRefused(long offset, Random random)
    {
        SparseImage flipped = Flipped(offset, random);
        SimulatedMedium medium = new(1, flipped);
        try
        {
            using HeapStore store = HeapStore.Open(medium, SimulatedStores.Smallest);
            using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
            SimulatedStores.AssertFilled(heap, SimulatedStores.Address, Pages, Checkpoints);
            HeapException refused = Assert.Catch<HeapException>(() =>
            {
                SimulatedStores.Fill(heap, SimulatedStores.Address, Pages, version: 99);
                heap.Checkpoint();
            })!;
            HeapCorruptedException? cause = refused as HeapCorruptedException ?? refused.InnerException as HeapCorruptedException;
            Assert.That(cause, Is.Not.Null, refused.ToString());
            Assert.That(cause!.FileOffset, Is.EqualTo(offset), cause.Message);
        }
        catch (HeapCorruptedException refused)
        {
            Assert.That(refused.FileOffset, Is.EqualTo(offset), refused.Message);
        }

        // Whatever was refused, the committed pages are all still what they were.
        SimulatedMedium again = new(1, medium.Current());
        try
        {
            using HeapStore store = HeapStore.Open(again, SimulatedStores.Smallest);
            using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
            SimulatedStores.AssertFilled(heap, SimulatedStores.Address, Pages, Checkpoints);
        }
        catch (HeapCorruptedException refused)
        {
            Assert.That(refused.FileOffset, Is.EqualTo(offset), refused.Message);
        }
    }

    private static void AssertOpensTheOneBefore(long offset, Random random, string word)
    {
        List<string> told = [];
        SimulatedMedium medium = new(1, Flipped(offset, random));
        using HeapStore store = HeapStore.Open(
            medium,
            new HeapStoreOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin, Logger = new ListLogger(told) });
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, Pages, Checkpoints - 1);
        Assert.Multiple(() =>
        {
            Assert.That(store.Verify().IsSound, Is.True);
            Assert.That(store.SkippedRoots, Has.Count.EqualTo(1));
            Assert.That(store.SkippedRoots[0].Slot, Is.EqualTo(new StoreImage(Sound).Slot));
            Assert.That(store.SkippedRoots[0].Reason, Does.Contain("checksum").IgnoreCase.Or.Contain("magic").IgnoreCase.Or.Contain(word).IgnoreCase);
            Assert.That(told, Has.Count.EqualTo(1));
        });

        // And the next checkpoint heals the store.
        SimulatedStores.Fill(heap, SimulatedStores.Address, Pages, version: 50);
        heap.Checkpoint();
        heap.Dispose();
        store.Dispose();
        medium.Reattach();
        using HeapStore healed = HeapStore.Open(medium, SimulatedStores.Smallest);
        using PersistentHeap heapAgain = healed.OpenHeap(SimulatedStores.HeapName);
        SimulatedStores.AssertFilled(heapAgain, SimulatedStores.Address, Pages, version: 50);
        Assert.That(healed.Verify().IsSound, Is.True);
    }

    private static HeapStore OpenFlipped(long offset, Random random) =>
        HeapStore.Open(new SimulatedMedium(1, Flipped(offset, random)), SimulatedStores.Smallest);

    private static SparseImage Flipped(long offset, Random random)
    {
        SparseImage flipped = Sound.Copy();
        int bit = random.Next(FileLayout.PageSize * 8);

        // The version field of a root is left alone: a root of a newer version is refused with the whole store.
        if (offset < FileLayout.SlotCount * FileLayout.PageSize && bit / 8 is >= 8 and < 12)
        {
            bit += 64;
        }

        flipped.Flip(offset + (bit / 8), bit % 8);
        return flipped;
    }
}
