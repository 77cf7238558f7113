using System.IO.Pipelines;
using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>
/// Four nodes of a page map that each name one child 256 times lead to 2^32 pages: whoever follows every reference does not come back. A walk ends where it has come to more
/// than the file holds.
/// </summary>
[TestFixture]
internal sealed class ForgedTreeTests
{
    private const string HeapName = SimulatedStores.HeapName;
    private const int Pages = 300;

    /// <summary>The slot of a root that the last addresses are below.</summary>
    private const int LastSlot = (int)(PersistentHeap.AddressSpaceBytes >> (FileLayout.PageShift + (FileLayout.NodeShift * (FileLayout.NodeLevels - 1)))) - 1;

    /// <summary>Some times what is in the file.</summary>
    private const int StepsMax = 40_000;

    [Test]
    public void The_difference_to_a_forged_page_map_ends_with_damage()
    {
        using HeapStore store = Open(Forged(HeapMap));
        using HeapSnapshot sound = store.OpenSnapshot(HeapName, 1);
        using HeapSnapshot forged = store.OpenSnapshot(HeapName);
        AssertEndsWithDamage(() => _ = store.Difference(sound, forged).Count());
        AssertEndsWithDamage(() => _ = store.Difference(forged, sound).Count());
    }

    [Test]
    public void The_pages_of_a_forged_page_map_end_with_damage()
    {
        using HeapStore store = Open(Forged(HeapMap));
        using HeapSnapshot forged = store.OpenSnapshot(HeapName);
        AssertEndsWithDamage(() => _ = forged.Pages().Count());
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Sending_a_forged_page_map_ends_with_damage(bool isWhole)
    {
        using HeapStore store = Open(Forged(HeapMap));
        using HeapSnapshot sound = store.OpenSnapshot(HeapName, 1);
        using HeapSnapshot forged = store.OpenSnapshot(HeapName);
        AssertEndsWithDamage(() => HeapTransfer.SendAsync(isWhole ? null : sound, forged, PipeWriter.Create(Stream.Null)).GetAwaiter().GetResult());
    }

    [Test]
    public void Verify_walks_a_forged_page_map_once_and_reports_it()
    {
        using HeapStore store = Open(Forged(HeapMap));
        Assert.That(store.Verify().Problems.Select(problem => problem.Message), Has.Some.Contains("more than once"));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Compaction_of_a_forged_page_map_is_refused_wherever_its_nodes_are(bool isInTail)
    {
        using HeapStore store = Open(Forged(HeapMap, isInTail));
        store.DropHeap("large");
        HeapException refusal = Assert.Throws<HeapException>(() => store.Compact())!;
        Assert.That(refusal.InnerException, Is.TypeOf<HeapCorruptedException>());

        // Nothing is latched: the rest of the store goes on.
        using PersistentHeap other = store.CreateHeap("other");
        SimulatedStores.Fill(other, SimulatedStores.Address, 20, version: 1);
        other.Checkpoint();
    }

    [Test]
    public void Compaction_of_a_store_whose_catalog_is_forged_is_refused()
    {
        using HeapStore store = Open(Forged(image => image.Root.Catalog));
        store.DropHeap("large");
        HeapException refusal = Assert.Throws<HeapException>(() => store.Compact())!;
        Assert.That(refusal.InnerException, Is.TypeOf<HeapCorruptedException>().With.Message.Contains("more than once"));
    }

    private static MapEntry HeapMap(StoreImage image) => image.Heaps[HeapName].MapRoot;

    private static void AssertEndsWithDamage(Action walk) => Assert.That(walk, Throws.TypeOf<HeapCorruptedException>().With.Message.Contains("more than once"));

    private static HeapStore Open(SparseImage image) => HeapStore.Open(new FuzzMedium(image, 1L << 20, StepsMax), FuzzExercise.Options);

    /// <summary>A store with a heap of two checkpoints, and another that makes room when it is dropped; in one map, the last addresses lead through four nodes of 256 equal entries to one page.</summary>
    private static SparseImage Forged(Func<StoreImage, MapEntry> map, bool isInTail = false)
    {
        SimulatedMedium medium = new(1);
        using (HeapStore store = HeapStore.Create(medium, FuzzExercise.Options))
        {
            using PersistentHeap heap = store.CreateHeap(HeapName);
            heap.Checkpoint();
            store.SetRetention(HeapName, new RetentionPolicy { KeepLast = 2 });
            SimulatedStores.Fill(heap, SimulatedStores.Address, Pages, version: 1);
            heap.Checkpoint();
            store.Retain(HeapName, 1);
            using PersistentHeap large = store.CreateHeap("large");
            SimulatedStores.Fill(large, SimulatedStores.Address, 4 * Pages, version: 1);
            large.Checkpoint();
        }

        SparseImage image = medium.Current();
        ChecksumGraph checksums = new(image);
        MapEntry root = map(new StoreImage(image));
        MapEntry entry = default;
        foreach (long place in Unused(image, isInTail).Take(FileLayout.NodeLevels).ToList())
        {
            // First a page, then the nodes over it.
            byte[] content = entry.Place == 0 ? SimulatedStores.PageContent(0, 1) : new byte[FileLayout.PageSize];
            for (int slot = 0; slot < FileLayout.NodeEntries && entry.Place != 0; slot++)
            {
                DiskView.As<MapEntry>(content.AsSpan(slot * MapEntry.Size)) = entry;
            }

            image.Write(place * FileLayout.PageSize, content);
            entry = new MapEntry { Place = (ulong)place, Checksum = DiskView.Hash(content) };
        }

        byte[] last = new byte[MapEntry.Size];
        DiskView.As<MapEntry>(last) = entry;
        image.Write(((long)root.Place * FileLayout.PageSize) + (LastSlot * MapEntry.Size), last);
        checksums.Repair(image, (long)root.Place);
        return image;
    }

    /// <summary>Pages of the file that nothing was ever written to, from one end or the other.</summary>
    private static IEnumerable<long> Unused(SparseImage image, bool fromEnd)
    {
        long count = image.Length / FileLayout.PageSize;
        for (long i = 0; i < count; i++)
        {
            long page = fromEnd ? count - 1 - i : i;
            if (page >= FileLayout.RegionReservedPages && image.IsHole(page * FileLayout.PageSize, FileLayout.PageSize))
            {
                yield return page;
            }
        }
    }
}
