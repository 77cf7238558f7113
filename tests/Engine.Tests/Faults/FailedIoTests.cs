using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Faults;

/// <summary>
/// A write, resize or flush that fails latches the store: it takes no more changes, asks the medium for none, and opening it again
/// finds the last checkpoint. (fsync that fails and then succeeds has lost data silently for many a database.)
/// </summary>
[TestFixture]
[Parallelizable(ParallelScope.All)]
internal sealed class FailedIoTests
{
    private const int Pages = 330;

    private static int[] Seeds => TestSeeds.Take(1);

    [TestCaseSource(nameof(Seeds))]
    public void Any_io_that_fails_latches_the_store_and_reopening_recovers_the_last_checkpoint(int seed)
    {
        long ios = Work(new SimulatedMedium(seed), out _, out long created);
        int struck = 0;
        foreach (IoFault fault in Enum.GetValues<IoFault>())
        {
            for (long at = created; at < ios; at++)
            {
                SimulatedMedium medium = new(seed);
                medium.FailAt(at, fault);
                Work(medium, out int returned, out _);
                if (medium.Struck.Count == 0)
                {
                    continue;
                }

                struck++;
                string when = $"seed {seed}, {medium.Struck[0]}";
                Assert.That(medium.IoCount, Is.EqualTo(at + 1), $"{when}: something was written after the failure");
                foreach (CrashFlavour flavour in new[] { CrashFlavour.KeepAll, CrashFlavour.TornSectors })
                {
                    AssertRecovers(medium.Image(flavour, new Random(seed)), returned, $"{when}, {flavour}");
                }
            }
        }

        TestContext.Out.WriteLine($"seed {seed}: {struck} failures");
        Assert.That(struck, Is.GreaterThan(50));
    }

    [Test]
    public void A_latched_store_says_what_failed_and_still_serves_what_is_committed()
    {
        SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 20, version: 1);
        heap.Checkpoint();
        heap.Write(SimulatedStores.Address + (1 << 20), [1]);
        medium.FailAt(medium.IoCount);
        HeapFailedException first = Assert.Throws<HeapFailedException>(() => heap.Checkpoint())!;
        HeapFailedException second = Assert.Throws<HeapFailedException>(() => heap.Checkpoint())!;
        Assert.Multiple(() =>
        {
            Assert.That(first.Message, Does.Contain("Input/output error").And.Contain("simulated medium"));
            Assert.That(second.Message, Does.Contain("Input/output error"));
            Assert.That(second.InnerException, Is.InstanceOf<IOException>());
            Assert.That(store.History(SimulatedStores.HeapName)[^1].Number, Is.EqualTo((long)heap.LatestCheckpointNumber));
        });
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 20, version: 1);
    }

    [Test]
    public void A_failure_in_the_background_reaches_whoever_waits_and_the_next_seal()
    {
        SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 20, version: 1);
        medium.FailAt(medium.IoCount + 3);
        PendingCheckpoint pending = heap.BeginCheckpoint();
        Assert.Throws<HeapFailedException>(() => pending.Wait());
        Assert.Multiple(() =>
        {
            Assert.That(pending.IsCompleted, Is.True);
            Assert.That(pending.Completion.IsFaulted, Is.True);
        });
        Assert.Throws<HeapFailedException>(() => heap.BeginCheckpoint());
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 20, version: 1);
    }

    [Test]
    public void A_full_disk_is_an_exception_and_the_store_works_again_once_there_is_room()
    {
        SimulatedMedium medium = new(1);
        using (HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest))
        {
            using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
            SimulatedStores.Fill(heap, SimulatedStores.Address, 100, version: 1);
            heap.Checkpoint();
            medium.Capacity = medium.Length + (1 << 20);
            HeapFullException full = Assert.Throws<HeapFullException>(() =>
            {
                for (int i = 0; i < 100; i++)
                {
                    SimulatedStores.Fill(heap, SimulatedStores.Address + ((ulong)i << 20), 256, version: 2);
                    heap.Checkpoint();
                }
            })!;
            Assert.That(full.Message, Does.Contain("no room"));
        }

        // Still full: what was committed can be read.
        medium.Reattach();
        long number;
        using (HeapStore store = HeapStore.Open(medium, SimulatedStores.Smallest))
        {
            using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
            number = (long)heap.LatestCheckpointNumber;
            Assert.That(store.Verify().IsSound, Is.True);
        }

        medium.Reattach();
        medium.Capacity = long.MaxValue;
        using (HeapStore store = HeapStore.Open(medium, SimulatedStores.Smallest))
        {
            using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
            SimulatedStores.Fill(heap, SimulatedStores.Address, 1000, version: 3);
            Assert.That(heap.Checkpoint().Number, Is.EqualTo(number + 1));
            SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 1000, version: 3);
            Assert.That(store.Verify().IsSound, Is.True);
        }
    }

    [TestCase(true)]
    [TestCase(false)]
    public void The_same_process_goes_on_once_there_is_room(bool inCheckpoint)
    {
        SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 100, version: 1);
        heap.Checkpoint();
        medium.Capacity = medium.Length;
        int written = 0;
        Assert.Throws<HeapFullException>(() =>
        {
            for (; written < 2000; written++)
            {
                if (inCheckpoint && written % 150 == 149)
                {
                    heap.Checkpoint();
                }

                SimulatedStores.Fill(heap, SimulatedStores.Address + ((ulong)written * PersistentHeap.PageSize), 1, version: 2);
            }
        });
        Assert.That(() => heap.Checkpoint(), Throws.InstanceOf<HeapFullException>());
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, written, version: 2);
        Assert.That(store.Verify().Problems, Is.Empty);

        medium.Capacity = long.MaxValue;
        SimulatedStores.Fill(heap, SimulatedStores.Address + ((ulong)written * PersistentHeap.PageSize), 2000 - written, version: 2);
        heap.Checkpoint();
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 2000, version: 2);
        Assert.That(store.Verify().Problems, Is.Empty);
    }

    /// <summary>Three checkpoints with evictions between them. Versions count up with each; tells how many had returned.</summary>
    private static long Work(SimulatedMedium medium, out int returned, out long created)
    {
        returned = 0;
        created = 0;
        HeapStore? store = null;
        PersistentHeap? heap = null;
        try
        {
            store = HeapStore.Create(medium, SimulatedStores.Smallest);
            heap = store.CreateHeap(SimulatedStores.HeapName);
            heap.Checkpoint(); // A heap is in the file from its first checkpoint on.
            created = medium.IoCount;
            for (int version = 1; version <= 3; version++)
            {
                SimulatedStores.Fill(heap, SimulatedStores.Address, Pages / version, version);
                heap.Checkpoint();
                returned = version;
            }
        }
        catch (HeapFailedException) when (medium.Struck.Count > 0)
        {
        }

        heap?.Dispose();
        store?.Dispose();
        return medium.IoCount;
    }

    private static void AssertRecovers(SparseImage image, int returned, string when)
    {
        using HeapStore store = HeapStore.Open(new SimulatedMedium(1, image), SimulatedStores.Smallest);
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        byte[] first = new byte[PersistentHeap.PageSize];
        heap.Read(SimulatedStores.Address, first);
        int version = Enumerable.Range(0, 4).First(v => v == 0
            ? first.AsSpan().IndexOfAnyExcept((byte)0) < 0
            : first.AsSpan().SequenceEqual(SimulatedStores.PageContent(SimulatedStores.Address / PersistentHeap.PageSize, v)));
        Assert.That(version, Is.InRange(returned, Math.Min(3, returned + 1)), when);
        for (int v = version; v >= 1; v--)
        {
            // Version v filled the first Pages / v pages; the rest is of older versions.
            int from = v == version ? 0 : Pages / (v + 1);
            SimulatedStores.AssertFilled(
                heap,
                SimulatedStores.Address + ((ulong)from * PersistentHeap.PageSize),
                (Pages / v) - from,
                v);
        }

        Assert.That(store.Verify().IsSound, Is.True, when);
    }
}
