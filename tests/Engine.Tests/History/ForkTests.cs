using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.History;

/// <summary>Forks, reverts, drops, snapshots and differences, one thing at a time. (All of them at once, at random: Model.)</summary>
[TestFixture]
internal sealed class ForkTests
{
    private const ulong Address = SimulatedStores.Address;
    private const int Pages = 600;

    private SimulatedMedium _medium = null!;
    private HeapStore _store = null!;
    private PersistentHeap _heap = null!;

    private static HeapStoreOptions Options => new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin, BackgroundReclaim = false };

    [SetUp]
    public void CreateStore()
    {
        _medium = new SimulatedMedium(1);
        _store = HeapStore.Create(_medium, Options);
        _heap = _store.CreateHeap("origin");
        SimulatedStores.Fill(_heap, Address, Pages, version: 1);
        _heap.Checkpoint();
    }

    [TearDown]
    public void CloseStore()
    {
        _heap.Dispose();
        _store.Dispose();
        _medium.Dispose();
    }

    [Test]
    public void A_fork_starts_as_its_origin_and_then_both_go_their_own_ways()
    {
        HeapInfo info = _store.Fork("origin", 1, "fork");
        SimulatedStores.Fill(_heap, Address, 20, version: 2);
        _heap.Checkpoint();
        using PersistentHeap fork = _store.OpenHeap("fork");
        SimulatedStores.AssertFilled(fork, Address, Pages, version: 1);
        SimulatedStores.Fill(fork, Address + (10 * PersistentHeap.PageSize), 20, version: 3);
        fork.Checkpoint();
        Assert.Multiple(() =>
        {
            Assert.That(info.OriginName, Is.EqualTo("origin"));
            Assert.That(info.OriginCheckpoint, Is.EqualTo(1));
            Assert.That(fork.LatestCheckpointNumber, Is.EqualTo(2));
            Assert.That(_store.HeapNames, Is.EquivalentTo(new[] { "origin", "fork" }));
        });
        SimulatedStores.AssertFilled(_heap, Address, 20, version: 2);
        SimulatedStores.AssertFilled(_heap, Address + (20 * PersistentHeap.PageSize), Pages - 20, version: 1);
        SimulatedStores.AssertFilled(fork, Address + (10 * PersistentHeap.PageSize), 20, version: 3);
        AssertSound();
    }

    [Test]
    public async Task A_checkpoint_can_be_awaited_while_its_heap_goes_on()
    {
        SimulatedStores.Fill(_heap, Address, 20, version: 2);
        PendingCheckpoint pending = _heap.BeginCheckpoint();
        SimulatedStores.Fill(_heap, Address, 20, version: 3);
        CheckpointInfo info = await pending;
        using HeapSnapshot snapshot = _store.OpenSnapshot("origin", info.Number);
        byte[] page = new byte[PersistentHeap.PageSize];
        snapshot.Read(Address, page);
        Assert.That(page, Is.EqualTo(SimulatedStores.PageContent(Address / PersistentHeap.PageSize, 2)));
        SimulatedStores.AssertFilled(_heap, Address, 20, version: 3);
    }

    [Test]
    public void A_fork_costs_a_few_pages_whatever_its_size()
    {
        long before = _store.Space.UsedBytes;
        _store.Fork("origin", 1, "fork");
        Assert.That(_store.Space.UsedBytes - before, Is.LessThan(20 * PersistentHeap.PageSize));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Space_comes_back_exactly_whichever_side_is_dropped_first(bool originFirst)
    {
        _store.Fork("origin", 1, "fork");
        using (PersistentHeap fork = _store.OpenHeap("fork"))
        {
            SimulatedStores.Fill(fork, Address, Pages / 2, version: 2);
            fork.Checkpoint();
        }

        _heap.Dispose();
        _store.DropHeap(originFirst ? "origin" : "fork");
        AssertSound();
        string left = originFirst ? "fork" : "origin";
        using (PersistentHeap heap = _store.OpenHeap(left))
        {
            SimulatedStores.AssertFilled(heap, Address + (Pages / 2 * PersistentHeap.PageSize), Pages / 2, version: 1);
            SimulatedStores.AssertFilled(heap, Address, Pages / 2, version: originFirst ? 2 : 1);
        }

        ReclaimAll();
        Assert.That(_store.Space.SharedPages, Is.Zero);
        AssertSound();
        _store.DropHeap(left);
        ReclaimAll();
        AssertSound();
        Assert.That(_store.Space.UsedBytes, Is.LessThan(32 * PersistentHeap.PageSize), "only the catalog and the allocator are left");
    }

    [Test]
    public void Retained_checkpoints_can_be_read_compared_forked_and_gone_back_to()
    {
        _store.SetRetention("origin", new RetentionPolicy { KeepLast = 3 });
        for (int version = 2; version <= 5; version++)
        {
            SimulatedStores.Fill(_heap, Address, 10 * version, version);
            _heap.Checkpoint();
            AssertSound();
        }

        Assert.That(_store.History("origin").Where(c => c.IsRetained).Select(c => c.Number), Is.EqualTo(new long[] { 3, 4, 5 }));
        Assert.That(() => _store.OpenSnapshot("origin", 2), Throws.InstanceOf<HeapException>().With.Message.Contains("not retained"));
        using HeapSnapshot third = _store.OpenSnapshot("origin", 3);
        using HeapSnapshot fifth = _store.OpenSnapshot("origin");
        byte[] page = new byte[PersistentHeap.PageSize];
        third.Read(Address, page);
        Assert.That(page, Is.EqualTo(SimulatedStores.PageContent(Address / PersistentHeap.PageSize, 3)));
        Assert.That(_store.Difference(third, fifth).Select(d => (d.PageNumber, d.Kind)), Is.EqualTo(
            Enumerable.Range(0, 50).Select(i => ((Address / PersistentHeap.PageSize) + (ulong)i, PageDifferenceKind.Changed))));
        Assert.That(third.Pages().Count(), Is.EqualTo(third.MappedPages));

        CheckpointInfo reverted = _heap.Revert(3);
        Assert.That(reverted.Number, Is.EqualTo(6));
        SimulatedStores.AssertFilled(_heap, Address, 30, version: 3);
        Assert.That(_store.Difference(third, _store.OpenSnapshot("origin")), Is.Empty);
        AssertSound();
        SimulatedStores.Fill(_heap, Address, 5, version: 7);
        _heap.Checkpoint();
        AssertSound();
    }

    [Test]
    public void An_open_snapshot_keeps_its_checkpoint_and_no_longer()
    {
        HeapSnapshot snapshot = _store.OpenSnapshot("origin");
        for (int version = 2; version <= 6; version++)
        {
            SimulatedStores.Fill(_heap, Address, Pages, version);
            _heap.Checkpoint();
        }

        byte[] page = new byte[PersistentHeap.PageSize];
        for (ulong i = 0; i < Pages; i++)
        {
            snapshot.Read(Address + (i * PersistentHeap.PageSize), page);
            Assert.That(page, Is.EqualTo(SimulatedStores.PageContent((Address / PersistentHeap.PageSize) + i, 1)));
        }

        AssertSound();
        snapshot.Dispose();
        long before = _store.Space.UsedBytes;
        ReclaimAll();
        Assert.That(before - _store.Space.UsedBytes, Is.GreaterThanOrEqualTo(Pages * PersistentHeap.PageSize));
        Assert.That(_store.History("origin").Count(c => c.IsRetained), Is.EqualTo(1));
        AssertSound();
    }

    [Test]
    public void Everything_is_there_after_opening_again()
    {
        _store.SetRetention("origin", new RetentionPolicy { KeepLast = 2, KeepFor = TimeSpan.FromDays(1) });
        _store.Retain("origin", 1, "the first");
        _store.Fork("origin", 1, "fork");
        SimulatedStores.Fill(_heap, Address, 5, version: 2);
        _heap.Checkpoint();
        string before = Describe();
        _heap.Dispose();
        _store.Dispose();
        _medium.Reattach();
        _store = HeapStore.Open(_medium, Options);
        Assert.That(Describe(), Is.EqualTo(before));
        Assert.That(_store.History("origin")[0].Name, Is.EqualTo("the first"));
        _heap = _store.OpenHeap("origin");
        SimulatedStores.AssertFilled(_heap, Address, 5, version: 2);
        AssertSound();
    }

    private string Describe() => string.Join("\n", _store.Heaps.Select(heap =>
        $"{heap}: {string.Join(", ", _store.History(heap.Name).Select(c => $"{c.Number} {c.Time:O} {c.Pages} {c.Name} {c.IsRetained} {c.IsHeld}"))}"));

    private void ReclaimAll()
    {
        while (_store.Reclaim(1000))
        {
        }

        // What a root let go is free two roots later.
        _store.Reclaim();
        _store.Reclaim();
    }

    private void AssertSound()
    {
        VerifyReport report = _store.Verify();
        Assert.That(report.Problems, Is.Empty);
        Assert.That(report.AllocatedPages, Is.EqualTo(report.ReachablePages));
    }
}
