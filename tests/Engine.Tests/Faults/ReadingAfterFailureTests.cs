using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Faults;

/// <summary>
/// A failed write left the catalog in memory as the commit would have made it: the newest durable checkpoint could not be opened ("remembered, but not retained"), since
/// the one that had failed counted as the latest, and a heap whose drop had failed was gone until the store was opened again.
/// </summary>
[TestFixture]
internal sealed class ReadingAfterFailureTests
{
    private const long LongLength = 6L << 20;

    private SimulatedMedium _medium = null!;
    private HeapStore _store = null!;
    private PersistentHeap _heap = null!;

    private static HeapStoreOptions Options => new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin, BackgroundReclaim = false };

    [SetUp]
    public void CreateStore()
    {
        _medium = new SimulatedMedium(1);
        _store = HeapStore.Create(_medium, Options);
        _heap = _store.CreateHeap("first");
        SimulatedStores.Fill(_heap, SimulatedStores.Address, 20, version: 1);
        _heap.Checkpoint();
        _store.Fork("first", 1, "second");
    }

    [TearDown]
    public void CloseStore()
    {
        _heap.Dispose();
        _store.Dispose();
        _medium.Dispose();
    }

    [Test]
    public void The_latest_durable_checkpoint_can_be_opened_after_the_one_that_failed()
    {
        using HeapSnapshot before = _store.OpenSnapshot("first");
        SimulatedStores.Fill(_heap, SimulatedStores.Address, 20, version: 2);
        FailTheRoot(() => _heap.Checkpoint());
        using HeapSnapshot after = _store.OpenSnapshot("first");
        Assert.Multiple(() =>
        {
            Assert.That(after.CheckpointNumber, Is.EqualTo(1));
            Assert.That(_store.Difference(before, after), Is.Empty);
            Assert.That(_store.History("first").Select(c => c.Number), Is.EqualTo(new long[] { 1 }));
            Assert.That(_heap.LatestCheckpointNumber, Is.EqualTo(1));
        });
        SimulatedStores.AssertFilled(_heap, SimulatedStores.Address, 20, version: 2);
    }

    [Test]
    public void A_heap_whose_drop_failed_is_there()
    {
        FailTheRoot(() => _store.DropHeap("second"));
        Assert.That(_store.HeapNames, Is.EquivalentTo(new[] { "first", "second" }));
        using PersistentHeap second = _store.OpenHeap("second");
        SimulatedStores.AssertFilled(second, SimulatedStores.Address, 20, version: 1);
        Assert.That(() => _store.OpenHeap("second"), Throws.InstanceOf<HeapException>().With.Message.Contains("open already"));
    }

    [Test]
    public void A_heap_whose_first_checkpoint_failed_stays_in_hand_and_is_in_no_list_of_what_is_durable()
    {
        using PersistentHeap third = _store.CreateHeap("third");
        third.Write(0, [1]);
        FailTheRoot(() => third.Checkpoint());
        byte[] one = new byte[1];
        third.Read(0, one);
        Assert.Multiple(() =>
        {
            Assert.That(one[0], Is.EqualTo(1));
            Assert.That(third.LatestCheckpointNumber, Is.Zero);
            Assert.That(_store.Heaps.Select(heap => heap.Name), Is.EquivalentTo(new[] { "first", "second" }));
        });
    }

    /// <summary>The file was cut before the commit was announced: where that failed, what was durable was reported as failed, and could not be opened.</summary>
    [Test]
    public void A_commit_after_which_the_file_cannot_be_cut_counts_as_made()
    {
        long cutAt = -1;
        SimulatedMedium undisturbed = new(1);
        long longest = 0;
        undisturbed.BeforeIo = io =>
        {
            cutAt = cutAt < 0 && undisturbed.Length < longest ? io - 1 : cutAt;
            longest = Math.Max(longest, undisturbed.Length);
        };
        FillDropAndCompact(undisturbed).Dispose();
        Assert.That(cutAt, Is.Positive);

        SimulatedMedium medium = new(1);
        medium.FailAt(cutAt);
        using HeapStore store = FillDropAndCompact(medium);
        Assert.That(medium.Struck, Has.Count.EqualTo(1).And.One.Contains("resize"));
        using HeapStore image = HeapStore.Open(new SimulatedMedium(1, medium.Current()));
        Assert.Multiple(() =>
        {
            Assert.That(store.CommitNumber, Is.EqualTo(image.CommitNumber));
            Assert.That(() => store.Reclaim(), Throws.InstanceOf<HeapFailedException>());
        });
    }

    private static HeapStore FillDropAndCompact(SimulatedMedium medium)
    {
        HeapStore store = HeapStore.Create(medium, Options);
        using (PersistentHeap heap = store.CreateHeap("large"))
        {
            SimulatedStores.Fill(heap, SimulatedStores.Address, (int)(LongLength / PersistentHeap.PageSize), version: 1);
            heap.Checkpoint();
        }

        store.DropHeap("large");
        try
        {
            store.Compact();
        }
        catch (HeapFailedException) when (medium.Struck.Count > 0)
        {
        }

        return store;
    }

    /// <summary>Does something whose root is written, and whose last flush fails.</summary>
    private void FailTheRoot(Action change)
    {
        long flushes = _medium.FlushCount;
        _medium.BeforeIo = io =>
        {
            if (_medium.FlushCount == flushes + 1)
            {
                _medium.FailAt(io);
            }
        };
        Assert.That(() => change(), Throws.InstanceOf<HeapFailedException>());
        Assert.That(_medium.Struck, Has.Count.EqualTo(1));
    }
}
