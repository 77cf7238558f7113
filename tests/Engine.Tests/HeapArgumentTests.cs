using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests;

/// <summary>What the public face refuses, and that refusing changes nothing.</summary>
[TestFixture]
internal sealed class HeapArgumentTests
{
    private const ulong PageSize = PersistentHeap.PageSize;

    private SimulatedMedium _medium = null!;
    private HeapStore _store = null!;
    private PersistentHeap _heap = null!;

    [SetUp]
    public void Open()
    {
        _medium = new SimulatedMedium(1);
        _store = HeapStore.Create(_medium, SimulatedStores.Smallest);
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
    public void The_last_byte_of_the_address_space_can_be_used_and_the_one_after_it_cannot()
    {
        _heap.Write(PersistentHeap.AddressEnd - 1, [7]);
        byte[] one = new byte[1];
        _heap.Read(PersistentHeap.AddressEnd - 1, one);
        Assert.Multiple(() =>
        {
            Assert.That(one[0], Is.EqualTo(7));
            Assert.That(() => _heap.Write(PersistentHeap.AddressEnd, [7]), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => _heap.Read(PersistentHeap.AddressEnd - 1, new byte[2]), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => _heap.Clear(ulong.MaxValue, 2), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => _heap.Clear(PageSize, ulong.MaxValue), Throws.InstanceOf<ArgumentOutOfRangeException>());
        });
    }

    [TestCase(0UL, PageSize)]
    [TestCase(PageSize, 0UL)]
    [TestCase(PageSize, 3UL)]
    [TestCase(PageSize, PageSize + 1)]
    public void Allocating_nothing_or_by_an_alignment_that_is_no_power_of_two_is_refused(ulong length, ulong alignment) =>
        Assert.That(() => _heap.Allocate(length, alignment), Throws.InstanceOf<ArgumentException>());

    [Test]
    public void Allocating_more_than_there_is_is_refused_and_what_there_is_can_still_be_allocated()
    {
        Assert.That(() => _heap.Allocate(PersistentHeap.AddressSpaceBytes), Throws.InstanceOf<HeapException>());
        Assert.That(() => _heap.Allocate(ulong.MaxValue), Throws.InstanceOf<HeapException>());
        ulong all = PersistentHeap.AddressEnd - (1 << 20);
        ulong address = _heap.Allocate(all);
        Assert.That(() => _heap.Allocate(1), Throws.InstanceOf<HeapException>());
        _heap.Release(address, all);
        Assert.That(_heap.Allocate(1), Is.EqualTo(address));
    }

    [Test]
    public void Only_what_is_allocated_can_be_released_and_only_once()
    {
        ulong address = _heap.Allocate(10 * PageSize);
        _heap.Write(address, [1]);
        Assert.Multiple(() =>
        {
            Assert.That(() => _heap.Release(address + 1, PageSize), Throws.InstanceOf<ArgumentException>());
            Assert.That(() => _heap.Release(address, 11 * PageSize), Throws.InstanceOf<ArgumentException>());
            Assert.That(() => _heap.Release(0, PageSize), Throws.InstanceOf<ArgumentException>());
        });
        byte[] one = new byte[1];
        _heap.Read(address, one);
        Assert.That(one[0], Is.EqualTo(1), "what was refused has changed nothing");
        _heap.Release(address + (4 * PageSize), 2 * PageSize);
        Assert.That(() => _heap.Release(address, 10 * PageSize), Throws.InstanceOf<ArgumentException>(), "a part of it is free already");
        Assert.That(_heap.Allocate(2 * PageSize), Is.EqualTo(address + (4 * PageSize)), "the hole is found again");
    }

    [Test]
    public void A_window_starts_at_a_page() =>
        Assert.That(() => _heap.OpenWindow(PageSize + 8), Throws.InstanceOf<ArgumentException>());

    [Test]
    public void A_name_is_neither_empty_nor_too_long()
    {
        using HeapStore other = HeapStore.Create(new SimulatedMedium(1));
        Assert.Multiple(() =>
        {
            Assert.That(() => other.CreateHeap(""), Throws.InstanceOf<ArgumentException>());
            Assert.That(() => other.CreateHeap(new string('x', HeapStore.HeapNameBytesMax + 1)), Throws.InstanceOf<ArgumentException>());
            Assert.That(() => other.CreateHeap(new string('\u00e9', (HeapStore.HeapNameBytesMax / 2) + 1)), Throws.InstanceOf<ArgumentException>());
        });
        using PersistentHeap longest = other.CreateHeap(new string('\u00e9', HeapStore.HeapNameBytesMax / 2));
        Assert.That(other.HeapNames, Is.EqualTo(new[] { longest.Name }));
    }

    [Test]
    public void A_closed_heap_and_a_closed_store_say_so()
    {
        _heap.Dispose();
        Assert.That(() => _heap.Write(0, [1]), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => _heap.Checkpoint(), Throws.InstanceOf<ObjectDisposedException>());
        _store.Dispose();
        Assert.That(() => _store.WriteNote([1]), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => _store.OpenHeap(SimulatedStores.HeapName), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(_medium.IsDisposed, Is.True);
        _heap.Dispose();
        _store.Dispose();
    }

    [Test]
    public void A_store_opened_for_reading_only_asks_its_medium_for_no_change()
    {
        using SimulatedMedium medium = new(1, SimulatedStores.Image(checkpoints: 2, pages: 600)) { IsReadOnly = true };
        using HeapStore store = HeapStore.Open(medium, new HeapStoreOptions { ReadOnly = true, ResidentBytes = HeapStoreOptions.ResidentBytesMin });
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 600, version: 2);
        Assert.Multiple(() =>
        {
            Assert.That(() => heap.Write(0, [1]), Throws.InstanceOf<HeapException>());
            Assert.That(() => heap.Clear(0, 1), Throws.InstanceOf<HeapException>());
            Assert.That(() => heap.Allocate(1), Throws.InstanceOf<HeapException>());
            Assert.That(() => heap.Release(SimulatedStores.Address, 1), Throws.InstanceOf<HeapException>());
            Assert.That(() => heap.BeginCheckpoint(), Throws.InstanceOf<HeapException>());
            Assert.That(() => store.WriteNote([1]), Throws.InstanceOf<HeapException>());
            Assert.That(store.Verify().IsSound, Is.True);
        });
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 600, version: 2);
        Assert.That(medium.IoCount, Is.Zero);
    }
}
