using System.Runtime.InteropServices;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Paging;

/// <summary>A range of a heap that is pinned: in one piece of memory, within the budget, and still part of the heap for everybody else.</summary>
[TestFixture]
internal sealed unsafe class PinnedRangeTests
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
        _heap.Dispose();
        _store.Dispose();
        _medium.Dispose();
    }

    [Test]
    public void The_byte_at_an_offset_is_at_the_base_plus_that_offset()
    {
        SimulatedStores.Fill(_heap, Start, 100, version: 1);
        using PinnedRange range = _heap.PinRange(Start, 100 * PageSize);
        Assert.Multiple(() =>
        {
            Assert.That((range.Address, range.Length, range.MaxLength, range.IsPinned), Is.EqualTo((Start, 100 * PageSize, 100 * PageSize, true)));
            for (ulong i = 0; i < 100; i++)
            {
                byte[] expected = SimulatedStores.PageContent((Start / PageSize) + i, 1);
                Assert.That(new ReadOnlySpan<byte>((byte*)range.Memory + (i * PageSize), (int)PageSize).SequenceEqual(expected), Is.True, $"page {i}");
            }
        });
    }

    [Test]
    public void Pages_resident_evicted_dirty_and_never_written_are_all_found_in_the_range()
    {
        SimulatedStores.Fill(_heap, Start, 60, version: 1);
        _heap.Checkpoint();
        SimulatedStores.Fill(_heap, Start + (1UL << 30), BudgetPages, version: 1); // evicts
        SimulatedStores.Fill(_heap, Start + (20 * PageSize), 20, version: 2); // dirty
        SimulatedStores.AssertFilled(_heap, Start + (40 * PageSize), 10, version: 1); // clean, resident
        using PinnedRange range = _heap.PinRange(Start, 80 * PageSize);
        AssertRange(range, 0, 20, version: 1);
        AssertRange(range, 20, 20, version: 2);
        AssertRange(range, 40, 20, version: 1);
        Assert.That(range.ReadSpan(60 * PageSize, 20 * (int)PageSize).IndexOfAnyExcept((byte)0), Is.Negative);
        Assert.That(_heap.DirtyBytes, Is.GreaterThanOrEqualTo(20 * (long)PageSize), "what was dirty still is");
    }

    [Test]
    public void Reads_and_writes_of_the_heap_and_of_the_range_see_each_other()
    {
        using PinnedRange range = _heap.PinRange(Start, 8 * PageSize);
        _heap.Write(Start + 4000, [1, 2, 3]);
        Assert.That(range.ReadSpan(4000, 3).ToArray(), Is.EqualTo(new byte[] { 1, 2, 3 }));
        range.WriteSpan(8190, 4).Fill(9);
        byte[] found = new byte[6];
        _heap.Read(Start + 8189, found);
        Assert.That(found, Is.EqualTo(new byte[] { 0, 9, 9, 9, 9, 0 }));
        _heap.Clear(Start + 8191, 2);
        Assert.That(range.ReadSpan(8190, 4).ToArray(), Is.EqualTo(new byte[] { 9, 0, 0, 9 }));
    }

    [Test]
    public void A_span_reaches_across_pages()
    {
        using PinnedRange range = _heap.PinRange(Start, 64 * PageSize);
        Span<ulong> numbers = MemoryMarshal.Cast<byte, ulong>(range.WriteSpan(0, 64 * (int)PageSize));
        for (int i = 0; i < numbers.Length; i++)
        {
            numbers[i] = (ulong)i * 7;
        }

        byte[] found = new byte[8];
        _heap.Read(Start + (5000 * 8), found);
        Assert.That(BitConverter.ToUInt64(found), Is.EqualTo(5000UL * 7));
    }

    [Test]
    public void Windows_over_pinned_pages_have_entries_into_the_range_and_mark_what_is_stored()
    {
        using TranslationWindow window = _heap.OpenWindow(Start);
        *window.Store(5) = 1; // a frame of its own
        _ = *window.Load(PageSize); // the zero frame
        using (PinnedRange range = _heap.PinRange(Start, 4 * PageSize))
        {
            Assert.Multiple(() =>
            {
                Assert.That((nint)window.Load(5), Is.EqualTo(range.Memory + 5));
                Assert.That((nint)window.Load(PageSize + 3), Is.EqualTo(range.Memory + (nint)PageSize + 3));
                Assert.That(*window.Load(5), Is.EqualTo(1));
            });
            _heap.Checkpoint();
            Assert.That(_heap.DirtyBytes, Is.Zero);
            *window.Store(PageSize + 3) = 7;
            Assert.That(_heap.DirtyBytes, Is.EqualTo((long)PageSize));
            Assert.That(range.ReadSpan(PageSize + 3, 1)[0], Is.EqualTo(7));
            _heap.Checkpoint();
            Assert.That(StoreEntry(window, PageSize), Is.Zero, "a seal takes store entries away, here as elsewhere");
            *window.Store((2 * PageSize) + 1) = 8;
        }

        Assert.Multiple(() =>
        {
            Assert.That(StoreEntry(window, 2 * PageSize), Is.Zero, "no entry stays behind that points into the range");
            Assert.That(*window.Load(PageSize + 3), Is.EqualTo(7));
            Assert.That(*window.Load((2 * PageSize) + 1), Is.EqualTo(8));
        });
    }

    [Test]
    public void Eviction_leaves_a_pinned_range_alone_and_the_budget_holds_with_it()
    {
        SimulatedStores.Fill(_heap, Start, 200, version: 1);
        using PinnedRange range = _heap.PinRange(Start, 200 * PageSize);
        nint memory = range.Memory;
        for (int round = 1; round <= 3; round++)
        {
            for (int i = 0; i < 1500; i++)
            {
                SimulatedStores.Fill(_heap, Start + (1UL << 30) + ((ulong)i * PageSize), 1, round);
                if (i % 40 == 0)
                {
                    Assert.That(_heap.Statistics.ResidentFrames, Is.LessThanOrEqualTo(BudgetPages));
                }
            }

            SimulatedStores.AssertFilled(_heap, Start + (1UL << 30), 1500, round);
            _heap.Checkpoint();
        }

        Assert.That(range.Memory, Is.EqualTo(memory));
        AssertRange(range, 0, 200, version: 1);
        Assert.Multiple(() =>
        {
            Assert.That(_heap.Statistics.PinnedPages, Is.EqualTo(200));
            Assert.That(_heap.Statistics.ResidentFrames, Is.InRange(201, BudgetPages));
        });
    }

    [Test]
    public void What_can_be_pinned_is_said_and_more_is_refused()
    {
        ulong most = _heap.PinnableBytes;
        Assert.That(most, Is.InRange(200 * PageSize, 256 * PageSize));
        Assert.That(() => _heap.PinRange(Start, most + (20 * PageSize)), Throws.TypeOf<HeapException>().With.Message.Contains("budget"));
        Assert.That(() => _heap.PinRange(Start, PersistentHeap.AddressEnd / 2), Throws.TypeOf<HeapException>());
        using (PinnedRange all = _heap.PinRange(Start - PageSize, most))
        {
            Assert.That(_heap.PinnableBytes, Is.Zero);
            Assert.That(() => _heap.PinRange(1UL << 40, 20 * PageSize), Throws.TypeOf<HeapException>());
            SimulatedStores.Fill(_heap, Start + (1UL << 30), 700, version: 1);
            SimulatedStores.AssertFilled(_heap, Start + (1UL << 30), 700, version: 1);
        }

        Assert.That(_heap.PinnableBytes, Is.EqualTo(most));
    }

    [Test]
    public void Several_ranges_are_pinned_at_once_and_overlaps_are_refused()
    {
        SimulatedStores.Fill(_heap, Start, 100, version: 1);
        using PinnedRange first = _heap.PinRange(Start, 30 * PageSize, maxLength: 60 * PageSize);
        PinnedRange second = _heap.PinRange(Start + (40 * PageSize), 30 * PageSize);
        Assert.Multiple(() =>
        {
            Assert.That(() => _heap.PinRange(Start + (29 * PageSize), PageSize), Throws.ArgumentException);
            Assert.That(() => _heap.PinRange(Start + (69 * PageSize), 5 * PageSize), Throws.ArgumentException);
            Assert.That(() => _heap.PinRange(Start + (35 * PageSize), (5 * PageSize) + 1), Throws.ArgumentException);
            Assert.That(() => first.Extend(41 * PageSize), Throws.ArgumentException);
        });
        first.Extend(40 * PageSize);
        second.Dispose();
        first.Extend(60 * PageSize);
        AssertRange(first, 0, 60, version: 1);
        first.Dispose();
        SimulatedStores.AssertFilled(_heap, Start, 100, version: 1);
    }

    [Test]
    public void A_range_is_extended_in_its_place()
    {
        SimulatedStores.Fill(_heap, Start, 200, version: 1);
        _heap.Checkpoint();
        using PinnedRange range = _heap.PinRange(Start, PageSize + 1, maxLength: 200 * PageSize);
        Assert.That(range.Length, Is.EqualTo(2 * PageSize));
        (nint memory, nint map) = (range.Memory, range.DirtyMap);
        for (ulong pages = 3; pages <= 200; pages += 17)
        {
            range.Extend(pages * PageSize);
            AssertRange(range, 0, (int)pages, version: 1);
        }

        Assert.Multiple(() =>
        {
            Assert.That((range.Memory, range.DirtyMap), Is.EqualTo((memory, map)));
            Assert.That(() => range.Extend(201 * PageSize), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => range.Extend(PageSize), Throws.InstanceOf<ArgumentOutOfRangeException>());
        });
    }

    [Test]
    public void Giving_a_range_up_does_no_io_and_loses_nothing()
    {
        SimulatedStores.Fill(_heap, Start, 120, version: 1);
        _heap.Checkpoint();
        PinnedRange range = _heap.PinRange(Start, 120 * PageSize);
        for (ulong i = 0; i < 120; i += 3)
        {
            SimulatedStores.PageContent((Start / PageSize) + i, 2).CopyTo(range.WriteSpan(i * PageSize, (int)PageSize));
        }

        (long ios, long read) = (_medium.IoCount, _medium.BytesRead);
        range.Dispose();
        Assert.Multiple(() =>
        {
            Assert.That((_medium.IoCount, _medium.BytesRead), Is.EqualTo((ios, read)));
            Assert.That(_heap.DirtyBytes, Is.EqualTo(40 * (long)PageSize));
            Assert.That(_heap.Statistics.PinnedPages, Is.Zero);
            Assert.That(range.IsPinned, Is.False);
            Assert.That(() => range.ReadSpan(0, 1), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => range.WriteSpan(0, 1), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => range.Extend(PageSize), Throws.InstanceOf<ObjectDisposedException>());
        });
        range.Dispose();
        for (ulong i = 0; i < 120; i++)
        {
            SimulatedStores.AssertFilled(_heap, Start + (i * PageSize), 1, i % 3 == 0 ? 2 : 1);
        }

        _heap.Checkpoint();
        Assert.That(_store.Verify().IsSound, Is.True);
    }

    [Test]
    public void A_range_given_up_lets_its_page_map_nodes_be_evicted()
    {
        // Each range has two leaves of its own, one of them from its extension: many times the budget in all.
        const ulong LeafSpan = 256 * PageSize;
        for (ulong i = 0; i < BudgetPages; i++)
        {
            ulong address = Start + (((2 * i) + 1) * LeafSpan) - PageSize;
            SimulatedStores.Fill(_heap, address, 2, version: 1);
            using PinnedRange range = _heap.PinRange(address, PageSize, maxLength: 2 * PageSize);
            range.Extend(2 * PageSize);
            AssertRange(range, 0, 2, version: 1);
        }

        // All but a few frames are for pages again, and stay so.
        _heap.Checkpoint();
        SimulatedStores.Fill(_heap, Start + (1UL << 40), 2 * BudgetPages, version: 1);
        _heap.Checkpoint();
        long faults = _heap.Statistics.Faults;
        for (int round = 0; round < 3; round++)
        {
            SimulatedStores.AssertFilled(_heap, Start + (1UL << 40), BudgetPages * 3 / 4, version: 1);
        }

        Assert.That(_heap.Statistics.Faults - faults, Is.LessThanOrEqualTo(BudgetPages));
    }

    [Test]
    public void Spans_outside_the_range_are_refused()
    {
        using PinnedRange range = _heap.PinRange(Start, 2 * PageSize);
        Assert.Multiple(() =>
        {
            Assert.That(range.ReadSpan(2 * PageSize, 0).Length, Is.Zero);
            Assert.That(range.WriteSpan(0, 2 * (int)PageSize).Length, Is.EqualTo(2 * (int)PageSize));
            Assert.That(() => range.ReadSpan(2 * PageSize, 1), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => range.WriteSpan(1, 2 * (int)PageSize), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => range.MarkDirty(ulong.MaxValue, 2), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => range.ReadSpan(0, -1), Throws.InstanceOf<ArgumentOutOfRangeException>());
        });
    }

    [Test]
    public void Ranges_that_cannot_be_are_refused()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => _heap.PinRange(Start + 1, PageSize), Throws.ArgumentException);
            Assert.That(() => _heap.PinRange(Start, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => _heap.PinRange(PersistentHeap.AddressEnd - PageSize, 2 * PageSize), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => _heap.PinRange(PersistentHeap.AddressEnd - PageSize, PageSize, maxLength: 2 * PageSize), Throws.InstanceOf<ArgumentOutOfRangeException>());
        });
        using PinnedRange last = _heap.PinRange(PersistentHeap.AddressEnd - PageSize, PageSize);
        last.WriteSpan(PageSize - 1, 1)[0] = 5;
        byte[] one = new byte[1];
        _heap.Read(PersistentHeap.AddressEnd - 1, one);
        Assert.That(one[0], Is.EqualTo(5));
    }

    [Test]
    public void A_store_opened_for_reading_pins_nothing()
    {
        SimulatedStores.Fill(_heap, Start, 3, version: 1);
        _heap.Checkpoint();
        using HeapStore readOnly = HeapStore.Open(new SimulatedMedium(1, _medium.Current()) { IsReadOnly = true }, new HeapStoreOptions { ReadOnly = true });
        using PersistentHeap heap = readOnly.OpenHeap(SimulatedStores.HeapName);
        Assert.That(() => heap.PinRange(Start, PageSize), Throws.TypeOf<HeapException>());
    }

    [Test]
    public void A_range_ends_with_its_heap()
    {
        PinnedRange range = _heap.PinRange(Start, PageSize);
        _heap.Dispose();
        Assert.That(range.IsPinned, Is.False);
        Assert.That(() => range.ReadSpan(0, 1), Throws.InstanceOf<ObjectDisposedException>());
        range.Dispose();
    }

    [Test]
    [Platform("Linux", Reason = "reads /proc/self")]
    [NonParallelizable]
    public void The_memory_of_the_process_stays_within_the_budget_when_ranges_come_and_go()
    {
        const long MiB = 1 << 20;
        const long Budget = 48 * MiB;
        const long PinnedBytes = 40 * MiB;
        const long Overhead = 28 * MiB;
        using TemporaryFolder folder = new();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive);
        long baseline = ResidentBudgetTests.ResidentSetBytes();
        long largest = 0;
        using (HeapStore store = HeapStore.Create(folder.File("pinned.heap"), new HeapStoreOptions { ResidentBytes = Budget }))
        {
            using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
            byte[] chunk = new byte[64 << 10];
            new Random(1).NextBytes(chunk);
            for (int round = 0; round < 2; round++)
            {
                for (long at = 0; at < 2 * Budget; at += chunk.Length)
                {
                    heap.Write(Start + (ulong)at, chunk); // all frames are touched
                }

                Observe();
                using PinnedRange range = heap.PinRange(Start, (ulong)PinnedBytes);
                Observe();
                range.WriteSpan(0, (int)PinnedBytes).Fill((byte)round);
                Observe();
                for (long at = 0; at < Budget; at += chunk.Length)
                {
                    heap.Write(Start + (ulong)(2 * Budget) + (ulong)at, chunk); // and those that are left, again
                }

                Observe();
                heap.Checkpoint();
                Observe();
                range.WriteSpan(0, (int)PinnedBytes).Fill((byte)(round + 1));
            }

            Observe();
        }

        void Observe() => largest = Math.Max(largest, ResidentBudgetTests.ResidentSetBytes());
        TestContext.Out.WriteLine($"RSS grew by {(largest - baseline) / MiB} MiB over {baseline / MiB} MiB, under a budget of {Budget / MiB} MiB");
        Assert.That(largest - baseline, Is.LessThan(Budget + Overhead));
    }

    private static long StoreEntry(TranslationWindow window, ulong offset) =>
        *(nint*)((byte*)window.LoadTable + TranslationWindow.StoreTableDistance + (offset / PageSize * 8));

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
}
