using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Model;

/// <summary>
/// Runs random operations on a heap and on its model side by side, and keeps what each checkpoint has to hold.
/// The same seed on the same medium does the same, crash or no crash, up to the crash.
/// </summary>
/// <remarks>
/// <see cref="Checkpoints"/> holds the last checkpoint that has returned and every later one that was begun: after a crash, the heap is
/// exactly one of them.
/// </remarks>
internal sealed partial class HeapRun : IDisposable
{
    public const string HeapName = "main";

    private const int PageSize = PersistentHeap.PageSize;
    private const int BudgetCheckSteps = 16;

    private readonly Lock _checkpointsLock = new();
    private readonly Random _random;
    private readonly HeapWork _work;
    private readonly SimulatedMedium _medium;
    private HeapStore? _store;
    private PersistentHeap? _heap;
    private PendingCheckpoint? _pending;
    private long _sealed;

    public HeapRun(SimulatedMedium medium, int seed)
        : this(medium, seed, [])
    {
    }

    /// <summary>Goes on from a state that was recovered.</summary>
    public HeapRun(SimulatedMedium medium, int seed, IEnumerable<ulong> touchedPages)
    {
        _medium = medium;
        _random = new Random(seed);
        _work = new HeapWork(_random, WorkShape.Large, touchedPages);
    }

    /// <summary>The resident budget of every store the run opens.</summary>
    public static HeapStoreOptions Options => new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin };

    /// <summary>By number: the last checkpoint that returned, and all that were begun after it.</summary>
    public SortedDictionary<long, HeapModel> Checkpoints { get; } = [];

    /// <summary>Whether the heap was created and the creation had returned.</summary>
    public bool IsCreated { get; private set; }

    /// <summary>Every page the run has ever written to, cleared or not.</summary>
    public IReadOnlyCollection<ulong> TouchedPages => _work.TouchedPages;

    public PersistentHeap Heap => _heap!;

    public HeapStore Store => _store!;

    /// <summary>Whether the writer is held at each of its I/Os, so that a run can be repeated; otherwise it runs freely beside the mutator.</summary>
    public bool IsGated { get; init; } = true;

    /// <summary>One line for each operation, if somebody wants to read them.</summary>
    public List<string>? Trace { get; init; }

    /// <summary>What a crash at this moment may leave; callable from the thread that does an I/O.</summary>
    public SortedDictionary<long, HeapModel> AcceptableNow()
    {
        lock (_checkpointsLock)
        {
            return new SortedDictionary<long, HeapModel>(Checkpoints);
        }
    }

    /// <summary>Creates the store and works on it, for so many steps and I/Os at least; returns normally at the end or at the crash.</summary>
    public void CreateAndRun(int steps, long ios = 0)
    {
        try
        {
            _store = HeapStore.Create(_medium, Options);
            _heap = _store.CreateHeap(HeapName);
            _work.Attach(_heap, new HeapModel());
            CheckpointNow(); // A heap is in the file from its first checkpoint on.
            IsCreated = true;
            do
            {
                Run(steps);
            }
            while (_medium.IoCount < ios);
        }
        catch (Exception e) when (IsConsequenceOfTheCrash(e))
        {
        }

        Settle();
    }

    /// <summary>Opens what is on the medium, checks it, and works on it; returns normally at the end or at the crash.</summary>
    public void OpenAndRun(SortedDictionary<long, HeapModel> acceptable, int steps, string when)
    {
        try
        {
            OpenAndCheck(acceptable, when);
            Run(steps);
        }
        catch (Exception e) when (IsConsequenceOfTheCrash(e))
        {
        }

        Settle();
        if (_medium.FlushCount == 0)
        {
            // Nothing has made durable what opening found: whatever was acceptable still is.
            foreach ((long number, HeapModel model) in acceptable)
            {
                Checkpoints[number] = model;
            }
        }
    }

    /// <summary>Opens what is on the medium, and checks that it is one of these checkpoints, whole.</summary>
    public void OpenAndCheck(SortedDictionary<long, HeapModel> acceptable, string when)
    {
        _store = HeapStore.Open(_medium, Options);
        _heap = _store.OpenHeap(HeapName);
        _sealed = (long)_heap.LatestCheckpointNumber;
        if (!acceptable.TryGetValue(_sealed, out HeapModel? model))
        {
            throw new AssertionException($"{when}: checkpoint {_sealed} was recovered, expected one of {string.Join(", ", acceptable.Keys)}.");
        }

        if (_store.SkippedRoots.Count > 1)
        {
            throw new AssertionException($"{when}: {_store.SkippedRoots.Count} roots were skipped; a crash can tear only one.");
        }

        if (_store.History(HeapName)[^1].Number != _sealed)
        {
            throw new AssertionException($"{when}: the history ends at {_store.History(HeapName)[^1].Number}, the heap is at {_sealed}.");
        }

        _work.Attach(_heap, model);
        _work.AssertHeapEqualsModel(when);
        Checkpoints.Clear();
        Checkpoints[_sealed] = model;
        IsCreated = true;
    }

    public void AssertHeapEqualsModel(string when) => _work.AssertHeapEqualsModel(when);

    public void AssertSound(string when)
    {
        VerifyReport report = Store.Verify();
        if (!report.IsSound)
        {
            throw new AssertionException(
                $"{when}: {report.ProblemCount} problems, first: {string.Join("; ", report.Problems.Take(5).Select(p => $"{p.Subject} at {p.FileOffset}: {p.Message}"))}");
        }
    }

    /// <summary>Works for so many steps. The first ones fill more pages than fit in the budget.</summary>
    public void Run(int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            Step();
            NoteCompletion();
            if (step % BudgetCheckSteps == 0)
            {
                AssertWithinBudget();
            }
        }
    }

    /// <summary>Seals and waits, as a last step, so that what follows can compare with a known state.</summary>
    public void Finish()
    {
        CheckpointNow();
        AssertHeapEqualsModel("at the end of the run");
    }

    public void Dispose() => Close();

    private void AssertWithinBudget()
    {
        HeapStatistics now = Heap.Statistics;
        if (now.ResidentFrames > HeapStoreOptions.ResidentBytesMin / PageSize)
        {
            throw new AssertionException($"{now.ResidentFrames} frames are in use, more than the budget allows.");
        }
    }

    private static bool IsCrashType(Exception e) => e is HeapException or IOException;

    private bool IsConsequenceOfTheCrash(Exception e) => _medium.HasCrashed && IsCrashType(e);

    /// <summary>After a crash: finds out which of the checkpoints begun have completed, then closes without a further word.</summary>
    private void Settle()
    {
        _medium.Gate.Open();
        if (_pending is not null)
        {
            try
            {
                _pending.Wait();
            }
            catch (Exception e) when (IsConsequenceOfTheCrash(e))
            {
            }

            NoteCompletion();
        }
    }

    private void Close()
    {
        _work.Detach();
        try
        {
            _heap?.Dispose();
            _store?.Dispose();
        }
        catch (Exception e) when (IsConsequenceOfTheCrash(e))
        {
        }

        _medium.Gate.Forget(this);
        _heap = null;
        _store = null;
        _pending = null;
    }

    private void NoteCompletion()
    {
        if (_pending is { IsCompleted: true } pending && pending.Completion.IsCompletedSuccessfully)
        {
            Returned(pending.Completion.Result.Number);
            _pending = null;
        }
    }

    private void Returned(long number)
    {
        if (!Checkpoints.ContainsKey(number))
        {
            throw new AssertionException($"Checkpoint {number} returned, begun were {string.Join(", ", Checkpoints.Keys)}.");
        }

        lock (_checkpointsLock)
        {
            foreach (long older in Checkpoints.Keys.Where(n => n < number).ToList())
            {
                Checkpoints.Remove(older);
            }
        }
    }

    /// <summary>Every seal has its number and its content before it starts: the crash may come at any moment in it.</summary>
    private void Seal()
    {
        HeapModel snapshot = _work.Model.Snapshot();
        lock (_checkpointsLock)
        {
            Checkpoints[++_sealed] = snapshot;
        }
    }

    private void CheckpointNow()
    {
        _medium.Gate.Open();
        Seal();
        CheckpointInfo info = Heap.Checkpoint();
        Returned(info.Number);
        if (info.Number != _sealed)
        {
            throw new AssertionException($"Checkpoint {info.Number} returned instead of {_sealed}.");
        }

        _pending = null;
    }

    private void BeginCheckpoint()
    {
        // The engine waits for a checkpoint in flight before it seals the next: let it.
        _medium.Gate.Open();
        if (_pending is not null)
        {
            Returned(_pending.Wait().Number);
            _pending = null;
        }

        if (IsGated)
        {
            _medium.Gate.Close();
        }

        Seal();
        _medium.Gate.Expect(this);
        PendingCheckpoint pending = Heap.BeginCheckpoint();
        _pending = pending;
        _medium.Gate.Started(this, () => pending.IsCompleted);
    }

    private void LetTheWriterGoOn(int ios)
    {
        for (int i = 0; i < ios && _medium.Gate.Step(this); i++)
        {
        }
    }

    /// <summary>Closes and opens again, with or without a checkpoint; without one, what was done since the last is gone.</summary>
    private void Reopen(bool checkpointFirst)
    {
        if (checkpointFirst)
        {
            CheckpointNow();
        }

        _medium.Gate.Open();
        if (_pending is not null)
        {
            Returned(_pending.Wait().Number);
            _pending = null;
        }

        Close();
        _medium.Reattach();
        OpenAndCheck(new SortedDictionary<long, HeapModel>(Checkpoints), "after closing and opening");
    }
}
