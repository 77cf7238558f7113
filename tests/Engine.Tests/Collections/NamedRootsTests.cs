using System.Runtime.CompilerServices;

namespace Everheap.Engine.Tests.Collections;

/// <summary>Names for addresses: that they last, how many there can be, and that damage to their table is found.</summary>
[TestFixture]
internal sealed class NamedRootsTests
{
    private ReopenableHeap _place = null!;

    private PersistentHeap Heap => _place.Heap;

    [SetUp]
    public void Open() => _place = new ReopenableHeap();

    [TearDown]
    public void Close() => _place.Dispose();

    [Test]
    public void A_heap_without_names_has_none_and_asking_writes_nothing()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Heap.Roots.TryGet("name", out ulong address), Is.False);
            Assert.That(address, Is.Zero);
            Assert.That(Heap.Roots.Remove("name"), Is.False);
            Assert.That(Heap.Roots, Is.Empty);
            Assert.That(Heap.Roots.Count, Is.Zero);
            Assert.That(Heap.DirtyBytes, Is.Zero);
        });
    }

    [Test]
    public void A_name_is_in_every_checkpoint_since_it_was_set_and_in_none_before()
    {
        Heap.Roots.Set("kept", 0x123000);
        Heap.Checkpoint();
        Heap.Roots.Set("kept", 0x456000);
        Heap.Roots.Set("lost", 0x789000);
        _place.Reopen();
        Assert.Multiple(() =>
        {
            Assert.That(Heap.Roots.TryGet("kept", out ulong address), Is.True);
            Assert.That(address, Is.EqualTo(0x123000));
            Assert.That(Heap.Roots.TryGet("lost", out _), Is.False);
            Assert.That(Heap.Roots.Count, Is.EqualTo(1));
        });
    }

    [Test]
    public void Tens_of_thousands_of_names_are_found_enumerated_and_removed()
    {
        const int Count = 40_000;
        for (int i = 0; i < Count; i++)
        {
            Heap.Roots.Set($"table/{i}", (ulong)i * 16);
        }

        _place.CheckpointAndReopen();
        Assert.That(Heap.Roots.Count, Is.EqualTo(Count));
        Assert.That(Heap.Roots.OrderBy(pair => pair.Value).Select(pair => pair.Key), Is.EqualTo(Enumerable.Range(0, Count).Select(i => $"table/{i}")));
        for (int i = 0; i < Count; i++)
        {
            Assert.That(Heap.Roots.Remove($"table/{i}"), Is.True);
        }

        Assert.That(Heap.Roots, Is.Empty);
        Assert.That(Heap.Roots.TryGet("table/1", out _), Is.False);
    }

    [Test]
    public void Names_that_come_and_go_for_ever_take_no_more_room()
    {
        for (int i = 0; i < 50; i++)
        {
            Heap.Roots.Set($"permanent {i}", (ulong)i);
        }

        Heap.Checkpoint();
        long pages = 0;
        for (int i = 0; i < 20_000; i++)
        {
            Heap.Roots.Set($"temporary {i}", 1);
            Assert.That(Heap.Roots.Remove($"temporary {i}"), Is.True);
            if (i % 1000 == 0)
            {
                Heap.Checkpoint();
                pages = Math.Max(pages, _place.Verify().Pages);
            }
        }

        Assert.Multiple(() =>
        {
            Assert.That(pages, Is.LessThanOrEqualTo(1 + 16), "a header, and a table of at most 512 slots");
            Assert.That(Heap.Roots.Count, Is.EqualTo(50));
            Assert.That(Heap.Roots.Select(pair => pair.Value).Order(), Is.EqualTo(Enumerable.Range(0, 50).Select(i => (ulong)i)));
        });
    }

    [Test]
    public void Names_are_bytes_and_as_long_as_is_documented()
    {
        string longest = new('\u00e9', ReadOnlyNamedRoots.NameBytesMax / 2);
        Heap.Roots.Set(longest, 1);
        Heap.Roots.Set("\U0001F600", 2);
        Heap.Roots.Set("e\u0301", 3);
        Heap.Roots.Set("\u00e9", 4);
        Heap.Roots.Set("A", 5);
        Heap.Roots.Set("a", 6);
        Heap.Roots.Set("a\0b", 7);
        _place.CheckpointAndReopen();
        Assert.Multiple(() =>
        {
            Assert.That(Heap.Roots.OrderBy(pair => pair.Value).Select(pair => pair.Key), Is.EqualTo(new[] { longest, "\U0001F600", "e\u0301", "\u00e9", "A", "a", "a\0b" }));
            Assert.That(Heap.Roots.TryGet("\u00e9", out ulong address) ? address : 0, Is.EqualTo(4));
            Assert.That(() => Heap.Roots.Set("", 1), Throws.InstanceOf<ArgumentException>());
            Assert.That(() => Heap.Roots.Set(null!, 1), Throws.InstanceOf<ArgumentNullException>());
            Assert.That(() => Heap.Roots.Set(longest + "x", 1), Throws.InstanceOf<ArgumentException>().With.Message.Contains("113"));
            Assert.That(() => Heap.Roots.TryGet(new string('x', 1000), out _), Throws.InstanceOf<ArgumentException>());
            Assert.That(() => Heap.Roots.Set("half\ud800", 1), Throws.InstanceOf<ArgumentException>().With.Message.Contains("surrogate"));
            Assert.That(() => Heap.Roots.Set("far", PersistentHeap.AddressEnd), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(Heap.Roots.Count, Is.EqualTo(7));
        });
    }

    [Test]
    public void Names_do_not_meet_address_ranges_nor_the_heaps_own_content()
    {
        ulong all = PersistentHeap.AddressEnd - (1 << 20);
        Heap.Roots.Set("before", 1);
        Assert.That(Heap.Allocate(all), Is.EqualTo(1 << 20));
        Heap.Write(PersistentHeap.AddressEnd - 100, new byte[100]);
        Heap.Release(1 << 20, all);
        Heap.Clear(0, PersistentHeap.AddressEnd);
        Heap.Roots.Set("after", 2);
        Assert.That(Heap.Roots.Select(pair => pair.Key), Is.EquivalentTo(new[] { "before", "after" }));
        Assert.That(AddressRanges.BaseAddress + PersistentHeap.PageSize + (((ulong)AddressRanges.NodeCountMax + 1) * 64), Is.EqualTo(NamedRootsHeader.Address), "nodes are numbered from 1");
        Assert.That(NamedRootsHeader.TableAddress(NamedRootsHeader.SlotCountMax) + NamedRootsHeader.TableBytes(NamedRootsHeader.SlotCountMax), Is.EqualTo(PersistentHeap.AddressSpaceBytes));
    }

    [Test]
    public void Enumerating_while_names_change_is_refused()
    {
        Heap.Roots.Set("one", 1);
        Heap.Roots.Set("two", 2);
        Assert.That(
            () =>
            {
                foreach (KeyValuePair<string, ulong> pair in Heap.Roots)
                {
                    Heap.Roots.Remove(pair.Key);
                }
            },
            Throws.InstanceOf<InvalidOperationException>());
        Assert.That(Heap.Roots.Count, Is.EqualTo(1));
    }

    [Test]
    public void Names_of_a_store_opened_for_reading_only_can_be_read_and_not_changed()
    {
        Heap.Roots.Set("one", 1);
        _place.CheckpointAndReopen(readOnly: true);
        Assert.Multiple(() =>
        {
            Assert.That(() => Heap.Roots.Set("one", 2), Throws.InstanceOf<HeapException>());
            Assert.That(() => Heap.Roots.Set("two", 2), Throws.InstanceOf<HeapException>());
            Assert.That(() => Heap.Roots.Remove("one"), Throws.InstanceOf<HeapException>());
            Assert.That(Heap.Roots, Is.EqualTo(new[] { KeyValuePair.Create("one", 1UL) }));
        });
    }

    [Test]
    public void Names_of_a_closed_heap_say_so()
    {
        Heap.Roots.Set("one", 1);
        Heap.Dispose();
        Assert.That(() => Heap.Roots.TryGet("one", out _), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => Heap.Roots.Set("one", 1), Throws.InstanceOf<ObjectDisposedException>());
    }

    [TestCase(0, 1, TestName = "A_header_without_its_magic_is_refused")]
    [TestCase(12, 33, TestName = "A_number_of_slots_that_is_no_power_of_two_is_refused")]
    [TestCase(12, 0, TestName = "A_table_without_slots_is_refused")]
    [TestCase(12, 1 << 30, TestName = "A_table_that_reaches_past_the_heap_is_refused")]
    [TestCase(16, 20, TestName = "A_header_with_more_names_than_slots_in_use_is_refused")]
    [TestCase(20, 32, TestName = "A_header_without_an_empty_slot_is_refused")]
    public void A_damaged_header_is_refused(int offset, int value)
    {
        Heap.Roots.Set("one", 1);
        Heap.WriteAnywhere(NamedRootsHeader.Address + (ulong)offset, BitConverter.GetBytes(value));
        AssertRefused<HeapCorruptedException>();
    }

    [Test]
    public void A_table_of_a_newer_version_is_refused_as_such()
    {
        Heap.Roots.Set("one", 1);
        Heap.WriteAnywhere(NamedRootsHeader.Address + 8, [2]);
        AssertRefused<HeapFormatException>();
    }

    [Test]
    public void A_damaged_slot_is_refused_by_whoever_comes_to_it()
    {
        Heap.Roots.Set("one", 1);
        (ulong at, byte[] slot) = FindSlot();
        foreach ((int offset, byte value) in ((int, byte)[])[(12, 200), (12, 2), (8, (byte)~slot[8]), (16, (byte)'O')])
        {
            Heap.WriteAnywhere(at + (ulong)offset, [value]);
            Assert.That(() => Heap.Roots.ToList(), Throws.InstanceOf<HeapCorruptedException>(), $"{value} at {offset}");
            Heap.WriteAnywhere(at, slot);
        }

        Assert.That(() => Heap.Roots.Single(), Throws.Nothing);
        Heap.WriteAnywhere(at, new byte[slot.Length]);
        Assert.That(() => Heap.Roots.ToList(), Throws.InstanceOf<HeapCorruptedException>(), "a name too few");
    }

    [Test]
    public void A_table_without_an_empty_slot_ends_every_search()
    {
        Heap.Roots.Set("one", 1);
        for (ulong i = 0; i < NamedRootsHeader.SlotCountMin; i++)
        {
            Heap.WriteAnywhere(NamedRootsHeader.TableAddress(NamedRootsHeader.SlotCountMin) + (i * NamedRootSlot.Bytes) + 12, [0xFF, 0xFF]);
        }

        AssertRefused<HeapCorruptedException>();
    }

    [Test]
    public void Header_and_slot_have_the_layout_that_is_documented()
    {
        NamedRootsHeader header = default;
        NamedRootSlot slot = default;
        Assert.Multiple(() =>
        {
            Assert.That(NamedRootsHeader.Address, Is.EqualTo((1UL << 48) - (1UL << 35)));
            Assert.That(System.Text.Encoding.ASCII.GetString(BitConverter.GetBytes(NamedRootsHeader.MagicValue)), Is.EqualTo("EHROOTS1"));
            Assert.That(Unsafe.SizeOf<NamedRootsHeader>(), Is.EqualTo(64));
            Assert.That(OffsetOf(ref header, ref header.Version), Is.EqualTo(8));
            Assert.That(OffsetOf(ref header, ref header.SlotCount), Is.EqualTo(12));
            Assert.That(OffsetOf(ref header, ref header.Count), Is.EqualTo(16));
            Assert.That(OffsetOf(ref header, ref header.Occupied), Is.EqualTo(20));
            Assert.That(Unsafe.SizeOf<NamedRootSlot>(), Is.EqualTo(128));
            Assert.That(OffsetOf(ref slot, ref slot.Hash), Is.EqualTo(8));
            Assert.That(OffsetOf(ref slot, ref slot.NameLength), Is.EqualTo(12));
            Assert.That(OffsetOf(ref slot, ref slot.Name), Is.EqualTo(16));
        });
        static int OffsetOf<TWhole, TField>(ref TWhole whole, ref TField field) =>
            (int)Unsafe.ByteOffset(ref Unsafe.As<TWhole, byte>(ref whole), ref Unsafe.As<TField, byte>(ref field));
    }

    private void AssertRefused<TException>()
        where TException : HeapException =>
        Assert.Multiple(() =>
        {
            Assert.That(() => Heap.Roots.TryGet("another", out _), Throws.InstanceOf<TException>());
            Assert.That(() => Heap.Roots.Set("another", 1), Throws.InstanceOf<TException>());
            Assert.That(() => Heap.Roots.Remove("another"), Throws.InstanceOf<TException>());
            Assert.That(() => Heap.Roots.ToList(), Throws.InstanceOf<TException>());
        });

    /// <summary>The only slot that has a name.</summary>
    private (ulong Address, byte[] Bytes) FindSlot()
    {
        byte[] bytes = new byte[NamedRootSlot.Bytes];
        for (ulong at = NamedRootsHeader.TableAddress(NamedRootsHeader.SlotCountMin); ; at += NamedRootSlot.Bytes)
        {
            Heap.ReadAnywhere(at, bytes);
            if (bytes[12] != 0)
            {
                return (at, bytes);
            }
        }
    }
}
