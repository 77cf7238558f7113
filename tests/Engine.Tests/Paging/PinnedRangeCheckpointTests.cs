using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Paging;

/// <summary>Pinned ranges and checkpoints: what a seal takes, what the writer still has when a range comes or goes, and what fails on the way.</summary>
[TestFixture]
internal sealed unsafe class PinnedRangeCheckpointTests
{
    private const ulong PageSize = PersistentHeap.PageSize;
    private const ulong Start = SimulatedStores.Address;
    private const int BudgetPages = 512;

    private SimulatedMedium _medium = null!;
    private HeapStore _store = null!;
    private PersistentHeap _heap = null!;

    private static HeapStoreOptions Options => new() { ResidentBytes = BudgetPages * (long)PageSize, BackgroundReclaim = false };

    [SetUp]
    public void Open()
    {
        _medium = new SimulatedMedium(1);
        _store = HeapStore.Create(_medium, Options);
        _heap = _store.CreateHeap(SimulatedStores.HeapName);
    }

    [TearDown]
    public void Close()
    {
        _medium.Gate.Open();
        _heap.Dispose();
        _store.Dispose();
        _medium.Dispose();
    }

    [Test]
    public void A_checkpoint_has_what_was_marked_by_a_byte_of_the_dirty_map()
    {
        using PinnedRange range = _heap.PinRange(Start, 100 * PageSize);
        _heap.Checkpoint();
        for (int i = 0; i < 100; i += 7)
        {
            ((byte*)range.Memory)[(i * (int)PageSize) + i] = (byte)(i + 1);
            ((byte*)range.DirtyMap)[i] = 1;
        }

        Assert.That(_heap.DirtyBytes, Is.EqualTo(15 * (long)PageSize));
        CheckpointInfo info = _heap.Checkpoint();
        Assert.Multiple(() =>
        {
            Assert.That(info.Pages, Is.EqualTo(15));
            Assert.That(_heap.DirtyBytes, Is.Zero);
            Assert.That(new ReadOnlySpan<byte>((byte*)range.DirtyMap, 100).IndexOfAnyExcept((byte)0), Is.Negative);
            Assert.That(_heap.Statistics.PinnedCopies, Is.EqualTo(15));
        });
        using HeapStore store = Recovered(out PersistentHeap heap);
        byte[] page = new byte[PageSize];
        for (int i = 0; i < 100; i++)
        {
            heap.Read(Start + ((ulong)i * PageSize), page);
            Assert.That(page[i], Is.EqualTo(i % 7 == 0 ? i + 1 : 0));
        }

        heap.Dispose();
    }

    [Test]
    public void Stores_while_the_writer_writes_do_not_change_what_is_written()
    {
        const int Pages = 150;
        using PinnedRange range = _heap.PinRange(Start, Pages * PageSize);
        for (int version = 1; version <= 8; version++)
        {
            Fill(range, 0, Pages, version);
            PendingCheckpoint pending = BeginHeld();
            for (int i = 0; i < Pages; i++)
            {
                // The writer stands somewhere in the middle of its pages: before, at and behind the page stored to.
                _medium.Gate.Grant(i % 3, () => pending.IsCompleted);
                range.WriteSpan((ulong)((i * 7 + version) % Pages) * PageSize, (int)PageSize).Fill(0xEE);
            }

            _medium.Gate.Open();
            long number = pending.Wait().Number;
            using HeapStore store = Recovered(out PersistentHeap heap);
            Assert.That((long)heap.LatestCheckpointNumber, Is.EqualTo(number));
            SimulatedStores.AssertFilled(heap, Start, Pages, version);
            heap.Dispose();
            Assert.That(range.ReadSpan(0, Pages * (int)PageSize).IndexOfAnyExcept((byte)0xEE), Is.Negative);
        }

        _heap.Checkpoint();
        Assert.That(_store.Verify().IsSound, Is.True);
    }

    [Test]
    public void A_range_given_up_while_its_copies_are_being_written_is_what_it_was()
    {
        const int Pages = 90;
        for (int grants = 0; grants < 6; grants++)
        {
            PinnedRange range = _heap.PinRange(Start, Pages * PageSize);
            Fill(range, 0, Pages, version: 1 + grants);
            PendingCheckpoint pending = BeginHeld();
            _medium.Gate.Grant(grants, () => pending.IsCompleted);
            Fill(range, 30, 30, version: 100 + grants);
            range.Dispose();
            SimulatedStores.AssertFilled(_heap, Start, 30, version: 1 + grants);
            SimulatedStores.AssertFilled(_heap, Start + (30 * PageSize), 30, version: 100 + grants);
            SimulatedStores.AssertFilled(_heap, Start + (60 * PageSize), 30, version: 1 + grants);
            SimulatedStores.Fill(_heap, Start + (80 * PageSize), 10, version: 200);
            _medium.Gate.Open();
            pending.Wait();
            SimulatedStores.Fill(_heap, Start + (1UL << 30), BudgetPages, version: 1); // evicts it all
            SimulatedStores.AssertFilled(_heap, Start, 30, version: 1 + grants);
            SimulatedStores.AssertFilled(_heap, Start + (30 * PageSize), 30, version: 100 + grants);
            SimulatedStores.AssertFilled(_heap, Start + (60 * PageSize), 20, version: 1 + grants);
            SimulatedStores.AssertFilled(_heap, Start + (80 * PageSize), 10, version: 200);
            _heap.Checkpoint();
            Assert.That(_store.Verify().IsSound, Is.True);
        }
    }

    [Test]
    public void A_range_pinned_while_its_pages_are_being_written_is_what_it_was_and_so_is_the_checkpoint()
    {
        const int Pages = 90;
        for (int grants = 0; grants < 6; grants++)
        {
            int version = 10 * (grants + 1);
            SimulatedStores.Fill(_heap, Start, Pages, version);
            PendingCheckpoint pending = BeginHeld();
            _medium.Gate.Grant(grants, () => pending.IsCompleted);
            using (PinnedRange range = _heap.PinRange(Start, Pages * PageSize))
            {
                AssertRange(range, 0, Pages, version);
                Fill(range, 50, 20, version + 1);
            }

            using (PinnedRange again = _heap.PinRange(Start + (40 * PageSize), 50 * PageSize))
            {
                AssertRange(again, 0, 10, version);
                AssertRange(again, 10, 20, version + 1);
                AssertRange(again, 30, 20, version);
                _medium.Gate.Open();
                pending.Wait();
                using HeapStore store = Recovered(out PersistentHeap heap);
                SimulatedStores.AssertFilled(heap, Start, Pages, version);
                heap.Dispose();
            }

            SimulatedStores.AssertFilled(_heap, Start, 50, version);
            SimulatedStores.AssertFilled(_heap, Start + (50 * PageSize), 20, version + 1);
            SimulatedStores.AssertFilled(_heap, Start + (70 * PageSize), 20, version);
        }
    }

    [Test]
    public void Pages_cleared_while_an_older_copy_is_being_written_stay_cleared_when_the_range_is_given_up()
    {
        PinnedRange range = _heap.PinRange(Start, 40 * PageSize);
        Fill(range, 0, 40, version: 1);
        PendingCheckpoint pending = BeginHeld();
        _heap.Clear(Start + (10 * PageSize), 20 * PageSize);
        range.Dispose();
        AssertZero(10, 20);
        _medium.Gate.Open();
        pending.Wait();
        SimulatedStores.Fill(_heap, Start + (1UL << 30), BudgetPages, version: 1);
        AssertZero(10, 20);
        SimulatedStores.AssertFilled(_heap, Start, 10, version: 1);
        SimulatedStores.AssertFilled(_heap, Start + (30 * PageSize), 10, version: 1);
        _heap.Checkpoint();
        AssertZero(10, 20);
        Assert.That(_store.Verify().IsSound, Is.True);
    }

    [Test]
    public void Clearing_pinned_pages_gives_their_space_back()
    {
        using PinnedRange range = _heap.PinRange(Start, 200 * PageSize);
        Fill(range, 0, 200, version: 1);
        _heap.Checkpoint();
        long before = _store.Verify().Pages;
        _heap.Clear(Start + (20 * PageSize) - 5, (160 * PageSize) + 10);
        _heap.Checkpoint();
        Assert.Multiple(() =>
        {
            Assert.That(_store.Verify().Pages, Is.EqualTo(before - 160));
            Assert.That(_store.Verify().IsSound, Is.True);
        });
        AssertZero(20, 160);
        AssertRange(range, 0, 19, version: 1);
    }

    [Test]
    public void A_seal_with_too_few_frames_for_its_copies_writes_the_rest_itself()
    {
        const int Pages = 240;
        using PinnedRange range = _heap.PinRange(Start, Pages * PageSize);
        for (int version = 1; version <= 4; version++)
        {
            SimulatedStores.Fill(_heap, Start + (1UL << 30), 220, version); // dirty, so not to be had for copies
            Fill(range, 0, Pages, version);
            long copied = _heap.Statistics.PinnedCopies;
            long written = _heap.Statistics.PinnedWrites;
            PendingCheckpoint pending = BeginHeld();
            range.WriteSpan(0, Pages * (int)PageSize).Fill(0xEE);
            Assert.Multiple(() =>
            {
                Assert.That(_heap.Statistics.PinnedCopies - copied, Is.Positive);
                Assert.That(_heap.Statistics.PinnedWrites - written, Is.Positive);
                Assert.That(_heap.Statistics.PinnedCopies - copied + _heap.Statistics.PinnedWrites - written, Is.EqualTo(Pages));
                Assert.That(_heap.Statistics.ResidentFrames, Is.LessThanOrEqualTo(BudgetPages));
            });
            _medium.Gate.Open();
            Assert.That(pending.Wait().Pages, Is.EqualTo(Pages + 220));
            using HeapStore store = Recovered(out PersistentHeap heap);
            SimulatedStores.AssertFilled(heap, Start, Pages, version);
            SimulatedStores.AssertFilled(heap, Start + (1UL << 30), 220, version);
            heap.Dispose();
        }

        Assert.That(_store.Verify().IsSound, Is.True);
    }

    [Test]
    public void Clean_frames_make_room_for_copies()
    {
        using PinnedRange range = _heap.PinRange(Start, 100 * PageSize);
        SimulatedStores.Fill(_heap, Start + (1UL << 30), BudgetPages, version: 1);
        _heap.Checkpoint();
        SimulatedStores.AssertFilled(_heap, Start + (1UL << 30), BudgetPages, version: 1);
        Assert.That(_heap.Statistics.ResidentFrames, Is.GreaterThan(BudgetPages - 30));
        Fill(range, 0, 100, version: 2);
        _heap.Checkpoint();
        Assert.Multiple(() =>
        {
            Assert.That(_heap.Statistics.PinnedCopies, Is.EqualTo(100));
            Assert.That(_heap.Statistics.PinnedWrites, Is.Zero);
        });
    }

    [Test]
    public void A_full_medium_refuses_a_seal_that_has_to_write_and_nothing_is_lost()
    {
        const int Pages = 240;
        using PinnedRange range = _heap.PinRange(Start, Pages * PageSize);
        Fill(range, 0, Pages, version: 1);
        SimulatedStores.Fill(_heap, Start + (1UL << 30), 220, version: 1);
        _heap.Checkpoint();
        _medium.Capacity = _medium.Length;
        SimulatedStores.Fill(_heap, Start + (1UL << 30), 220, version: 2);
        int refusals = 0;
        int version = 2;
        using TranslationWindow window = _heap.OpenWindow(Start);
        for (; refusals < 3; version++)
        {
            Fill(range, 0, Pages, version);
            for (ulong i = 0; i < Pages; i++)
            {
                _ = window.Store(i * PageSize); // an entry for each
            }

            try
            {
                _heap.Checkpoint();
                Assert.That(version, Is.LessThan(20), "the medium does not fill up");
            }
            catch (HeapFullException)
            {
                refusals++;
            }
        }

        AssertRange(range, 0, Pages, version - 1);

        // What the last seal had written before it was refused counts as unchanged, and has to be marked anew by the next store.
        for (ulong i = 0; i < Pages; i++)
        {
            nint entry = *(nint*)((byte*)window.LoadTable + TranslationWindow.StoreTableDistance + (i * 8));
            byte* page = entry != 0 ? (byte*)entry + (i * PageSize) : window.Store(i * PageSize);
            SimulatedStores.PageContent((Start / PageSize) + i, version).CopyTo(new Span<byte>(page, (int)PageSize));
        }

        version++;
        _medium.Capacity = long.MaxValue;
        Fill(range, 0, 50, version);
        _heap.Checkpoint();
        AssertRange(range, 0, 50, version);
        using HeapStore store = Recovered(out PersistentHeap heap);
        SimulatedStores.AssertFilled(heap, Start, 50, version);
        SimulatedStores.AssertFilled(heap, Start + (50 * PageSize), Pages - 50, version - 1);
        SimulatedStores.AssertFilled(heap, Start + (1UL << 30), 220, version: 2);
        heap.Dispose();
        Assert.That(_store.Verify().IsSound, Is.True);
    }

    [Test]
    public void A_range_given_up_while_a_checkpoint_has_no_room_is_what_it_was()
    {
        _heap.Checkpoint();
        PinnedRange range = _heap.PinRange(Start, 200 * PageSize);
        _medium.Capacity = _medium.Length;
        int version = 0;
        Assert.Throws<HeapFullException>(() =>
        {
            for (version = 1; version < 100; version++)
            {
                Fill(range, 0, 200, version);
                _heap.Checkpoint();
            }
        });
        Fill(range, 100, 10, version: 1000);
        range.Dispose();
        Check(_heap);
        SimulatedStores.Fill(_heap, Start + (1UL << 30), 10, version: 1);
        using (PinnedRange again = _heap.PinRange(Start, 200 * PageSize))
        {
            AssertRange(again, 110, 90, version);
        }

        _medium.Capacity = long.MaxValue;
        _heap.Checkpoint();
        Check(_heap);
        using HeapStore store = Recovered(out PersistentHeap heap);
        Check(heap);
        heap.Dispose();
        Assert.That(_store.Verify().IsSound, Is.True);

        void Check(PersistentHeap heap)
        {
            SimulatedStores.AssertFilled(heap, Start, 100, version);
            SimulatedStores.AssertFilled(heap, Start + (100 * PageSize), 10, version: 1000);
            SimulatedStores.AssertFilled(heap, Start + (110 * PageSize), 90, version);
        }
    }

    [Test]
    public void A_range_stays_pinned_when_the_heap_goes_back_and_has_what_the_heap_has()
    {
        SimulatedStores.Fill(_heap, Start, 50, version: 1);
        _store.Retain(SimulatedStores.HeapName, _heap.Checkpoint().Number);
        long first = (long)_heap.LatestCheckpointNumber;
        using PinnedRange range = _heap.PinRange(Start, 60 * PageSize);
        using TranslationWindow window = _heap.OpenWindow(Start);
        nint memory = range.Memory;
        Fill(range, 0, 60, version: 2);
        _heap.Checkpoint();
        Fill(range, 20, 20, version: 3);
        *window.Store(55 * PageSize) = 4;
        _heap.Revert(first);
        Assert.That((range.IsPinned, range.Memory), Is.EqualTo((true, memory)));
        AssertRange(range, 0, 50, version: 1);
        AssertZero(50, 10);
        Assert.Multiple(() =>
        {
            Assert.That(range.ReadSpan(50 * PageSize, 10 * (int)PageSize).IndexOfAnyExcept((byte)0), Is.Negative);
            Assert.That((nint)window.Load(55 * PageSize), Is.EqualTo(memory + (55 * (nint)PageSize)));
            Assert.That(_heap.DirtyBytes, Is.Zero);
        });
        Fill(range, 5, 5, version: 6);
        _heap.Checkpoint();
        range.Dispose();
        SimulatedStores.AssertFilled(_heap, Start, 5, version: 1);
        SimulatedStores.AssertFilled(_heap, Start + (5 * PageSize), 5, version: 6);
        Assert.That(_store.Verify().IsSound, Is.True);
    }

    [Test]
    public void A_damaged_page_keeps_a_range_from_being_pinned_and_takes_nothing_with_it()
    {
        SimulatedStores.Fill(_heap, Start, 120, version: 1);
        _heap.Checkpoint();
        SparseImage image = _medium.Current();
        (int _, ulong damaged, long offset) = new StoreImage(image).Walk().First(place => place.Level == 0 && place.PageNumber == (Start / PageSize) + 100);
        image.Flip(offset + 77, 3);
        using HeapStore store = HeapStore.Open(new SimulatedMedium(1, image), Options);
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        SimulatedStores.Fill(heap, Start + (30 * PageSize), 30, version: 2);
        HeapCorruptedException refused = Assert.Throws<HeapCorruptedException>(() => heap.PinRange(Start, 120 * PageSize))!;
        Assert.Multiple(() =>
        {
            Assert.That((refused.PageNumber, refused.FileOffset), Is.EqualTo(((long)damaged, offset)));
            Assert.That(heap.Statistics.PinnedPages, Is.Zero);
            Assert.That(heap.DirtyBytes, Is.EqualTo(30 * (long)PageSize));
        });
        using PinnedRange range = heap.PinRange(Start, 90 * PageSize, maxLength: 120 * PageSize);
        Assert.Throws<HeapCorruptedException>(() => range.Extend(120 * PageSize));
        Assert.That(range.Length, Is.EqualTo(90 * PageSize));
        AssertRange(range, 0, 30, version: 1);
        AssertRange(range, 30, 30, version: 2);
        AssertRange(range, 60, 30, version: 1);
        SimulatedStores.Fill(heap, Start + (100 * PageSize), 1, version: 1); // written whole: sound again
        range.Extend(120 * PageSize);
        AssertRange(range, 0, 30, version: 1);
        AssertRange(range, 60, 60, version: 1);
        heap.Checkpoint();
        Assert.That(store.Verify().IsSound, Is.True);
    }

    [Test]
    public void A_range_that_cannot_be_loaded_after_going_back_is_given_up_and_others_are_not()
    {
        SimulatedStores.Fill(_heap, Start, 60, version: 1);
        _store.Retain(SimulatedStores.HeapName, _heap.Checkpoint().Number);
        long first = (long)_heap.LatestCheckpointNumber;
        SimulatedStores.Fill(_heap, Start, 60, version: 2);
        _heap.Checkpoint();
        SparseImage image = _medium.Current();
        byte[] old = SimulatedStores.PageContent((Start / PageSize) + 10, 1);
        byte[] found = new byte[PageSize];
        for (long at = 0; at < image.Length; at += (long)PageSize)
        {
            image.Read(at, found);
            if (found.AsSpan().SequenceEqual(old))
            {
                image.Flip(at + 9, 1);
            }
        }

        using HeapStore store = HeapStore.Open(new SimulatedMedium(1, image), Options);
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        using PinnedRange lost = heap.PinRange(Start, 20 * PageSize);
        using PinnedRange kept = heap.PinRange(Start + (30 * PageSize), 20 * PageSize);
        HeapCorruptedException refused = Assert.Throws<HeapCorruptedException>(() => heap.Revert(first))!;
        Assert.Multiple(() =>
        {
            Assert.That(refused.PageNumber, Is.EqualTo((long)(Start / PageSize) + 10));
            Assert.That((lost.IsPinned, kept.IsPinned), Is.EqualTo((false, true)));
            Assert.That(heap.Statistics.PinnedPages, Is.EqualTo(20));
        });
        AssertRange(kept, 0, 20, version: 1);
        SimulatedStores.AssertFilled(heap, Start, 10, version: 1);
        SimulatedStores.AssertFilled(heap, Start + (11 * PageSize), 49, version: 1);
    }

    [Test]
    public void A_latched_store_takes_no_stores_to_a_range_and_gives_it_up_all_the_same()
    {
        SimulatedStores.Fill(_heap, Start, 20, version: 1);
        _heap.Checkpoint();
        PinnedRange range = _heap.PinRange(Start, 20 * PageSize);
        Fill(range, 0, 5, version: 2);
        _medium.FailAt(_medium.IoCount);
        Assert.Throws<HeapFailedException>(() => _heap.Checkpoint());
        Assert.Multiple(() =>
        {
            Assert.That(() => range.WriteSpan(0, 1), Throws.TypeOf<HeapFailedException>());
            Assert.That(() => _heap.Write(Start, [1]), Throws.TypeOf<HeapFailedException>());
            Assert.That(() => _heap.Clear(Start, PageSize), Throws.TypeOf<HeapFailedException>());
            Assert.That(() => _heap.PinRange(Start + (50 * PageSize), PageSize), Throws.TypeOf<HeapFailedException>());
        });
        AssertRange(range, 0, 5, version: 2);
        range.Dispose();
        SimulatedStores.AssertFilled(_heap, Start, 5, version: 2);
        SimulatedStores.AssertFilled(_heap, Start + (5 * PageSize), 15, version: 1);
    }

    [Test]
    public void Compaction_moves_what_a_pinned_range_has_in_the_tail_of_the_file()
    {
        using PinnedRange range = _heap.PinRange(Start, 200 * PageSize);
        SimulatedStores.Fill(_heap, Start + (1UL << 30), 4000, version: 1);
        _heap.Checkpoint();
        Fill(range, 0, 200, version: 1); // lies behind all that
        _heap.Checkpoint();
        _heap.Clear(Start + (1UL << 30), 4000 * PageSize);
        long before = _medium.Length;
        for (int i = 0; i < 12; i++)
        {
            _heap.Checkpoint();
            _store.Compact();
            Fill(range, 7 * i, 5, version: 2 + i);
        }

        _heap.Checkpoint();
        Assert.Multiple(() =>
        {
            Assert.That(_medium.Length, Is.LessThan(before / 2));
            Assert.That(_store.Verify().IsSound, Is.True);
        });
        AssertRange(range, 100, 100, version: 1);
        range.Dispose();
        SimulatedStores.AssertFilled(_heap, Start + (100 * PageSize), 100, version: 1);
        for (int i = 0; i < 12; i++)
        {
            SimulatedStores.AssertFilled(_heap, Start + ((ulong)(7 * i) * PageSize), 5, version: 2 + i);
        }
    }

    private static void Fill(PinnedRange range, int first, int count, int version)
    {
        for (ulong i = (ulong)first; i < (ulong)(first + count); i++)
        {
            SimulatedStores.PageContent((range.Address / PageSize) + i, version).CopyTo(range.WriteSpan(i * PageSize, (int)PageSize));
        }
    }

    private static void AssertRange(PinnedRange range, int first, int count, int version)
    {
        for (ulong i = (ulong)first; i < (ulong)(first + count); i++)
        {
            if (!range.ReadSpan(i * PageSize, (int)PageSize).SequenceEqual(SimulatedStores.PageContent((range.Address / PageSize) + i, version)))
            {
                throw new AssertionException($"Page {i} of the range is not version {version}.");
            }
        }
    }

    private void AssertZero(int first, int count)
    {
        byte[] found = new byte[count * (int)PageSize];
        _heap.Read(Start + ((ulong)first * PageSize), found);
        Assert.That(found.AsSpan().IndexOfAnyExcept((byte)0), Is.Negative);
    }

    private PendingCheckpoint BeginHeld()
    {
        _medium.Gate.Close();
        PendingCheckpoint pending = _heap.BeginCheckpoint();
        _medium.Gate.AwaitStop(() => pending.IsCompleted);
        return pending;
    }

    /// <summary>What a crash now would leave.</summary>
    private HeapStore Recovered(out PersistentHeap heap)
    {
        HeapStore store = HeapStore.Open(new SimulatedMedium(1, _medium.Image(CrashFlavour.LoseAll, new Random(1))), Options);
        heap = store.OpenHeap(SimulatedStores.HeapName);
        return store;
    }
}
