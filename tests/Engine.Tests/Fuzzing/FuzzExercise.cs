using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>
/// Does to a store that may be anything what a program does to its store: opens it, lists, reads, verifies, writes, makes checkpoints, forks, drops, reclaims, and
/// opens it again. Allowed is success, with the right content, or a documented exception.
/// </summary>
/// <remarks>
/// What is right: of a store that was damaged, a checkpoint that there was, page by page. Of one that was forged with matching checksums, anything; but if it
/// verifies as sound, then nothing that is done with it may fail, and it stays sound. Of both: what was written here and committed is read back.
/// </remarks>
internal sealed class FuzzExercise
{
    /// <summary>Reads and writes of the medium; the largest number that was needed was a few thousand.</summary>
    public const int StepsMax = 100_000;

    private const long GrowthMax = 256L << 20;
    private const int ReadsEach = 8;
    private const int WritesEach = 6;
    private const int ListedMax = 2000;

    private readonly SparseImage _image;
    private readonly bool _isForged;
    private readonly Random _random;
    private readonly Dictionary<(string Heap, ulong Page), byte[]> _written = [];
    private readonly Dictionary<string, long> _committed = [];
    private bool _isSound;

    public FuzzExercise(SparseImage image, bool isForged, int seed)
    {
        _image = image;
        _isForged = isForged;
        _random = new Random(seed);
    }

    public static HeapStoreOptions Options => new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin, BackgroundReclaim = false, TimeProvider = FixedTime.Provider };

    /// <summary>Whether the store could be opened.</summary>
    public bool IsOpened { get; private set; }

    /// <summary>Whether it verified as sound.</summary>
    public bool IsSound => _isSound;

    /// <summary>How many operations were refused.</summary>
    public int Refusals { get; private set; }

    /// <summary>Reads and writes of the medium.</summary>
    public int Steps { get; private set; }

    /// <summary>Does all that.</summary>
    public void Run()
    {
        using FuzzMedium medium = new(_image, GrowthMax, StepsMax);
        Run(medium);
        Steps = medium.Steps;
    }

    private void Run(FuzzMedium medium)
    {
        HeapStore? store = null;
        if (!Try(() => store = HeapStore.Open(medium, Options)))
        {
            return;
        }

        using (store)
        {
            IsOpened = true;
            Look(store!);
            Change(store!);
        }

        bool wasSound = _isSound;
        HeapStore? again = null;
        if (Try(() => again = HeapStore.Open(medium, Options)))
        {
            using (again)
            {
                Try(() => _isSound = again!.Verify().IsSound);
                CheckWritten(again!);
                if (wasSound && !_isSound)
                {
                    throw new AssertionException($"sound before it was worked with, not afterwards: {string.Join("; ", again!.Verify().Problems.Take(5))}");
                }
            }
        }
    }

    private void Look(HeapStore store)
    {
        Try(() => _isSound = store.Verify().IsSound);
        Try(() => _ = store.Heaps);
        Try(() => _ = store.Space);
        Try(() => store.TryReadNote(new byte[HeapStore.NoteLengthMax], out _));
        foreach (string name in store.HeapNames.Take(ListedMax))
        {
            IReadOnlyList<CheckpointInfo> history = [];
            Try(() => history = store.History(name));
            foreach (CheckpointInfo checkpoint in history.Where(checkpoint => checkpoint.IsRetained).TakeLast(ReadsEach))
            {
                Try(() =>
                {
                    using HeapSnapshot snapshot = store.OpenSnapshot(name, checkpoint.Number);
                    Compare(name, snapshot.CheckpointNumber, snapshot.Read);
                    foreach (ulong page in snapshot.Pages().Take(ListedMax).Where(page => page < PersistentHeap.AddressEnd / PersistentHeap.PageSize).TakeLast(ReadsEach))
                    {
                        snapshot.Read(page * PersistentHeap.PageSize, new byte[PersistentHeap.PageSize]);
                    }

                    using HeapSnapshot latest = store.OpenSnapshot(name);
                    _ = store.Difference(snapshot, latest).Take(ListedMax).Count();
                });
            }
        }
    }

    private void Change(HeapStore store)
    {
        List<string> names = [.. store.HeapNames.Take(ListedMax)];
        foreach (string name in names.OrderBy(_ => _random.Next()).Take(ReadsEach))
        {
            Try(() =>
            {
                using PersistentHeap heap = store.OpenHeap(name);
                Compare(name, (long)heap.LatestCheckpointNumber, heap.Read);
                Work(heap);
            });
        }

        if (!names.Contains("made here"))
        {
            Try(() =>
            {
                using PersistentHeap heap = store.CreateHeap("made here");
                Work(heap);
            });
        }

        for (int i = _random.Next(4); i > 0; i--)
        {
            names = [.. store.HeapNames];
            if (names.Count > 0)
            {
                Try(() => ChangeHistory(store, names[_random.Next(names.Count)]));
            }
        }

        Try(() =>
        {
            for (int steps = 0; steps < ReadsEach && store.Reclaim(_random.Next(1, 2000)); steps++)
            {
            }
        });
        Try(() => store.WriteNote("note"u8));
        if (_random.Next(4) == 0)
        {
            Try(() => store.Compact());
        }

        if (_random.Next(4) == 0)
        {
            Repair(store);
        }

        if (_isSound)
        {
            Assert.That(store.Verify().Problems, Is.Empty);
        }
    }

    /// <summary>After a repair of damage the store is sound, if every heap had a checkpoint to go back to.</summary>
    private void Repair(HeapStore store)
    {
        IReadOnlyList<HeapRepair> repaired = [];
        if (!Try(() => repaired = store.Repair()))
        {
            return;
        }

        foreach (HeapRepair heap in repaired.Where(heap => heap.Damaged.Count > 0))
        {
            Forget(heap.HeapName);
        }

        VerifyReport? report = null;
        if (Try(() => report = store.Verify()) && !_isForged && repaired.All(heap => heap.Damaged.Count == 0 || heap.NewestValid is not null))
        {
            Assert.That(report!.Problems, Is.Empty, "after a repair that had something to go back to for every heap");
        }
    }

    private void Work(PersistentHeap heap)
    {
        // Before pages are written: what is given back is cleared.
        if (_random.Next(2) == 0)
        {
            Forget(heap.Name);
            TryContent(() => heap.Release(heap.Allocate(10_000), 10_000));
            TryContent(() => heap.Allocate(1UL << 20));
        }

        Dictionary<(string, ulong), byte[]> written = [];
        for (int i = 0; i < WritesEach; i++)
        {
            ulong page = (ulong)(_random.Next(4) == 0 ? _random.NextInt64(1L << 35) : _random.Next(1500));
            byte[] content = new byte[PersistentHeap.PageSize];
            _random.NextBytes(content);
            if (Try(() => heap.Write(page * PersistentHeap.PageSize, content)))
            {
                written[(heap.Name, page)] = content;
            }
            else
            {
                // What became of it is not known.
                written.Remove((heap.Name, page));
            }
        }

        if (Try(() => _committed[heap.Name] = heap.Checkpoint().Number))
        {
            foreach (((string, ulong) page, byte[] content) in written)
            {
                _written[page] = content;
            }
        }
    }

    private void ChangeHistory(HeapStore store, string name)
    {
        IReadOnlyList<CheckpointInfo> retained = [.. store.History(name).Where(checkpoint => checkpoint.IsRetained)];
        long latest = store.GetHeap(name).LatestCheckpoint;
        long some = retained.Count == 0 ? latest : retained[_random.Next(retained.Count)].Number;
        switch (_random.Next(6))
        {
            case 0:
                string fork = $"fork {_random.Next()}";
                store.Fork(name, some, fork);
                using (PersistentHeap heap = store.OpenHeap(fork))
                {
                    Work(heap);
                }

                break;
            case 1:
                Forget(name);
                store.DropHeap(name);
                break;
            case 2 when some != latest:
                store.DropCheckpoint(name, some);
                break;
            case 3:
                store.Retain(name, some, $"name {_random.Next()}");
                break;
            case 4:
                store.SetRetention(name, new RetentionPolicy { KeepLast = _random.Next(1, 5) });
                break;
            default:
                Forget(name);
                store.Revert(name, some);
                break;
        }
    }

    private void Forget(string name)
    {
        foreach ((string Heap, ulong Page) page in _written.Keys.Where(page => page.Heap == name).ToList())
        {
            _written.Remove(page);
        }
    }

    private void Compare(string name, long checkpoint, Action<ulong, Span<byte>> read)
    {
        if (_isForged)
        {
            byte[] content = new byte[PersistentHeap.PageSize];
            for (int i = 0; i < ReadsEach; i++)
            {
                ulong page = (ulong)_random.Next(500, 1100);
                Try(() => read(page * PersistentHeap.PageSize, content));
            }
        }
        else if (!_written.Keys.Any(page => page.Heap == name))
        {
            bool isWhole = FuzzStores.Contents.Check(name, checkpoint, read, IsRefusal);
            if (_isSound && !isWhole)
            {
                throw new AssertionException($"heap '{name}' verified as sound, but not all of it could be read");
            }
        }
    }

    private void CheckWritten(HeapStore store)
    {
        foreach (IGrouping<string, KeyValuePair<(string Heap, ulong Page), byte[]>> heap in _written.GroupBy(page => page.Key.Heap))
        {
            Try(() =>
            {
                using PersistentHeap opened = store.OpenHeap(heap.Key);
                if ((long)opened.LatestCheckpointNumber < _committed[heap.Key])
                {
                    // A forged allocator gives out what the newest root needs; then the one before it is opened, and that is told.
                    Assert.That(_isForged && store.SkippedRoots.Count > 0, $"checkpoint {_committed[heap.Key]} of heap '{heap.Key}' was made here, and is gone");
                    return;
                }

                byte[] found = new byte[PersistentHeap.PageSize];
                foreach (((string _, ulong page), byte[] content) in heap)
                {
                    if (Try(() => opened.Read(page * PersistentHeap.PageSize, found)) && !found.AsSpan().SequenceEqual(content))
                    {
                        throw new AssertionException($"page {page} of heap '{heap.Key}' was written and committed, and is something else");
                    }
                }
            });
        }
    }

    /// <summary>False if the store refuses it with a documented exception, which one that verified as sound may not do.</summary>
    private bool Try(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (Exception exception) when (IsRefusal(exception))
        {
            Refusals++;
            return !_isSound || exception is HeapFullException ? false : throw new AssertionException($"a store that verified as sound refuses: {exception}");
        }
    }

    /// <summary>The same for what depends on the content of a heap's pages (which addresses are free), of which a verification knows nothing.</summary>
    private void TryContent(Action action)
    {
        bool wasSound = _isSound;
        _isSound &= !_isForged;
        try
        {
            Try(action);
        }
        catch (ArgumentException) when (_isForged)
        {
            // What was given out is said to be free, or not to be one that is given out.
            Refusals++;
        }

        _isSound = wasSound;
    }

    /// <summary>Whether it is one of the documented exceptions, and has a documented cause.</summary>
    private static bool IsRefusal(Exception exception) =>
        exception is HeapException && (exception.InnerException is null or IOException || IsRefusal(exception.InnerException));
}
