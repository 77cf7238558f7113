using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Paging;

/// <summary>
/// What the mutator does to the page map while that still belongs to the checkpoint being written: evictions and drops are noted aside, up to
/// a limit; at the limit the mutator waits for the writer. The writer is held at its first write all the while.
/// </summary>
[TestFixture]
internal sealed class DeferredPlacesTests
{
    private const ulong PageSize = PersistentHeap.PageSize;

    /// <summary>As far apart as pages of different map leaves are, and some more.</summary>
    private const ulong LeafStride = 300 * PageSize;

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
        _medium.Gate.Open();
        _heap.Dispose();
        _store.Dispose();
        _medium.Dispose();
    }

    [TestCase(PageSize, 2000)]
    [TestCase(LeafStride, 500)]
    public void Pages_evicted_while_a_checkpoint_is_written_are_found_again_and_in_the_next_checkpoint(ulong stride, int count)
    {
        Fill(0, stride, 100, version: 1);
        PendingCheckpoint pending = BeginHeld();
        Fill(0, stride, count, version: 2);
        AssertFilled(0, stride, count, version: 2);
        LetGo(pending, stride, 100, version: 1);
        AssertFilled(0, stride, count, version: 2);
        _heap.Checkpoint();
        AssertImage(stride, count, version: 2);
    }

    [TestCase(PageSize)]
    [TestCase(LeafStride)]
    public void Pages_dropped_while_a_checkpoint_is_written_stay_dropped_and_are_in_that_checkpoint_all_the_same(ulong stride)
    {
        const int Count = 150;
        Fill(0, stride, Count, version: 1);
        PendingCheckpoint pending = BeginHeld();
        _heap.Clear(SimulatedStores.Address, Count * stride);
        Assert.That(IsZero(stride, Count), Is.True);
        Fill(0, stride, 10, version: 3);
        LetGo(pending, stride, Count, version: 1);
        AssertFilled(0, stride, 10, version: 3);
        _heap.Clear(SimulatedStores.Address, Count * stride);
        Assert.That(IsZero(stride, Count), Is.True);
        long before = _heap.Statistics.Faults;
        _heap.Checkpoint();
        Assert.Multiple(() =>
        {
            Assert.That(_store.Verify().Pages, Is.LessThanOrEqualTo(1), "nothing is left but the engine's own account");
            Assert.That(_heap.Statistics.Faults, Is.EqualTo(before));
        });
    }

    [Test]
    public void Dropping_and_writing_the_same_pages_over_and_over_while_the_writer_stands_keeps_the_last_of_it()
    {
        Fill(0, PageSize, 400, version: 1);
        for (int round = 0; round < 6; round++)
        {
            PendingCheckpoint pending = BeginHeld();
            for (int version = 10; version < 14; version++)
            {
                _heap.Clear(SimulatedStores.Address + (50 * PageSize), 300 * PageSize);
                Fill(50, PageSize, 150, version);
                _medium.Gate.Grant(1, () => pending.IsCompleted);
            }

            _medium.Gate.Open();
            pending.Wait();
            AssertFilled(50, PageSize, 150, version: 13);
            AssertFilled(0, PageSize, 50, version: 1);
            AssertFilled(350, PageSize, 50, version: 1);
        }

        _heap.Checkpoint();
        Assert.That(_store.Verify().IsSound, Is.True);
    }

    private PendingCheckpoint BeginHeld()
    {
        _medium.Gate.Close();
        PendingCheckpoint pending = _heap.BeginCheckpoint();
        _medium.Gate.AwaitStop(() => pending.IsCompleted);
        return pending;
    }

    /// <summary>Lets the writer finish, and checks that the checkpoint is what it was when it was sealed.</summary>
    private void LetGo(PendingCheckpoint pending, ulong stride, int count, int version)
    {
        _medium.Gate.Open();
        pending.Wait();
        AssertImage(stride, count, version);
    }

    private void AssertImage(ulong stride, int count, int version)
    {
        using HeapStore store = HeapStore.Open(new SimulatedMedium(1, _medium.Image(CrashFlavour.LoseAll, new Random(1))), SimulatedStores.Smallest);
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        for (int i = 0; i < count; i++)
        {
            SimulatedStores.AssertFilled(heap, SimulatedStores.Address + ((ulong)i * stride), 1, version);
        }

        Assert.That(store.Verify().IsSound, Is.True);
    }

    private void Fill(int first, ulong stride, int count, int version)
    {
        for (int i = first; i < first + count; i++)
        {
            SimulatedStores.Fill(_heap, SimulatedStores.Address + ((ulong)i * stride), 1, version);
        }
    }

    private void AssertFilled(int first, ulong stride, int count, int version)
    {
        for (int i = first; i < first + count; i++)
        {
            SimulatedStores.AssertFilled(_heap, SimulatedStores.Address + ((ulong)i * stride), 1, version);
        }
    }

    private bool IsZero(ulong stride, int count)
    {
        byte[] bytes = new byte[PageSize];
        for (int i = 0; i < count; i++)
        {
            _heap.Read(SimulatedStores.Address + ((ulong)i * stride), bytes);
            if (bytes.AsSpan().IndexOfAnyExcept((byte)0) >= 0)
            {
                return false;
            }
        }

        return true;
    }
}
