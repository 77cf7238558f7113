using Everheap.Engine.Collections;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Collections;

/// <summary>Arrays and names seen through snapshots, forks and reverts, and on a medium that is full.</summary>
[TestFixture]
internal sealed class HistoryOfCollectionsTests
{
    private const int Threads = 4;

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
    public void A_snapshot_keeps_array_and_names_as_they_were()
    {
        PersistentArray<Triple> array = PersistentArray.OpenOrCreate<Triple>(_heap, "triples");
        Triple[] then = Elements.Make<Triple>(1, 2000);
        array.AddRange(then);
        _heap.Checkpoint();
        using HeapSnapshot snapshot = _store.OpenSnapshot(SimulatedStores.HeapName);
        array.AddRange(then);
        array.Clear(0, 500);
        _heap.Roots.Set("later", 1);
        _heap.Checkpoint();
        array.Delete();
        _heap.Roots.Remove("triples");
        _heap.Checkpoint();
        Assert.That(snapshot.Roots, Is.EqualTo(new[] { KeyValuePair.Create("triples", array.Address) }));
        ReadOnlyPersistentArray<Triple> view = PersistentArray.Open<Triple>(snapshot, array.Address);
        Triple[] some = new Triple[700];
        view.CopyTo(160, some);
        Assert.Multiple(() =>
        {
            Assert.That(view, Is.EqualTo(then));
            Assert.That(view.Count, Is.EqualTo(2000));
            Assert.That(view[1999], Is.EqualTo(then[1999]));
            Assert.That(some, Is.EqualTo(then[160..860]));
            Assert.That(() => view[2000], Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => view[-1], Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => view.CopyTo(1301, some), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => PersistentArray.Open<long>(snapshot, array.Address), Throws.InstanceOf<HeapException>());
            Assert.That(() => PersistentArray.Open<long>(snapshot, "later"), Throws.InstanceOf<HeapException>().With.Message.Contains("'later'"));
            Assert.That(() => PersistentArray.Open<MoreThanAPage>(snapshot, array.Address), Throws.InstanceOf<NotSupportedException>());
        });
        snapshot.Dispose();
        Assert.That(() => view[0], Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => snapshot.Roots.Count, Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Threads_that_read_snapshots_while_the_writer_writes_see_each_checkpoint_whole()
    {
        // Every element of a checkpoint is the checkpoint's version, and there are a thousand more of them each time.
        const int Versions = 25;
        PersistentArray<long> array = PersistentArray.OpenOrCreate<long>(_heap, "numbers");
        Write(1);
        long seen = 0;
        using CancellationTokenSource end = new();
        Task[] readers = [.. Enumerable.Range(0, Threads).Select(_ => Task.Run(() =>
        {
            do
            {
                using HeapSnapshot snapshot = _store.OpenSnapshot(SimulatedStores.HeapName);
                ReadOnlyPersistentArray<long> view = PersistentArray.Open<long>(snapshot, "numbers");
                long version = view[0];
                Assert.That(view.LongCount, Is.EqualTo(version * 1000));
                Assert.That(view.All(element => element == version), Is.True);
                Interlocked.Increment(ref seen);
            }
            while (!end.IsCancellationRequested);
        }))];
        for (int version = 2; version <= Versions; version++)
        {
            Write(version);
        }

        end.Cancel();
        Task.WaitAll(readers);
        Assert.That(seen, Is.GreaterThanOrEqualTo(Threads));

        void Write(int version)
        {
            array.Resize(version * 1000);
            for (long i = 0; i < array.LongCount; i++)
            {
                array[i] = version;
            }

            _heap.Checkpoint();
        }
    }

    [Test]
    public void A_fork_has_the_arrays_and_names_of_its_origin_and_changes_its_own()
    {
        PersistentArray<int> array = PersistentArray.OpenOrCreate<int>(_heap, "numbers");
        array.AddRange([1, 2, 3]);
        long number = _heap.Checkpoint().Number;
        _store.Fork(SimulatedStores.HeapName, number, "fork");
        using PersistentHeap fork = _store.OpenHeap("fork");
        PersistentArray<int> forked = PersistentArray.OpenOrCreate<int>(fork, "numbers");
        forked.Add(4);
        array[0] = 9;
        fork.Roots.Set("own", 1);
        fork.Checkpoint();
        _heap.Checkpoint();
        Assert.Multiple(() =>
        {
            Assert.That(forked, Is.EqualTo(new[] { 1, 2, 3, 4 }));
            Assert.That(array, Is.EqualTo(new[] { 9, 2, 3 }));
            Assert.That(fork.Roots.Count, Is.EqualTo(2));
            Assert.That(_heap.Roots.Count, Is.EqualTo(1));
        });
    }

    [Test]
    public void A_handle_stays_true_when_its_heap_is_reverted()
    {
        PersistentArray<int> array = PersistentArray.OpenOrCreate<int>(_heap, "numbers");
        array.AddRange([1, 2, 3]);
        long number = _heap.Checkpoint().Number;
        _store.SetRetention(SimulatedStores.HeapName, new RetentionPolicy { KeepLast = 10 });
        array.AddRange(Elements.Make<int>(1, 600_000)); // another segment, which the revert takes away
        array[0] = 100;
        _heap.Roots.Set("later", 1);
        _heap.Checkpoint();
        PersistentArray<int> later = PersistentArray.Create<int>(_heap);
        later.Add(5);
        using IEnumerator<KeyValuePair<string, ulong>> names = _heap.Roots.GetEnumerator();
        Assert.That(names.MoveNext(), Is.True);
        _heap.Revert(number);
        Assert.Multiple(() =>
        {
            Assert.That(array, Is.EqualTo(new[] { 1, 2, 3 }));
            Assert.That(_heap.Roots.Select(pair => pair.Key), Is.EqualTo(new[] { "numbers" }));
            Assert.That(names.MoveNext, Throws.InstanceOf<InvalidOperationException>());
            Assert.That(later.LongCount, Is.Zero, "it never was");
            Assert.That(() => later.Add(1), Throws.InstanceOf<HeapException>());
        });
        int[] more = Elements.Make<int>(7, 600_000);
        array.AddRange(more);
        Assert.That(array.Skip(3), Is.EqualTo(more));
    }

    [Test]
    public void What_a_full_medium_refuses_changes_nothing_and_can_be_asked_for_again()
    {
        PersistentArray<Block> array = PersistentArray.OpenOrCreate<Block>(_heap, "blocks");
        _heap.Checkpoint();
        _medium.Capacity = _medium.Length;
        int count = 0;
        int refused = 0;
        while (refused < 20)
        {
            // A refusal may have freed some frames on the way, so that some more elements find room before the next.
            try
            {
                array.Add(Elements.Make<Block>(count));
                count++;
            }
            catch (HeapFullException)
            {
                refused++;
            }

            Assert.That(array.LongCount, Is.EqualTo(count));
        }

        _medium.Capacity = long.MaxValue;
        for (; count < 40_000; count++)
        {
            array.Add(Elements.Make<Block>(count));
        }

        _heap.Checkpoint();
        Assert.That(array.LongCount, Is.EqualTo(40_000));
        for (int i = 0; i < count; i += 97)
        {
            Assert.That(Elements.AreEqual<Block>([array[i]], [Elements.Make<Block>(i)]), Is.True, $"element {i}");
        }

        Assert.That(_store.Verify().IsSound, Is.True);
    }
}
