using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.History;

/// <summary>The file gets shorter again, nothing is lost by it, and what was shared stays so. (With crashes, at random: Model.)</summary>
[TestFixture]
internal sealed class CompactionTests
{
    private const ulong Address = SimulatedStores.Address;
    private const int PageSize = PersistentHeap.PageSize;

    /// <summary>Of each crash the usual run looks at two of the four flavours in turn, a long run at all.</summary>
    private const int ImagesPerCrash = 2;

    private static HeapStoreOptions Options => new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin, BackgroundReclaim = false };

    [Test]
    public void What_was_dropped_leaves_the_file()
    {
        using SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, Options);
        FillHeap(store, "first", 100, version: 1);
        FillHeap(store, "large", 40_000, version: 2);
        FillHeap(store, "last", 100, version: 3);
        store.DropHeap("large");
        CompactionReport report = store.Compact();
        Assert.Multiple(() =>
        {
            Assert.That(report.FileBytesBefore, Is.GreaterThan(40_000 * PageSize));
            Assert.That(report.FileBytesAfter, Is.LessThanOrEqualTo(6 << 20));
            Assert.That(medium.Length, Is.EqualTo(report.FileBytesAfter));
            Assert.That(report.IsComplete, Is.True, string.Join("; ", report.WaitingFor));
        });
        AssertHeap(store, "first", 100, version: 1);
        AssertHeap(store, "last", 100, version: 3);
        AssertSound(store);

        // And it grows again, over bitmaps that had been cut off.
        FillHeap(store, "again", 40_000, version: 4);
        AssertHeap(store, "again", 40_000, version: 4);
        AssertSound(store);
    }

    [Test]
    public void What_is_shared_is_moved_once_and_stays_shared()
    {
        using SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, Options);
        FillHeap(store, "large", 20_000, version: 1);
        using (PersistentHeap heap = store.CreateHeap("tree"))
        {
            SimulatedStores.Fill(heap, Address, 3000, version: 2);
            heap.Checkpoint();
            store.SetRetention("tree", new RetentionPolicy { KeepLast = 20 });
            for (int version = 3; version < 10; version++)
            {
                SimulatedStores.Fill(heap, Address + ((ulong)version * 100 * PageSize), 50, version);
                heap.Checkpoint();
                store.Fork("tree", version - 1, $"fork {version}");
            }
        }

        store.DropHeap("large");
        while (store.Reclaim())
        {
        }

        AssertSound(store);
        Dictionary<string, byte[]> before = Contents(store);
        long used = store.Space.UsedBytes;
        CompactionReport report = store.Compact();
        AssertSound(store);
        Assert.Multiple(() =>
        {
            Assert.That(report.IsComplete, Is.True, string.Join("; ", report.WaitingFor));
            Assert.That(store.Space.UsedBytes, Is.LessThanOrEqualTo(used + (16 * PageSize)));
            Assert.That(report.FileBytesAfter, Is.LessThan(used + (used / 8) + (4 << 20)));
            Assert.That(Contents(store), Is.EqualTo(before));
        });
        Assert.That(store.Compact().FileBytesAfter, Is.LessThanOrEqualTo(report.FileBytesAfter), "a second time finds little to do");
        AssertSound(store);
    }

    [Test]
    public void An_open_heap_leaves_the_tail_with_its_checkpoints()
    {
        using SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, Options);
        FillHeap(store, "large", 20_000, version: 1);
        using PersistentHeap open = store.CreateHeap("open");
        SimulatedStores.Fill(open, Address, 3000, version: 2);
        open.Checkpoint();
        store.DropHeap("large");
        CompactionReport report = store.Compact();
        Assert.That(report.WaitingFor, Is.EqualTo(new[] { "open" }));
        for (int i = 0; i < 12; i++)
        {
            open.Write(0, [(byte)i]);
            open.Checkpoint();
            AssertSound(store);
        }

        Assert.That(medium.Length, Is.LessThan(3000 * PageSize * 5 / 4));
        SimulatedStores.AssertFilled(open, Address, 3000, version: 2);
    }

    [Test]
    public void A_crash_at_any_io_of_a_compaction_loses_nothing()
    {
        SimulatedMedium whole = new(1);
        Dictionary<string, byte[]> before;
        using (HeapStore store = HeapStore.Create(whole, Options))
        {
            FillHeap(store, "large", 1500, version: 1);
            FillHeap(store, "tree", 500, version: 2);
            store.Fork("tree", 1, "fork");
            using (PersistentHeap fork = store.OpenHeap("fork"))
            {
                SimulatedStores.Fill(fork, Address, 100, version: 3);
                fork.Checkpoint();
            }

            store.DropHeap("large");
            before = Contents(store);
        }

        SparseImage image = whole.Current();
        CrashFlavour[] flavours = [CrashFlavour.LoseAll, CrashFlavour.AnySubsetReordered, CrashFlavour.KeepAll, CrashFlavour.TornSectors];
        int crashes = 0;
        for (bool more = true; more; crashes++)
        {
            SimulatedMedium medium = new(crashes, image) { CrashAt = crashes };
            using (HeapStore store = HeapStore.Open(medium, Options))
            {
                try
                {
                    store.Compact();
                }
                catch (HeapFailedException) when (medium.HasCrashed)
                {
                }
            }

            more = medium.HasCrashed;
            Random random = new(crashes);
            for (int i = 0; i < (TestSeeds.IsLong ? flavours.Length : ImagesPerCrash); i++)
            {
                CrashFlavour flavour = flavours[((crashes * ImagesPerCrash) + i) % flavours.Length];
                using SimulatedMedium after = new(1, medium.Image(flavour, random));
                using HeapStore store = HeapStore.Open(after, Options);
                Assert.That(store.Verify().Problems, Is.Empty, $"crash at {crashes}, {flavour}");
                Assert.That(Contents(store), Is.EqualTo(before), $"crash at {crashes}, {flavour}");
            }
        }

        Assert.That(crashes, Is.GreaterThan(50));
    }

    private static void FillHeap(HeapStore store, string name, int pages, int version)
    {
        using PersistentHeap heap = store.CreateHeap(name);
        SimulatedStores.Fill(heap, Address, pages, version);
        heap.Checkpoint();
    }

    private static void AssertHeap(HeapStore store, string name, int pages, int version)
    {
        using PersistentHeap heap = store.OpenHeap(name);
        SimulatedStores.AssertFilled(heap, Address, pages, version);
    }

    private static void AssertSound(HeapStore store) => Assert.That(store.Verify().Problems, Is.Empty);

    /// <summary>A hash of every checkpoint that can be opened.</summary>
    private static Dictionary<string, byte[]> Contents(HeapStore store)
    {
        Dictionary<string, byte[]> contents = [];
        byte[] page = new byte[PageSize];
        foreach (HeapInfo heap in store.Heaps)
        {
            foreach (CheckpointInfo checkpoint in store.History(heap.Name).Where(c => c.IsRetained))
            {
                using HeapSnapshot snapshot = store.OpenSnapshot(heap.Name, checkpoint.Number);
                using System.Security.Cryptography.IncrementalHash hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
                foreach (ulong number in snapshot.Pages())
                {
                    if (number < PersistentHeap.AddressEnd / PageSize)
                    {
                        snapshot.Read(number * PageSize, page);
                        hash.AppendData(BitConverter.GetBytes(number));
                        hash.AppendData(page);
                    }
                }

                contents.Add($"{heap.Name}@{checkpoint.Number}", hash.GetHashAndReset());
            }
        }

        return contents;
    }
}
