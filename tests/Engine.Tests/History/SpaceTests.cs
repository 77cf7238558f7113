using System.Collections.Immutable;
using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.History;

/// <summary>
/// A great many random operations over many heaps, forks, retained checkpoints and drops: in the end the store has allocated exactly what its live checkpoints reach (the
/// independent checker of <see cref="HeapStore.Verify"/> walks it all), every checkpoint has what it had, and the file has not outgrown what is in it.
/// </summary>
[TestFixture]
[Parallelizable(ParallelScope.All)]
internal sealed class SpaceTests
{
    private const int Operations = 12_000;
    private const int OperationsLong = 1_000_000;
    private const int OperationsBetweenLooks = 2_000;
    private const int HeapsMax = 24;
    private const int RetainedMax = 12;
    private const int PageSpread = 1500;

    /// <summary>The file may have, beside what is in use and held: a step of growth, and a quarter.</summary>
    private const long GrowthBytes = 8 << 20;

    private static int[] Seeds => [1];

    [TestCaseSource(nameof(Seeds))]
    public void Allocated_is_exactly_what_live_checkpoints_reach_after_very_many_operations(int seed)
    {
        using SimulatedMedium medium = new(seed);
        using HeapStore store = HeapStore.Create(medium, new HeapStoreOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin, BackgroundReclaim = false });
        Random random = new(seed);
        Dictionary<string, SortedDictionary<long, ImmutableDictionary<ulong, int>>> model = [];
        int version = 0;
        int count = TestSeeds.IsLong ? OperationsLong : Operations;
        for (int operation = 1; operation <= count; operation++)
        {
            Operate(store, random, model, ref version);
            if (operation % OperationsBetweenLooks == 0)
            {
                AssertSound(store, $"seed {seed}, after {operation} operations");
            }
        }

        while (store.Reclaim())
        {
        }

        string when = $"seed {seed}, after {count} operations and all reclaiming";
        AssertSound(store, when);
        AssertContent(store, model, when);
        long peak = store.Space.FileBytes;
        CompactionReport report = store.Compact();
        AssertSound(store, $"{when}, compacted");
        AssertContent(store, model, $"{when}, compacted");
        TestContext.Out.WriteLine($"seed {seed}: {model.Count} heaps, {store.CommitNumber} commits, {store.Space}; file {peak} before, {report.FileBytesAfter} after compaction");
        Assert.Multiple(() =>
        {
            Assert.That(report.IsComplete, Is.True, string.Join("; ", report.WaitingFor));
            Assert.That(report.FileBytesAfter, Is.LessThan((store.Space.UsedBytes * 5 / 4) + GrowthBytes), when);
        });
        foreach (string name in model.Keys)
        {
            store.DropHeap(name);
        }

        Assert.That(store.Compact().FileBytesAfter, Is.LessThanOrEqualTo(4 << 20), "nothing is left but the catalog");
        AssertSound(store, "empty");
    }

    private static void Operate(
        HeapStore store, Random random, Dictionary<string, SortedDictionary<long, ImmutableDictionary<ulong, int>>> model, ref int version)
    {
        string? name = model.Count == 0 ? null : model.Keys.ElementAt(random.Next(model.Count));
        int draw = random.Next(100);
        if (name is null || (draw < 3 && model.Count < HeapsMax))
        {
            string created = $"heap {version++}";
            using PersistentHeap heap = store.CreateHeap(created);
            model[created] = new SortedDictionary<long, ImmutableDictionary<ulong, int>> { [heap.Checkpoint().Number] = ImmutableDictionary<ulong, int>.Empty };
            return;
        }

        SortedDictionary<long, ImmutableDictionary<ulong, int>> heapModel = model[name];
        long checkpoint = heapModel.Keys.ElementAt(random.Next(heapModel.Count));
        long latest = heapModel.Keys.Last();
        switch (draw)
        {
            case < 60:
                Work(store, name, random, heapModel, ref version);
                break;
            case < 72 when heapModel.Count < RetainedMax:
                store.Retain(name, latest);
                Work(store, name, random, heapModel, ref version, keepsLatest: true);
                break;
            case < 80 when model.Count < HeapsMax:
                string fork = $"heap {version++}";
                store.Fork(name, checkpoint, fork);
                model[fork] = new SortedDictionary<long, ImmutableDictionary<ulong, int>> { [checkpoint] = heapModel[checkpoint] };
                break;
            case < 85:
                ImmutableDictionary<ulong, int> content = heapModel[checkpoint];
                long reverted = store.Revert(name, checkpoint).Number;
                ForgetUnlessHeld(store, name, heapModel, latest);
                heapModel[reverted] = content;
                break;
            case < 92 when checkpoint != latest:
                store.DropCheckpoint(name, checkpoint);
                heapModel.Remove(checkpoint);
                break;
            case < 95 when model.Count > 2:
                store.DropHeap(name);
                model.Remove(name);
                break;
            default:
                store.Reclaim(random.Next(1, 2000));
                break;
        }
    }

    private static void Work(
        HeapStore store,
        string name,
        Random random,
        SortedDictionary<long, ImmutableDictionary<ulong, int>> heapModel,
        ref int version,
        bool keepsLatest = false)
    {
        using PersistentHeap heap = store.OpenHeap(name);
        long latest = heapModel.Keys.Last();
        ImmutableDictionary<ulong, int> pages = heapModel[latest];
        for (int i = random.Next(1, 25); i > 0; i--)
        {
            ulong page = 1024 + (ulong)random.Next(PageSpread);
            if (random.Next(8) == 0)
            {
                heap.Clear(page * PersistentHeap.PageSize, PersistentHeap.PageSize);
                pages = pages.Remove(page);
            }
            else
            {
                heap.Write(page * PersistentHeap.PageSize, SimulatedStores.PageContent(page, ++version));
                pages = pages.SetItem(page, version);
            }
        }

        long number = heap.Checkpoint().Number;
        if (!keepsLatest)
        {
            ForgetUnlessHeld(store, name, heapModel, latest);
        }

        heapModel[number] = pages;
    }

    /// <summary>What was the latest, and is not held, is gone with the next.</summary>
    private static void ForgetUnlessHeld(HeapStore store, string name, SortedDictionary<long, ImmutableDictionary<ulong, int>> heapModel, long latest)
    {
        if (!store.History(name).Single(info => info.Number == latest).IsHeld)
        {
            heapModel.Remove(latest);
        }
    }

    private static void AssertContent(HeapStore store, Dictionary<string, SortedDictionary<long, ImmutableDictionary<ulong, int>>> model, string when)
    {
        byte[] found = new byte[PersistentHeap.PageSize];
        Assert.That(store.HeapNames, Is.EquivalentTo(model.Keys), when);
        foreach ((string name, SortedDictionary<long, ImmutableDictionary<ulong, int>> checkpoints) in model)
        {
            Assert.That(store.History(name).Where(info => info.IsRetained).Select(info => info.Number), Is.EqualTo(checkpoints.Keys), $"{when}: {name}");
            foreach ((long number, ImmutableDictionary<ulong, int> pages) in checkpoints)
            {
                using HeapSnapshot snapshot = store.OpenSnapshot(name, number);
                Assert.That(snapshot.MappedPages, Is.EqualTo(pages.Count), $"{when}: {name}@{number}");
                foreach ((ulong page, int version) in pages)
                {
                    snapshot.Read(page * PersistentHeap.PageSize, found);
                    Assert.That(found.AsSpan().SequenceEqual(SimulatedStores.PageContent(page, version)), Is.True, $"{when}: {name}@{number}, page {page}");
                }
            }
        }
    }

    private static void AssertSound(HeapStore store, string when)
    {
        VerifyReport report = store.Verify();
        Assert.That(report.Problems, Is.Empty, when);
        Assert.That(report.AllocatedPages, Is.EqualTo(report.ReachablePages), when);
    }
}
