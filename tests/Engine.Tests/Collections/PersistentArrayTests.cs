using System.Runtime.CompilerServices;
using Everheap.Engine.Collections;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Collections;

/// <summary>A persistent array at its edges: pages, segments, lengths, and what it refuses.</summary>
[TestFixture]
internal sealed class PersistentArrayTests
{
    private ReopenableHeap _place = null!;

    private PersistentHeap Heap => _place.Heap;

    [SetUp]
    public void Open() => _place = new ReopenableHeap();

    [TearDown]
    public void Close() => _place.Dispose();

    [Test]
    public void A_new_array_is_empty_and_a_new_array_of_a_length_is_all_zero()
    {
        PersistentArray<long> empty = PersistentArray.Create<long>(Heap);
        PersistentArray<long> zeros = PersistentArray.Create<long>(Heap, length: 2000);
        Assert.Multiple(() =>
        {
            Assert.That(empty, Is.Empty);
            Assert.That(zeros.LongCount, Is.EqualTo(2000));
            Assert.That(zeros, Is.All.EqualTo(0L));
        });
    }

    [Test]
    public void Elements_on_both_sides_of_every_page_and_segment_boundary_are_apart()
    {
        PersistentArray<Triple> array = PersistentArray.Create<Triple>(Heap, capacity: 1);
        const int Pages = 40; // segments of 1, 2, 4, 8, 16, 32 pages
        for (int i = 0; i < Pages * array.ElementsPerPage; i++)
        {
            array.Add(new Triple(i, -i, i * 3L));
        }

        _place.CheckpointAndReopen();
        array = PersistentArray.Open<Triple>(Heap, array.Address);
        Assert.That(array.ElementsPerPage, Is.EqualTo(170));
        Assert.That(array, Is.EqualTo(Enumerable.Range(0, Pages * 170).Select(i => new Triple(i, -i, i * 3L))));
    }

    [Test]
    public void An_array_many_times_the_budget_keeps_every_element()
    {
        const int Count = 1_000_000; // 8 MB under 1 MiB
        PersistentArray<long> array = PersistentArray.Create<long>(Heap);
        for (long i = 0; i < Count; i++)
        {
            array.Add(i * i);
            if (i % 300_000 == 0)
            {
                Heap.BeginCheckpoint();
            }
        }

        for (long i = 0; i < Count; i += 7)
        {
            array[i]++;
        }

        for (long i = 0; i < Count; i++)
        {
            if (array[i] != (i * i) + (i % 7 == 0 ? 1 : 0))
            {
                Assert.Fail($"element {i} is {array[i]}");
            }
        }

        Assert.That(Heap.Statistics.ResidentFrames, Is.LessThanOrEqualTo(Heap.Statistics.FrameCount));
    }

    [Test]
    public void Growing_moves_nothing_and_costs_no_page_but_the_headers()
    {
        PersistentArray<WholePage> array = PersistentArray.Create<WholePage>(Heap, capacity: 1);
        array.Add(Elements.Make<WholePage>(1));
        Heap.Checkpoint();
        HeapStatistics before = Heap.Statistics;
        array.EnsureCapacity(1L << 30); // 4 TiB
        array.Resize(1L << 30);
        CheckpointInfo grown = Heap.Checkpoint();
        Assert.Multiple(() =>
        {
            Assert.That(grown.Pages, Is.LessThanOrEqualTo(4), "the array's header, and address ranges");
            Assert.That(Heap.Statistics.Faults, Is.EqualTo(before.Faults));
            Assert.That(Elements.AreEqual<WholePage>([array[0]], [Elements.Make<WholePage>(1)]), Is.True);
            Assert.That(Elements.AreEqual<WholePage>([array[(1L << 30) - 1]], [default]), Is.True);
        });
    }

    [Test]
    public void Indices_beyond_32_bits_work_and_Count_says_that_it_cannot_tell()
    {
        const long Length = 3_000_000_000;
        PersistentArray<int> array = PersistentArray.Create<int>(Heap, Length);
        array[Length - 1] = 42;
        array[(long)int.MaxValue + 1] = 43;
        _place.CheckpointAndReopen();
        array = PersistentArray.Open<int>(Heap, array.Address);
        Assert.Multiple(() =>
        {
            Assert.That(array[Length - 1], Is.EqualTo(42));
            Assert.That(array[(long)int.MaxValue + 1], Is.EqualTo(43));
            Assert.That(array.LongCount, Is.EqualTo(Length));
            Assert.That(() => array.Count, Throws.InstanceOf<OverflowException>());
        });
    }

    [Test]
    public void Spans_end_with_the_page_with_the_array_and_with_what_is_wanted()
    {
        PersistentArray<Triple> array = PersistentArray.Create<Triple>(Heap, length: 400);
        array.WriteSpan(160)[9] = new Triple(1, 2, 3);
        Assert.Multiple(() =>
        {
            Assert.That(array.ReadSpan(0).Length, Is.EqualTo(170));
            Assert.That(array.ReadSpan(160).Length, Is.EqualTo(10));
            Assert.That(array.ReadSpan(170, maxLength: 3).Length, Is.EqualTo(3));
            Assert.That(array.ReadSpan(340).Length, Is.EqualTo(60));
            Assert.That(array.WriteSpan(399).Length, Is.EqualTo(1));
            Assert.That(array.ReadSpan(0, maxLength: 0).Length, Is.Zero);
            Assert.That(array[169], Is.EqualTo(new Triple(1, 2, 3)));
            Assert.That(array[170], Is.EqualTo(default(Triple)));
        });
    }

    [Test]
    public void What_shrinking_takes_away_is_zero_when_the_array_grows_again_and_its_pages_are_dropped()
    {
        PersistentArray<long> array = PersistentArray.Create<long>(Heap);
        array.AddRange(Elements.Make<long>(1, 100_000));
        long full = MappedPages();
        array.Resize(700);
        long shrunk = MappedPages();
        array.Resize(2000);
        Assert.Multiple(() =>
        {
            Assert.That(full - shrunk, Is.EqualTo(196 - 2), "of 512 elements to a page, the last one not full");
            Assert.That(array.Take(700), Is.EqualTo(Elements.Make<long>(1, 700)));
            Assert.That(array.Skip(700), Is.All.EqualTo(0L));
        });
    }

    [Test]
    public void Clearing_zeroes_what_it_is_told_to_and_nothing_else()
    {
        PersistentArray<Triple> array = PersistentArray.Create<Triple>(Heap, capacity: 1);
        Triple[] expected = Elements.Make<Triple>(1, 2000);
        array.AddRange(expected);
        foreach ((int from, int count) in ((int, int)[])[(3, 0), (169, 2), (500, 1), (340, 170), (900, 700), (1999, 1)])
        {
            array.Clear(from, count);
            expected.AsSpan(from, count).Clear();
            Assert.That(array, Is.EqualTo(expected), $"{count} from {from} on");
        }

        array.Clear();
        Assert.That(array.Count, Is.EqualTo(2000));
        Assert.That(array, Is.All.EqualTo(default(Triple)));
    }

    [Test]
    public void A_deleted_array_gives_back_its_pages_and_its_addresses()
    {
        PersistentArray<long> before = PersistentArray.Create<long>(Heap);
        before.Add(1);
        long pages = MappedPages();
        PersistentArray<long> array = PersistentArray.Create<long>(Heap, capacity: 1);
        ulong address = array.Address;
        array.AddRange(Elements.Make<long>(1, 100_000));
        array.Delete();
        Assert.Multiple(() =>
        {
            Assert.That(MappedPages(), Is.LessThanOrEqualTo(pages + 1), "a page of address ranges may remain");
            Assert.That(array.LongCount, Is.Zero, "a handle that is left over sees no elements");
            Assert.That(() => array.Add(1), Throws.InstanceOf<HeapException>());
            Assert.That(() => PersistentArray.Open<long>(Heap, address), Throws.InstanceOf<HeapException>().With.Message.Contains("no array"));
            Assert.That(PersistentArray.Create<long>(Heap, capacity: 1).Address, Is.EqualTo(address));
        });
    }

    [Test]
    public void What_no_checkpoint_has_seen_is_gone()
    {
        PersistentArray<int> array = PersistentArray.Create<int>(Heap);
        array.AddRange([1, 2, 3]);
        Heap.Checkpoint();
        array.Add(4);
        array[0] = 99;
        ulong late = PersistentArray.Create<int>(Heap).Address;
        _place.Reopen();
        array = PersistentArray.Open<int>(Heap, array.Address);
        Assert.That(array, Is.EqualTo(new[] { 1, 2, 3 }));
        Assert.That(() => PersistentArray.Open<int>(Heap, late), Throws.InstanceOf<HeapException>());
    }

    [Test]
    public void Elements_changed_while_a_checkpoint_is_written_are_not_in_it()
    {
        SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        PersistentArray<long> array = PersistentArray.Create<long>(heap);
        const int Count = 60_000; // 118 pages of the 256 there are
        array.Resize(Count);
        for (int version = 1; version <= 8; version++)
        {
            for (long i = 0; i < Count; i += 100)
            {
                array[i] = version;
            }

            medium.Gate.Close();
            PendingCheckpoint pending = heap.BeginCheckpoint();
            for (long i = 0; i < Count; i += 100)
            {
                medium.Gate.Grant(i % 5000 == 4000 ? 1 : 0, () => pending.IsCompleted);
                array[i] = -version;
            }

            medium.Gate.Open();
            pending.Wait();
            using HeapStore image = HeapStore.Open(new SimulatedMedium(1, medium.Image(CrashFlavour.LoseAll, new Random(1))));
            using PersistentHeap recovered = image.OpenHeap(SimulatedStores.HeapName);
            PersistentArray<long> then = PersistentArray.Open<long>(recovered, array.Address);
            for (long i = 0; i < Count; i += 100)
            {
                Assert.That(then[i], Is.EqualTo(version), $"element {i} of the checkpoint");
                Assert.That(array[i], Is.EqualTo(-version), $"element {i} of the heap");
            }
        }

        Assert.That(heap.Statistics.SealedCopies, Is.Positive, "pages stored to before they were written are copied");
    }

    [Test]
    public void Two_handles_on_an_array_see_each_others_changes()
    {
        PersistentArray<int> first = PersistentArray.Create<int>(Heap, capacity: 1);
        PersistentArray<int> second = PersistentArray.Open<int>(Heap, first.Address);
        for (int i = 0; i < 10_000; i += 2)
        {
            first.Add(i);
            second.Add(i + 1);
        }

        Assert.That(first, Is.EqualTo(Enumerable.Range(0, 10_000)));
        Assert.That(second.Capacity, Is.EqualTo(first.Capacity));
    }

    [Test]
    public void An_array_of_fixed_length_can_be_changed_but_neither_grown_nor_shrunk()
    {
        PersistentArray<int> array = PersistentArray.CreateFixed<int>(Heap, 1000);
        array[999] = 5;
        _place.CheckpointAndReopen();
        array = PersistentArray.Open<int>(Heap, array.Address);
        Assert.Multiple(() =>
        {
            Assert.That(array.IsFixed, Is.True);
            Assert.That(array[999], Is.EqualTo(5));
            Assert.That(() => array.Add(1), Throws.InstanceOf<InvalidOperationException>());
            Assert.That(() => array.AddRange([1]), Throws.InstanceOf<InvalidOperationException>());
            Assert.That(() => array.Resize(999), Throws.InstanceOf<InvalidOperationException>());
            Assert.That(() => array.Resize(1001), Throws.InstanceOf<InvalidOperationException>());
            Assert.That(() => array.EnsureCapacity(array.Capacity + 1), Throws.InstanceOf<InvalidOperationException>());
            Assert.That(array.LongCount, Is.EqualTo(1000));
        });
        array.Clear();
        Assert.That(array[999], Is.Zero);
    }

    [Test]
    public void Elements_up_to_a_page_are_taken_and_larger_ones_refused_with_a_reason()
    {
        PersistentArray<WholePage> pages = PersistentArray.Create<WholePage>(Heap);
        pages.AddRange(Elements.Make<WholePage>(1, 3));
        WholePage[] found = new WholePage[3];
        pages.CopyTo(0, found);
        Assert.That(Elements.AreEqual<WholePage>(found, Elements.Make<WholePage>(1, 3)), Is.True);
        Assert.Multiple(() =>
        {
            Assert.That(() => PersistentArray.Create<MoreThanAPage>(Heap), Throws.InstanceOf<NotSupportedException>().With.Message.Contains("4097"));
            Assert.That(() => PersistentArray.Open<MoreThanAPage>(Heap, pages.Address), Throws.InstanceOf<NotSupportedException>());
        });
    }

    [Test]
    public void What_is_out_of_range_is_refused()
    {
        PersistentArray<int> array = PersistentArray.Create<int>(Heap, length: 10);
        int[] two = new int[2];
        Assert.Multiple(() =>
        {
            Assert.That(() => array[10], Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array[-1], Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array[10] = 1, Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array[long.MinValue] = 1, Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array.ReadSpan(10).Length, Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array.WriteSpan(0, -1).Length, Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array.CopyTo(9, two), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array.Write(9, two), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array.Clear(5, 6), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array.Clear(5, -1), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array.Clear(long.MaxValue, long.MaxValue), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array.Resize(-1), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array.Resize(long.MaxValue), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => array.EnsureCapacity(long.MinValue), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => PersistentArray.Create<int>(Heap, -1), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => PersistentArray.Create<int>(Heap, capacity: long.MaxValue), Throws.InstanceOf<ArgumentOutOfRangeException>());
        });
        array.CopyTo(10, []);
        array.Write(10, []);
        array.Clear(10, 0);
        Assert.That(array, Is.All.Zero);
    }

    [Test]
    public void An_array_that_does_not_get_its_addresses_leaves_nothing_behind()
    {
        Heap.Checkpoint();
        ulong next = Heap.Allocate(1);
        Heap.Release(next, 1);
        long elements = (long)(PersistentHeap.AddressEnd / sizeof(long)) - 1;
        Assert.That(() => PersistentArray.Create<long>(Heap, elements), Throws.InstanceOf<HeapException>());
        Assert.That(Heap.Allocate(1), Is.EqualTo(next));
        PersistentArray<long> array = PersistentArray.Create<long>(Heap);
        Assert.That(() => array.Resize(elements), Throws.InstanceOf<HeapException>());
        Assert.That(array.LongCount, Is.Zero);
        array.Add(5);
        Assert.That(array, Is.EqualTo(new[] { 5L }));
    }

    [Test]
    public void Only_an_array_of_elements_of_the_same_size_can_be_opened()
    {
        PersistentArray<int> array = PersistentArray.Create<int>(Heap);
        Heap.Write(array.Address + 8192, [1, 2, 3]);
        Assert.Multiple(() =>
        {
            Assert.That(() => PersistentArray.Open<long>(Heap, array.Address), Throws.InstanceOf<HeapException>().With.Message.Contains("4 bytes").And.Message.Contains("of 8"));
            Assert.That(() => PersistentArray.Open<int>(Heap, array.Address + 4), Throws.InstanceOf<HeapException>());
            Assert.That(() => PersistentArray.Open<int>(Heap, array.Address + 8192), Throws.InstanceOf<HeapException>());
            Assert.That(() => PersistentArray.Open<int>(Heap, 0), Throws.InstanceOf<HeapException>());
            Assert.That(() => PersistentArray.Open<int>(Heap, PersistentHeap.AddressEnd), Throws.InstanceOf<HeapException>());
            Assert.That(() => PersistentArray.Open<int>(Heap, ulong.MaxValue), Throws.InstanceOf<HeapException>());
            Assert.That(PersistentArray.Open<float>(Heap, array.Address).LongCount, Is.Zero, "a type of the same size");
        });
    }

    [Test]
    public void A_header_that_was_written_over_is_found_out()
    {
        PersistentArray<int> array = PersistentArray.Create<int>(Heap, length: 10);
        byte[] good = new byte[ArrayHeader.Bytes];
        Heap.Read(array.Address, good);
        Assert.Multiple(() =>
        {
            Damage(8, 2, Throws.InstanceOf<HeapFormatException>());
            Damage(16, -1, Throws.InstanceOf<HeapCorruptedException>());
            Damage(16, 1 << 30, Throws.InstanceOf<HeapCorruptedException>());
            Damage(24, 5, Throws.InstanceOf<HeapCorruptedException>());
            Damage(32, 99, Throws.InstanceOf<HeapCorruptedException>());
            Damage(36, 37, Throws.InstanceOf<HeapCorruptedException>());
            Damage(40, 4, Throws.InstanceOf<HeapCorruptedException>());
            Damage(64, 1, Throws.InstanceOf<HeapCorruptedException>());
            Damage(70, 1, Throws.InstanceOf<HeapCorruptedException>());
        });
        void Damage(int offset, int value, NUnit.Framework.Constraints.IResolveConstraint throws)
        {
            Heap.Write(array.Address + (ulong)offset, BitConverter.GetBytes(value));
            Assert.That(() => PersistentArray.Open<int>(Heap, array.Address), throws, $"{value} at {offset}");
            Heap.Write(array.Address, good);
        }
    }

    [Test]
    public void A_handle_whose_header_was_written_over_reads_wrong_or_throws_and_harms_nothing_outside_the_heap()
    {
        PersistentArray<int> array = PersistentArray.Create<int>(Heap, length: 10);
        Random random = new(1);
        byte[] noise = new byte[PersistentHeap.PageSize];
        int refused = 0;
        for (int i = 0; i < 2000; i++)
        {
            random.NextBytes(noise);
            Heap.Write(array.Address, noise);
            try
            {
                _ = array[random.NextInt64()];
            }
            catch (Exception e) when (e is HeapCorruptedException or ArgumentOutOfRangeException)
            {
                refused++;
            }
        }

        Assert.That(refused, Is.GreaterThan(1000));
    }

    [Test]
    public void An_array_of_a_store_opened_for_reading_only_can_be_read_and_not_changed()
    {
        PersistentArray<int> array = PersistentArray.OpenOrCreate<int>(Heap, "numbers");
        array.AddRange([1, 2, 3]);
        _place.CheckpointAndReopen(readOnly: true);
        array = PersistentArray.OpenOrCreate<int>(Heap, "numbers");
        Assert.Multiple(() =>
        {
            Assert.That(() => array[0] = 5, Throws.InstanceOf<HeapException>());
            Assert.That(() => array.Add(4), Throws.InstanceOf<HeapException>());
            Assert.That(() => array.Resize(0), Throws.InstanceOf<HeapException>());
            Assert.That(() => array.Delete(), Throws.InstanceOf<HeapException>());
            Assert.That(() => PersistentArray.OpenOrCreate<int>(Heap, "others"), Throws.InstanceOf<HeapException>());
            Assert.That(array, Is.EqualTo(new[] { 1, 2, 3 }));
        });
    }

    [Test]
    public void An_array_of_a_closed_heap_says_so()
    {
        PersistentArray<int> array = PersistentArray.Create<int>(Heap, length: 10);
        array[3] = 1;
        Heap.Dispose();
        Assert.Multiple(() =>
        {
            Assert.That(() => array[3], Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => array[3] = 2, Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => array.LongCount, Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => array.Add(1), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => PersistentArray.Create<int>(Heap), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => PersistentArray.Open<int>(Heap, array.Address), Throws.InstanceOf<ObjectDisposedException>());
        });
    }

    [Test]
    public void An_enumerator_goes_up_to_the_end_that_there_is_when_it_comes_to_it()
    {
        PersistentArray<int> array = PersistentArray.Create<int>(Heap);
        array.Add(1);
        List<int> seen = [];
        foreach (int element in array)
        {
            seen.Add(element);
            if (element < 1500)
            {
                array.Add(element + 1);
                array[0] = 1; // a fault, or a checkpoint, between two steps is nothing to an enumerator
            }
        }

        Assert.That(seen, Is.EqualTo(Enumerable.Range(1, 1500)));
    }

    [Test]
    public void The_header_has_the_layout_that_is_documented()
    {
        ArrayHeader header = default;
        Assert.Multiple(() =>
        {
            Assert.That(Unsafe.SizeOf<ArrayHeader>(), Is.EqualTo(352));
            Assert.That(OffsetOf(ref header.Version), Is.EqualTo(8));
            Assert.That(OffsetOf(ref header.ElementSize), Is.EqualTo(12));
            Assert.That(OffsetOf(ref header.Length), Is.EqualTo(16));
            Assert.That(OffsetOf(ref header.Capacity), Is.EqualTo(24));
            Assert.That(OffsetOf(ref header.FirstSegmentShift), Is.EqualTo(32));
            Assert.That(OffsetOf(ref header.SegmentCount), Is.EqualTo(36));
            Assert.That(OffsetOf(ref header.Flags), Is.EqualTo(40));
            Assert.That(OffsetOf(ref header.Segments), Is.EqualTo(64));
            Assert.That(System.Text.Encoding.ASCII.GetString(BitConverter.GetBytes(ArrayHeader.MagicValue)), Is.EqualTo("EHARRAY1"));
        });
        int OffsetOf<TField>(ref TField field) => (int)Unsafe.ByteOffset(ref header.Magic, ref Unsafe.As<TField, ulong>(ref field));
    }

    /// <summary>Pages that have a place in the file, as of a checkpoint now.</summary>
    private long MappedPages()
    {
        Heap.Checkpoint();
        return _place.Verify().Pages;
    }
}
