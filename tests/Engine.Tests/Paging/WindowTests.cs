using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Paging;

/// <summary>Translation windows as compiled code uses them: by table entry where there is one, by the slow path where there is none.</summary>
[TestFixture]
internal sealed unsafe class WindowTests
{
    private const ulong PageSize = PersistentHeap.PageSize;

    private HeapStore _store = null!;
    private PersistentHeap _heap = null!;
    private TranslationWindow _window = null!;

    [SetUp]
    public void Open()
    {
        _store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        _heap = _store.CreateHeap(SimulatedStores.HeapName);
        _window = _heap.OpenWindow(SimulatedStores.Address);
    }

    [TearDown]
    public void Close()
    {
        _window.Dispose();
        _heap.Dispose();
        _store.Dispose();
    }

    [Test]
    public void A_store_installs_both_entries_and_they_address_the_byte_itself()
    {
        byte* byStore = _window.Store(5000);
        *byStore = 42;
        Assert.Multiple(() =>
        {
            Assert.That(*((byte*)LoadEntry(5000) + 5000), Is.EqualTo(42));
            Assert.That((long)byStore, Is.EqualTo(StoreEntry(5000) + 5000));
            Assert.That(Read(5000), Is.EqualTo(42));
        });
    }

    [Test]
    public void A_load_installs_no_store_entry()
    {
        _heap.Write(SimulatedStores.Address + 5000, [7]);
        _heap.Checkpoint();
        byte found = *_window.Load(5000);
        Assert.Multiple(() =>
        {
            Assert.That(found, Is.EqualTo(7));
            Assert.That(LoadEntry(5000), Is.Not.Zero);
            Assert.That(StoreEntry(5000), Is.Zero);
        });
    }

    [Test]
    public void A_seal_clears_store_entries_and_leaves_load_entries()
    {
        *_window.Store(0) = 1;
        *_window.Store(PageSize * 3) = 2;
        _heap.Checkpoint();
        Assert.Multiple(() =>
        {
            Assert.That(StoreEntry(0), Is.Zero);
            Assert.That(StoreEntry(PageSize * 3), Is.Zero);
            Assert.That(LoadEntry(0), Is.Not.Zero);
            Assert.That(*((byte*)LoadEntry(PageSize * 3) + (PageSize * 3)), Is.EqualTo(2));
        });
    }

    [Test]
    public void A_seal_clears_store_entries_also_when_more_were_installed_than_are_noted()
    {
        // A page that is cleared loses its entries, and its next store installs them again.
        for (int i = 0; i <= TranslationWindow.InstalledMax; i++)
        {
            *_window.Store(PageSize) = 1;
            _heap.Clear(SimulatedStores.Address + PageSize, PageSize);
        }

        *_window.Store(0) = 2;
        *_window.Store(PageSize) = 3;
        _heap.Checkpoint();
        Assert.Multiple(() =>
        {
            Assert.That(StoreEntry(0), Is.Zero);
            Assert.That(StoreEntry(PageSize), Is.Zero);
            Assert.That(*_window.Load(0), Is.EqualTo(2));
            Assert.That(*_window.Load(PageSize), Is.EqualTo(3));
        });
    }

    [Test]
    public void A_load_of_a_page_never_written_is_zero_and_a_store_to_it_does_not_show_elsewhere()
    {
        Assert.That(*_window.Load(9), Is.Zero);
        Assert.That(*_window.Load(PageSize + 9), Is.Zero);
        *_window.Store(9) = 5;
        byte* first = LoadEntry(9) != 0 ? (byte*)LoadEntry(9) + 9 : _window.Load(9);
        Assert.That(*first, Is.EqualTo(5));
        byte* second = LoadEntry(PageSize + 9) != 0 ? (byte*)LoadEntry(PageSize + 9) + PageSize + 9 : _window.Load(PageSize + 9);
        Assert.That(*second, Is.Zero);
    }

    [Test]
    public void Spans_reach_to_the_end_of_the_page_and_no_further()
    {
        Assert.Multiple(() =>
        {
            Assert.That(_window.ReadSpan(PageSize - 10, 100).Length, Is.EqualTo(10));
            Assert.That(_window.WriteSpan(PageSize - 10, 5).Length, Is.EqualTo(5));
            Assert.That(_window.WriteSpan(PageSize, int.MaxValue).Length, Is.EqualTo((int)PageSize));
        });
        _window.WriteSpan(PageSize, 3).Fill(8);
        Assert.That(Read(PageSize + 2), Is.EqualTo(8));
    }

    [Test]
    public void The_last_page_of_a_window_can_be_used()
    {
        ulong last = TranslationWindow.WindowBytes - 1;
        *_window.Store(last) = 77;
        Assert.That(Read(last), Is.EqualTo(77));
        Assert.That(*((byte*)LoadEntry(last) + last), Is.EqualTo(77));
    }

    [Test]
    public void Entries_go_when_their_page_is_cleared_or_released()
    {
        *_window.Store(0) = 1;
        *_window.Store(PageSize) = 2;
        _heap.Clear(SimulatedStores.Address, PageSize);
        byte* cleared = LoadEntry(0) != 0 ? (byte*)LoadEntry(0) : _window.Load(0);
        Assert.That(*cleared, Is.Zero);
        *_window.Store(0) = 3;
        Assert.Multiple(() =>
        {
            Assert.That(Read(0), Is.EqualTo(3));
            Assert.That(Read(PageSize), Is.EqualTo(2));
        });
    }

    [Test]
    public void Entries_of_pages_that_lost_their_frames_are_gone()
    {
        *_window.Store(0) = 1;
        SimulatedStores.Fill(_heap, SimulatedStores.Address + (1UL << 30), 2000, version: 1);
        byte* again = LoadEntry(0) != 0 ? (byte*)LoadEntry(0) : _window.Load(0);
        Assert.That(*again, Is.EqualTo(1));
        Assert.That(LoadEntry(0), Is.Not.Zero);
    }

    [Test]
    public void A_mutator_that_stores_while_the_writer_writes_does_not_change_what_is_written()
    {
        SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        using TranslationWindow window = heap.OpenWindow(SimulatedStores.Address);
        const int Pages = 150;
        for (int version = 1; version <= 12; version++)
        {
            SimulatedStores.Fill(heap, SimulatedStores.Address, Pages, version);
            medium.Gate.Close();
            PendingCheckpoint pending = heap.BeginCheckpoint();
            for (int i = 0; i < Pages; i++)
            {
                // The writer stands somewhere in the middle of its pages: before, at and behind the page stored to.
                medium.Gate.Grant(i % 3, () => pending.IsCompleted);
                ulong offset = (ulong)((i * 7 + version) % Pages) * PageSize;
                window.WriteSpan(offset, (int)PageSize).Fill(0xEE);
            }

            medium.Gate.Open();
            long number = pending.Wait().Number;
            using HeapStore image = HeapStore.Open(new SimulatedMedium(1, medium.Image(CrashFlavour.LoseAll, new Random(1))));
            using PersistentHeap recovered = image.OpenHeap(SimulatedStores.HeapName);
            Assert.That((long)recovered.LatestCheckpointNumber, Is.EqualTo(number));
            SimulatedStores.AssertFilled(recovered, SimulatedStores.Address, Pages, version);
            for (ulong i = 0; i < Pages; i++)
            {
                Assert.That(window.ReadSpan(i * PageSize, (int)PageSize).IndexOfAnyExcept((byte)0xEE), Is.Negative, $"page {i}");
            }
        }

        Assert.That(heap.Statistics.SealedCopies, Is.Positive, "pages stored to before they were written are copied");
    }

    private long LoadEntry(ulong offset) => *(nint*)((byte*)_window.LoadTable + (offset / PageSize * 8));

    private long StoreEntry(ulong offset) =>
        *(nint*)((byte*)_window.LoadTable + TranslationWindow.StoreTableDistance + (offset / PageSize * 8));

    private byte Read(ulong offset)
    {
        byte[] one = new byte[1];
        _heap.Read(SimulatedStores.Address + offset, one);
        return one[0];
    }
}
