using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Model;

/// <summary>
/// Runs random operations on a whole store and on its model side by side: several heaps, driven in turn by one mutator, each with a writer; their checkpoints,
/// histories, forks, snapshots. Keeps what the store has to hold after each of its roots, so that whatever a crash leaves can be compared with
/// the root it says it is.
/// </summary>
/// <remarks>
/// <para>
/// Which checkpoints a root has taken is seen at the first I/O after it, before anything else can happen: those whose heaps then say that they are durable. So a
/// root with several of them is one state, and half of it none.
/// </para>
/// <para>The same seed on the same medium does the same, crash or no crash, up to the crash, but for moments in which the mutator waits for a writer.</para>
/// </remarks>
internal sealed partial class StoreRun : IDisposable, IPins
{
    private const int PageSize = PersistentHeap.PageSize;

    private readonly Lock _lock = new();
    private readonly SimulatedMedium _medium;
    private readonly Random _random;
    private readonly SortedDictionary<ulong, StoreModel> _roots = [];
    private readonly List<OpenHeap> _heaps = [];
    private readonly List<Sealed> _sealed = [];
    private readonly TestClock _clock = new();
    private HeapStore? _store;
    private StoreModel _durable = StoreModel.Empty;
    private Func<StoreModel, StoreModel>? _change;
    private Func<StoreModel, StoreModel>? _possibleChange;
    private bool _isMaintaining;
    private string? _violation;
    private ulong _root;
    private int _nextId = 1;

    public StoreRun(SimulatedMedium medium, int seed, bool isGated = true)
    {
        _medium = medium;
        IsGated = isGated;
        _random = new Random(seed);
        _clock.Now = new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
        _medium.BeforeIo += _ => Observe();
    }

    /// <summary>The store, while it is open.</summary>
    public HeapStore Store => _store ?? throw new InvalidOperationException("The store is not open.");

    /// <summary>Whether the store was created and the creation had returned.</summary>
    public bool IsCreated { get; private set; }

    /// <summary>Whether what every root holds is remembered, or that of the newest few alone.</summary>
    public bool KeepsAllRoots { get; init; }

    /// <summary>Whether writers are held at their I/Os. Otherwise they run freely.</summary>
    public bool IsGated { get; }

    /// <summary>Whether the medium fills up and gets room again while the run goes on.</summary>
    public bool FillsUp { get; init; }

    /// <summary>One line for each operation, if somebody wants to read them.</summary>
    public List<string>? Trace { get; init; }

    /// <summary>The number of the newest root that was seen to be durable. Any thread.</summary>
    public ulong Root => Volatile.Read(ref _root);

    /// <summary>Operations done.</summary>
    public int Operations { get; private set; }

    /// <summary>Roots that took the checkpoints of more than one heap.</summary>
    public int Groups { get; private set; }

    /// <summary>How often there was no room.</summary>
    public int TimesFull { get; private set; }

    private HeapStoreOptions Options => new()
    {
        ResidentBytes = HeapStoreOptions.ResidentBytesMin,
        BackgroundReclaim = false,
        TimeProvider = _clock,
    };

    /// <summary>What the store holds after a root; null if no such root was made.</summary>
    public StoreModel? StateAt(ulong root)
    {
        lock (_lock)
        {
            return _roots.GetValueOrDefault(root);
        }
    }

    /// <summary>
    /// What the store may hold if a crash or failure ended the run in the middle of the root after the newest that was seen: that root with any of what was in flight.
    /// </summary>
    public IReadOnlyList<StoreModel> StatesAfter(ulong root)
    {
        lock (_lock)
        {
            if (_roots.TryGetValue(root + 1, out StoreModel? known))
            {
                return [known];
            }

            List<StoreModel> states = [];
            Sealed[] inFlight = [.. _sealed.Where(candidate => !candidate.IsDurable)];
            for (int members = 0; members < 1 << inFlight.Length; members++)
            {
                StoreModel state = _roots[root];
                for (int i = 0; i < inFlight.Length; i++)
                {
                    state = (members & (1 << i)) != 0 ? state.Advance(inFlight[i].Heap.Identity, inFlight[i].Checkpoint, this) : state;
                }

                states.Add(WithoutUnwanted(state));
                if ((_change ?? _possibleChange) is { } change)
                {
                    states.Add(WithoutUnwanted(change(state)));
                }
            }

            return states;
        }
    }

    /// <summary>Creates the store.</summary>
    public void Create()
    {
        _store = HeapStore.Create(_medium, Options);
        Forget(StoreModel.Empty, 0);
        IsCreated = true;
        _medium.Capacity = FillsUp ? _medium.Length : long.MaxValue;
    }

    /// <summary>Opens what is on the medium, and checks that it is one of these states, whole.</summary>
    /// <param name="acceptable">The states, by root.</param>
    /// <param name="when">For messages.</param>
    public void Open(IReadOnlyCollection<(ulong Root, StoreModel State)> acceptable, string when)
    {
        _store = HeapStore.Open(_medium, Options);
        if (_store.SkippedRoots.Count > 1)
        {
            throw new AssertionException($"{when}: {_store.SkippedRoots.Count} roots were skipped; a crash can tear only one.");
        }

        string found = StoreModel.Describe(_store);
        List<StoreModel> states = [.. acceptable.Where(state => state.Root == _store.CommitNumber).Select(state => state.State)];
        StoreModel model = states.Find(state => state.Describe() == found) ?? throw new AssertionException(
            $"{when}: root {_store.CommitNumber} was opened, and holds\n{found}\nExpected one of these roots: "
            + string.Join("\n", acceptable.Select(state => $"{state.Root}\n{state.State.Describe()}")));
        Forget(model, _store.CommitNumber);
        _nextId = Math.Max(_nextId, model.Heaps.Values.Select(heap => heap.Id + 1).DefaultIfEmpty(1).Max());
        _clock.Now = model.Heaps.Values.SelectMany(heap => heap.Checkpoints).Select(checkpoint => new DateTimeOffset(checkpoint.Time)).DefaultIfEmpty(_clock.Now).Max();
        IsCreated = true;
    }

    /// <summary>Works for so many operations.</summary>
    public void Run(int operations)
    {
        for (int i = 0; i < operations; i++)
        {
            DoOne();
            Operations++;
            NoteCompletions();
            ThrowIfViolated();
        }
    }

    /// <summary>Makes room, and completes what is in flight or had none.</summary>
    public void Finish()
    {
        _medium.Capacity = long.MaxValue;
        foreach (OpenHeap heap in _heaps)
        {
            FinishCheckpoint(heap);
            if (heap.Stalled is not null)
            {
                CheckpointNow(heap);
            }
        }

        Quiet();
    }

    /// <summary>After a crash or failure: waits for what is in flight to end, well or not.</summary>
    public void Settle()
    {
        _medium.Gate.Open();
        foreach (OpenHeap heap in _heaps)
        {
            if (heap.InFlight?.Pending is { } pending)
            {
                ((IAsyncResult)pending.Completion).AsyncWaitHandle.WaitOne();
            }
        }

        Observe();
    }

    /// <summary>Closes the store without a checkpoint.</summary>
    public void Dispose()
    {
        _medium.Gate.Open();
        foreach (OpenHeap heap in _heaps)
        {
            heap.Work.Detach();
        }

        _store?.Dispose();
        foreach (OpenHeap heap in _heaps)
        {
            _medium.Gate.Forget(heap);
        }

        _store = null;
        _heaps.Clear();
        _snapshots.Clear();
        lock (_lock)
        {
            _sealed.Clear();
        }
    }

    /// <inheritdoc/>
    public bool IsPinned(int heapId, long number) => _snapshots.Exists(snapshot => snapshot.HeapId == heapId && snapshot.Number == number);

    /// <summary>Starts from a state that was just created or opened: what came before is no more.</summary>
    private void Forget(StoreModel state, ulong root)
    {
        lock (_lock)
        {
            if (!KeepsAllRoots)
            {
                _roots.Clear();
            }

            _roots[root] = state;
            _durable = state;
            _unpruned.Clear();
            _change = _possibleChange = null;
            Volatile.Write(ref _root, root);
        }
    }

    /// <summary>Sees whether a root has become durable, and what it took. Called at every I/O, before it takes effect, by whichever thread does it.</summary>
    private void Observe()
    {
        lock (_lock)
        {
            if (_store is null || _store.CommitNumber == _root)
            {
                return;
            }

            if (_store.CommitNumber != _root + 1)
            {
                _violation ??= $"After root {_root} came root {_store.CommitNumber}, and no I/O in between.";
                return;
            }

            int members = 0;
            StoreModel state = _durable;
            foreach (Sealed candidate in _sealed)
            {
                if (!candidate.IsDurable && candidate.Heap.Heap.LatestCheckpointNumber >= (ulong)candidate.Checkpoint.Number)
                {
                    candidate.IsDurable = true;
                    state = state.Advance(candidate.Heap.Identity, candidate.Checkpoint, this);
                    members++;
                }
            }

            if (members == 0 && _change is null && !_isMaintaining)
            {
                _violation ??= $"Root {_root + 1} was made, and nobody had asked for it.";
                return;
            }

            if (members == 0 && _change is not null)
            {
                state = _change(state);
                _change = null;
            }

            Groups += members > 1 ? 1 : 0;
            state = WithoutUnwanted(state);
            _unpruned.Clear();
            _sealed.RemoveAll(candidate => candidate.IsDurable);
            _roots[_root + 1] = _durable = state;
            Volatile.Write(ref _root, _root + 1);
            if (!KeepsAllRoots)
            {
                foreach (ulong old in _roots.Keys.Where(root => root + 2 < _root).ToList())
                {
                    _roots.Remove(old);
                }
            }
        }
    }

    private StoreModel WithoutUnwanted(StoreModel state) => _unpruned.Aggregate(state, (pruned, id) => pruned.Pruned(id, this));

    private void ThrowIfViolated()
    {
        if (_violation is not null)
        {
            throw new AssertionException(_violation);
        }
    }

    /// <summary>A heap that is open, with what is done to it.</summary>
    private sealed class OpenHeap(ModelHeap identity, PersistentHeap heap, HeapWork work)
    {
        public ModelHeap Identity { get; } = identity;

        public PersistentHeap Heap { get; } = heap;

        public HeapWork Work { get; } = work;

        /// <summary>The checkpoint that is being written.</summary>
        public Sealed? InFlight { get; set; }

        /// <summary>The checkpoint for which there was no room; the next one completes it.</summary>
        public Sealed? Stalled { get; set; }
    }

    /// <summary>A checkpoint that was sealed and is not durable yet.</summary>
    private sealed class Sealed(OpenHeap heap, ModelCheckpoint checkpoint)
    {
        public OpenHeap Heap { get; } = heap;

        public ModelCheckpoint Checkpoint { get; } = checkpoint;

        public PendingCheckpoint? Pending { get; set; }

        public bool IsDurable { get; set; }
    }

    /// <summary>A clock that goes when it is told to.</summary>
    private sealed class TestClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; }

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
