using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Faults;

/// <summary>
/// A store that has filled its medium can give space back, by whatever way, and goes on with what that frees: nothing latches, and nothing gets stuck.
/// </summary>
[TestFixture]
[Parallelizable(ParallelScope.All)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class FullMediumTests : IDisposable
{
    private const int PageSize = PersistentHeap.PageSize;
    private const ulong Address = SimulatedStores.Address;
    private const int LargePages = 3000;

    private readonly SimulatedMedium _medium = new(1);
    private HeapStore _store;

    public FullMediumTests() => _store = HeapStore.Create(_medium, Options);

    private static HeapStoreOptions Options => new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin, BackgroundReclaim = false };

    public void Dispose()
    {
        _store.Dispose();
        _medium.Dispose();
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Dropping_a_heap_makes_room_for_another(bool reopened)
    {
        Fill("large", LargePages, version: 1);
        FillUp("filler");
        if (reopened)
        {
            Reopen();
        }

        _store.DropHeap("large");
        ReclaimAll();
        Fill("next", LargePages * 9 / 10, version: 3);
        AssertHeap("next", LargePages * 9 / 10, version: 3);
        AssertSound();
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Dropping_what_shares_pages_makes_room_for_what_it_had_alone(bool reopened)
    {
        Fill("large", LargePages, version: 1);
        using (PersistentHeap large = _store.OpenHeap("large"))
        {
            for (int version = 2; version < 6; version++)
            {
                _store.Fork("large", version - 1, $"fork {version}");
                SimulatedStores.Fill(large, Address + ((ulong)version * 300 * PageSize), 300, version);
                large.Checkpoint();
            }
        }

        FillUp("filler");
        if (reopened)
        {
            Reopen();
        }

        for (int version = 2; version < 6; version++)
        {
            _store.DropHeap($"fork {version}");
        }

        ReclaimAll();
        Fill("next", 900, version: 3);
        _store.DropHeap("large");
        ReclaimAll();
        Fill("after", LargePages * 9 / 10, version: 4);
        AssertHeap("next", 900, version: 3);
        AssertSound();
    }

    /// <summary>
    /// Records of two heaps' checkpoints lie side by side, so that nearly every page of records changes, and stays. A commit that needed more places than were free
    /// found out when it was half done, and latched the store.
    /// </summary>
    [TestCase(false)]
    [TestCase(true)]
    public void Dropping_many_checkpoints_makes_room(bool byPolicy)
    {
        const int Checkpoints = 3000;
        PersistentHeap[] heaps = [_store.CreateHeap("one"), _store.CreateHeap("other")];
        foreach (PersistentHeap heap in heaps)
        {
            heap.Checkpoint();
            _store.SetRetention(heap.Name, new RetentionPolicy { KeepLast = Checkpoints });
        }

        for (int i = 1; i < Checkpoints; i++)
        {
            foreach (PersistentHeap heap in heaps)
            {
                heap.Write(Address + ((ulong)(i % 7) * PageSize), SimulatedStores.PageContent((ulong)i, i));
                heap.Checkpoint();
            }
        }

        FillUp("filler");
        foreach (PersistentHeap heap in heaps)
        {
            heap.Dispose();
        }

        if (byPolicy)
        {
            _store.SetRetention("one", RetentionPolicy.LatestOnly);
        }
        else
        {
            _store.DropHeap("one");
        }

        ReclaimAll();
        Fill("next", Checkpoints, version: 3);
        AssertSound();
    }

    [Test]
    public void Clearing_and_a_checkpoint_make_room()
    {
        Fill("large", LargePages, version: 1);
        FillUp("filler");
        using (PersistentHeap large = _store.OpenHeap("large"))
        {
            large.Clear(Address, LargePages * PageSize);
            large.Checkpoint();
            large.Checkpoint();
            large.Checkpoint();
        }

        Fill("next", LargePages * 9 / 10, version: 3);
        AssertSound();
    }

    /// <summary>Again and again, as a host does that runs at the limit: the reserve for commits has to come back each time.</summary>
    [Test]
    public void A_store_can_be_full_for_ever()
    {
        Fill("heap 0", LargePages, version: 0);
        FillUp("filler");
        for (int i = 1; i < 40; i++)
        {
            _store.DropHeap($"heap {i - 1}");
            if (i % 5 == 0)
            {
                Reopen();
            }

            ReclaimAll();
            Fill($"heap {i}", LargePages * 9 / 10, version: i);
            FillUp($"filler {i}");
            _store.DropHeap($"filler {i}");
        }

        AssertHeap("heap 39", LargePages * 9 / 10, version: 39);
        AssertSound();
    }

    [TestCase("repeat")]
    [TestCase("revert")]
    [TestCase("reopen")]
    public void A_change_of_many_pages_that_found_no_room_is_repeated_or_taken_back_as_a_whole(string how)
    {
        Fill("large", LargePages, version: 1);
        FillUp("filler");
        PersistentHeap large = _store.OpenHeap("large");
        byte[] next = [.. Enumerable.Range(0, LargePages).SelectMany(page => SimulatedStores.PageContent((Address / PageSize) + (ulong)page, 2))];
        Assert.That(() => large.Write(Address, next), Throws.TypeOf<HeapFullException>());
        switch (how)
        {
            case "repeat":
                _store.DropHeap("filler");
                _medium.Capacity = long.MaxValue;
                SimulatedStores.AssertFilled(large, Address, 1, version: 2);
                SimulatedStores.AssertFilled(large, Address + ((LargePages - 1) * PageSize), 1, version: 1);
                large.Write(Address, next);
                break;
            case "revert":
                large.Revert((long)large.LatestCheckpointNumber);
                break;
            default:
                large.Dispose();
                large = _store.OpenHeap("large");
                break;
        }

        SimulatedStores.AssertFilled(large, Address, LargePages, version: how == "repeat" ? 2 : 1);
        large.Checkpoint();
        large.Dispose();
        AssertHeap("large", LargePages, version: how == "repeat" ? 2 : 1);
        AssertSound();
    }

    /// <summary>Writes as much as there is room for, and lets nothing grow from now on.</summary>
    private void FillUp(string name)
    {
        _medium.Capacity = _medium.Length;
        using PersistentHeap heap = _store.CreateHeap(name);
        int written = 0;
        try
        {
            while (true)
            {
                SimulatedStores.Fill(heap, Address + ((ulong)written * PageSize), 20, version: 9);
                heap.Checkpoint();
                written += 20;
            }
        }
        catch (HeapFullException)
        {
        }

        heap.Dispose();
        TestContext.Out.WriteLine($"{name}: {written} pages, of {_medium.Length / PageSize}; {_store.Space}");
    }

    private void Fill(string name, int pages, int version)
    {
        using PersistentHeap heap = _store.CreateHeap(name);
        SimulatedStores.Fill(heap, Address, pages, version);
        heap.Checkpoint();
    }

    private void AssertHeap(string name, int pages, int version)
    {
        using PersistentHeap heap = _store.OpenHeap(name);
        SimulatedStores.AssertFilled(heap, Address, pages, version);
    }

    private void ReclaimAll()
    {
        while (_store.Reclaim())
        {
        }

        // What a root let go is free two roots later.
        _store.Reclaim();
        _store.Reclaim();
    }

    private void Reopen()
    {
        _store.Dispose();
        _medium.Reattach();
        _store = HeapStore.Open(_medium, Options);
    }

    private void AssertSound()
    {
        VerifyReport report = _store.Verify();
        Assert.That(report.Problems, Is.Empty);
        Assert.That(report.AllocatedPages, Is.EqualTo(report.ReachablePages));
    }
}
