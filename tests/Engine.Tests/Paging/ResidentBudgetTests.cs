using System.Globalization;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Paging;

/// <summary>The resident set never exceeds its budget, whatever the heap's size; page-map nodes live in it, too.</summary>
[TestFixture]
internal sealed class ResidentBudgetTests
{
    private const ulong PageSize = PersistentHeap.PageSize;
    private const long Overhead = 96L << 20;

    [Test]
    public void The_budget_is_never_exceeded_and_nothing_is_lost_by_eviction()
    {
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        long budget = HeapStoreOptions.ResidentBytesMin / PersistentHeap.PageSize;
        for (int round = 1; round <= 3; round++)
        {
            for (int i = 0; i < 2000; i++)
            {
                SimulatedStores.Fill(heap, SimulatedStores.Address + ((ulong)i * PageSize), 1, round);
                if (i % 50 == 0)
                {
                    HeapStatistics now = heap.Statistics;
                    Assert.That(now.ResidentFrames, Is.LessThanOrEqualTo(budget));
                    Assert.That(now.FrameCount, Is.LessThanOrEqualTo(budget));
                }
            }

            SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 2000, round);
            if (round == 2)
            {
                heap.Checkpoint();
            }
        }

        HeapStatistics statistics = heap.Statistics;
        Assert.Multiple(() =>
        {
            Assert.That(statistics.Evictions, Is.GreaterThan(6000));
            Assert.That(statistics.DirtyEvictions, Is.GreaterThan(4000), "dirty pages give up their frames between checkpoints");
            Assert.That(statistics.Faults, Is.GreaterThan(4000));
        });
    }

    [Test]
    public void The_page_map_of_a_heap_spread_over_all_of_its_address_space_lives_in_the_budget()
    {
        // One page every 64 GiB or so: five nodes of map for each, thirty times the budget in all.
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        const int Count = 2000;
        const ulong Stride = (1UL << 36) + (37 * PageSize);
        for (int i = 1; i <= Count; i++)
        {
            SimulatedStores.Fill(heap, (ulong)i * Stride, 1, version: 1);
            if (i % 500 == 0)
            {
                heap.Checkpoint();
            }
        }

        long budget = HeapStoreOptions.ResidentBytesMin / PersistentHeap.PageSize;
        Assert.That(heap.Statistics.ResidentFrames, Is.LessThanOrEqualTo(budget));
        for (int i = Count; i >= 1; i--)
        {
            SimulatedStores.AssertFilled(heap, (ulong)i * Stride, 1, version: 1);
        }

        Assert.Multiple(() =>
        {
            Assert.That(heap.Statistics.MapFaults, Is.GreaterThan(Count));
            Assert.That(heap.Statistics.ResidentFrames, Is.LessThanOrEqualTo(budget));
            Assert.That(store.Verify().IsSound, Is.True);
        });
    }

    [Test]
    public void Reading_what_was_never_written_costs_no_frame()
    {
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        heap.Write(SimulatedStores.Address, [1]);
        long before = heap.Statistics.ResidentFrames;
        byte[] bytes = new byte[64 << 10];
        bytes.AsSpan().Fill(1);
        heap.Read(1UL << 40, bytes);
        Assert.Multiple(() =>
        {
            Assert.That(bytes, Is.All.Zero);
            Assert.That(heap.Statistics.ResidentFrames, Is.EqualTo(before));
        });
    }

    [Test]
    public void Trimming_keeps_what_has_changed_and_gives_everything_else_back()
    {
        const int Pages = 200;
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        using TranslationWindow window = heap.OpenWindow(SimulatedStores.Address);
        SimulatedStores.Fill(heap, SimulatedStores.Address, Pages, version: 1);
        heap.Trim();
        Assert.That(heap.Statistics.ResidentFrames, Is.GreaterThanOrEqualTo(Pages), "nothing has been written yet");

        heap.Checkpoint();
        SimulatedStores.Fill(heap, SimulatedStores.Address, 3, version: 2);
        heap.Trim();
        Assert.That(heap.Statistics.ResidentFrames, Is.InRange(3, 3 + 6 + 5), "three pages, the nodes above them, and those above the account of addresses");
        Assert.That(heap.DirtyBytes, Is.GreaterThanOrEqualTo(3 * PageSize));
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 3, version: 2);
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address + (3 * PageSize), Pages - 3, version: 1);

        heap.Checkpoint();
        heap.Trim();
        Assert.That(heap.Statistics.ResidentFrames, Is.EqualTo(1), "the root of the page map");
        Assert.That(store.Verify().IsSound, Is.True);
    }

    [Test]
    public void A_budget_below_the_smallest_is_refused()
    {
        HeapStoreOptions tooSmall = new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin - 1 };
        Assert.That(() => HeapStore.Create(new SimulatedMedium(1), tooSmall), Throws.InstanceOf<ArgumentException>());
    }

    [Test]
    [Platform("Linux", Reason = "reads /proc/self")]
    [NonParallelizable]
    public void The_memory_of_the_process_stays_within_the_budget_and_a_fixed_overhead()
    {
        const int MiB = 1 << 20;
        const long HeapBytes = 384L * MiB;
        const long Budget = 8L * MiB;
        using TemporaryFolder folder = new();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive); // What other tests left must not come off the growth.
        long baseline = ResidentSetBytes();
        long largest = 0;
        using (HeapStore store = HeapStore.Create(folder.File("large.heap"), new HeapStoreOptions { ResidentBytes = Budget }))
        {
            using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
            byte[] chunk = new byte[64 << 10];
            Random random = new(1);
            random.NextBytes(chunk);
            for (long at = 0; at < HeapBytes; at += chunk.Length)
            {
                BitConverter.TryWriteBytes(chunk, at);
                heap.Write(SimulatedStores.Address + (ulong)at, chunk);
                if (at % (64 * MiB) == 0)
                {
                    heap.BeginCheckpoint();
                    largest = Math.Max(largest, ResidentSetBytes());
                }
            }

            heap.Checkpoint();
            Assert.That(store.Verify().IsSound, Is.True);
            largest = Math.Max(largest, ResidentSetBytes());
            for (int i = 0; i < 60_000; i++)
            {
                long at = random.NextInt64(HeapBytes / chunk.Length) * chunk.Length;
                heap.Read(SimulatedStores.Address + (ulong)at, chunk.AsSpan(0, 8));
                if (BitConverter.ToInt64(chunk) != at)
                {
                    throw new AssertionException($"Wrong content at {at}.");
                }

                if (i % 2000 == 0)
                {
                    largest = Math.Max(largest, ResidentSetBytes());
                }
            }
        }

        TestContext.Out.WriteLine($"RSS grew by {(largest - baseline) / MiB} MiB over {baseline / MiB} MiB, under a budget of {Budget / MiB} MiB");
        Assert.That(largest - baseline, Is.LessThan(Budget + Overhead));
    }

    /// <summary>Anonymous, file-backed and shared pages of this process.</summary>
    internal static long ResidentSetBytes()
    {
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.AsSpan(6).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) * 1024;
    }
}
