using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Properties;

/// <summary>
/// A store and its model, to which the same commands are given. Everything goes by the public face of the store, one command after the other; a command that the model
/// cannot follow has to be refused.
/// </summary>
internal sealed class StoreSide : IPins, IDisposable
{
    /// <summary>The names that heaps can have.</summary>
    public const int NameCount = 4;

    private const int PageSize = PersistentHeap.PageSize;
    private const int SnapshotsMax = 4;

    private readonly SimulatedMedium _medium;
    private readonly TimeProvider _clock;
    private readonly Dictionary<string, OpenedHeap> _open = [];
    private readonly List<OpenedSnapshot> _snapshots = [];
    private readonly HashSet<int> _unpruned = [];
    private int _nextId = 1;

    public StoreSide(int seed, TimeProvider clock)
    {
        _medium = new SimulatedMedium(seed);
        _clock = clock;
        Store = HeapStore.Create(_medium, Options);
    }

    public HeapStore Store { get; private set; }

    /// <summary>What is durable.</summary>
    public StoreModel Model { get; private set; } = StoreModel.Empty;

    private HeapStoreOptions Options => new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin, BackgroundReclaim = false, TimeProvider = _clock };

    private DateTime Now => _clock.GetUtcNow().UtcDateTime;

    public static string NameOf(int index) => $"heap-{index % NameCount}";

    public bool IsPinned(int heapId, long number) => _snapshots.Exists(snapshot => snapshot.HeapId == heapId && snapshot.Number == number);

    public void Do(StoreCommand command)
    {
        string name = NameOf(command.Heap);
        switch (command.Action)
        {
            case StoreAction.Write:
                Write(Opened(name), command.Value);
                break;
            case StoreAction.Clear:
                Clear(Opened(name), command.Value);
                break;
            case StoreAction.Checkpoint:
                Checkpoint(Opened(name));
                break;
            case StoreAction.CreateHeap:
                CreateHeap(name);
                break;
            case StoreAction.OpenHeap:
                OpenHeap(name);
                break;
            case StoreAction.CloseHeap:
                CloseHeap(name);
                break;
            case StoreAction.Fork:
                Fork(name, command.Checkpoint, NameOf(command.Value));
                break;
            case StoreAction.Revert:
                Revert(name, command.Checkpoint);
                break;
            case StoreAction.Retain:
                Retain(name, command.Checkpoint, command.Value % 4);
                break;
            case StoreAction.SetRetention:
                SetRetention(name, command.Value);
                break;
            case StoreAction.DropCheckpoint:
                DropCheckpoint(name, command.Checkpoint);
                break;
            case StoreAction.DropHeap:
                DropHeap(name);
                break;
            case StoreAction.OpenSnapshot:
                OpenSnapshot(name, command.Checkpoint);
                break;
            case StoreAction.CloseSnapshot:
                CloseSnapshot(command.Value);
                break;
            case StoreAction.Compare:
                Compare(command.Checkpoint, command.Value);
                break;
            case StoreAction.Reclaim:
                Change(() => Store.Reclaim(1 + command.Value), Model);
                break;
            case StoreAction.Compact:
                Change(() => Store.Compact(), Model);
                break;
            case StoreAction.Reopen:
                Reopen();
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(command), command, "This is not for one store alone.");
        }
    }

    /// <summary>A heap's checkpoint by the number of a command; null if there is none such, and then the number of one that does not exist.</summary>
    public ModelCheckpoint? Find(string name, int choice, out long number)
    {
        ModelHeap? heap = Model.Heaps.GetValueOrDefault(name);
        List<ModelCheckpoint> known = heap is null ? [] : [.. (choice % 2 == 0 ? heap.Retained : heap.Checkpoints).Reverse()];
        int index = choice % 2 == 0 ? choice / 2 % Math.Max(known.Count, 1) : choice / 2 % (known.Count + 1);
        ModelCheckpoint? found = index < known.Count ? known[index] : null;
        number = found?.Number ?? (heap?.Number ?? 0) + 1;
        return found;
    }

    /// <summary>A checkpoint that was sent comes.</summary>
    /// <param name="name">The heap it is for.</param>
    /// <param name="sent">The checkpoint.</param>
    /// <param name="basedOn">What the stream is a difference from; null if it is whole.</param>
    /// <param name="receive">Receives it.</param>
    public void Receive(string name, ModelCheckpoint sent, HeapModel? basedOn, Action receive)
    {
        ModelHeap? target = Model.Heaps.GetValueOrDefault(name);
        List<(ModelHeap Heap, ModelCheckpoint Checkpoint)> bases =
            [.. Model.Heaps.Values.SelectMany(heap => heap.Retained.Where(checkpoint => checkpoint.Content == basedOn).Select(checkpoint => (heap, checkpoint)))];
        bool isPossible = target is not null
            ? basedOn is not null && target.Content == basedOn && target.Content != sent.Content && !_open.ContainsKey(name)
            : !_open.ContainsKey(name) && (basedOn is null || bases.Count > 0);
        Attempt(receive, isPossible);
        if (!isPossible)
        {
            return;
        }

        // The stream has its own commits before the one that makes it visible.
        Settle(Model);
        if (target is not null)
        {
            ModelCheckpoint next = new(Math.Max(sent.Number, target.Number + 1), sent.Time, sent.Content);
            Settle(Model.Advance(target, next, this));
            return;
        }

        // Where several heaps have what it is based on, any of them is as good.
        string? origin = Store.GetHeap(name).OriginName;
        (ModelHeap? heap, ModelCheckpoint? checkpoint) = basedOn is null ? default : bases.FindLast(candidate => candidate.Heap.Name == origin);
        ModelHeap received = new(_nextId++, name, Now) { OriginId = heap?.Id ?? 0, OriginNumber = checkpoint?.Number ?? sent.Number };
        Settle(Model.Advance(received, new ModelCheckpoint(sent.Number, sent.Time, sent.Content), this));
    }

    /// <summary>Closes a heap, if it is open; what is in no checkpoint is gone.</summary>
    public void CloseHeap(string name)
    {
        if (_open.Remove(name, out OpenedHeap? heap))
        {
            heap.Heap.Dispose();
        }
    }

    /// <summary>Opens a checkpoint for as long as something is done.</summary>
    public void WithSnapshot(string name, ModelCheckpoint checkpoint, Action<HeapSnapshot> action)
    {
        OpenedSnapshot opened = Pin(Model.Heaps[name], checkpoint);
        action(opened.Snapshot);
        Unpin(opened);
    }

    /// <summary>What the store says of its heaps, and what is in memory of those that are open, is as the model has it.</summary>
    public void Check(string when)
    {
        string found = StoreModel.Describe(Store);
        string expected = Model.Describe();
        if (found != expected)
        {
            throw new AssertionException($"{when}: the store holds\n{found}\ninstead of\n{expected}");
        }

        foreach (OpenedHeap heap in _open.Values)
        {
            heap.Content.AssertEquals(heap.Heap, heap.Touched, $"{when}: heap '{heap.Heap.Name}'");
        }
    }

    /// <summary>What all checkpoints hold is as the model has it, and the verifier finds nothing.</summary>
    public void CheckAll(string when)
    {
        Check(when);
        foreach (ModelHeap heap in Model.Heaps.Values)
        {
            foreach (ModelCheckpoint checkpoint in heap.Retained)
            {
                WithSnapshot(heap.Name, checkpoint, snapshot => checkpoint.Content!.AssertEquals(snapshot, when));
            }
        }

        foreach (OpenedSnapshot opened in _snapshots)
        {
            opened.Content.AssertEquals(opened.Snapshot, $"{when}, opened earlier");
        }

        VerifyReport report = Store.Verify();
        if (!report.IsSound || report.AllocatedPages != report.ReachablePages)
        {
            throw new AssertionException(
                $"{when}: {report.AllocatedPages} pages allocated and {report.ReachablePages} reachable; {string.Join("; ", report.Problems.Take(5).Select(problem => problem.Message))}");
        }
    }

    public void Reopen()
    {
        Dispose();
        _open.Clear();
        _snapshots.Clear();
        _unpruned.Clear();
        _medium.Reattach();
        Store = HeapStore.Open(_medium, Options);
    }

    public void Dispose() => Store.Dispose();

    private static ulong AddressOf(int value) => ((ulong)(value % 7) * PageSize) + ((ulong)(value % 3) << 34) + (ulong)(value % 2 * 100);

    private static int LengthOf(int value) => (value % 5) switch
    {
        0 => 1,
        1 => PageSize,
        2 => 3 * PageSize,
        3 => 6000,
        _ => value < 350 ? 20 * PageSize : 300 * PageSize, // more than the budget
    };

    private static void Write(OpenedHeap heap, int value)
    {
        byte[] bytes = new byte[LengthOf(value)];
        bytes.AsSpan().Fill((byte)value);
        heap.Heap.Write(AddressOf(value), bytes);
        heap.Content.Write(AddressOf(value), bytes);
        heap.Touched.UnionWith(heap.Content.PageNumbers);
    }

    private static void Clear(OpenedHeap heap, int value)
    {
        ulong length = (ulong)LengthOf(value / 7);
        heap.Heap.Clear(AddressOf(value), length);
        heap.Content.Clear(AddressOf(value), length);
    }

    /// <summary>A heap, opened if it is not, created if there is none.</summary>
    private OpenedHeap Opened(string name)
    {
        if (!_open.ContainsKey(name))
        {
            if (Model.Heaps.ContainsKey(name))
            {
                OpenHeap(name);
            }
            else
            {
                CreateHeap(name);
            }
        }

        return _open[name];
    }

    private void CreateHeap(string name)
    {
        bool isFree = !Model.Heaps.ContainsKey(name) && !_open.ContainsKey(name);
        Attempt(() => _open.Add(name, new OpenedHeap(_nextId++, Now, Store.CreateHeap(name), new HeapModel())), isFree);
    }

    private void OpenHeap(string name)
    {
        ModelHeap? heap = Model.Heaps.GetValueOrDefault(name);
        Attempt(() => _open.Add(name, new OpenedHeap(heap?.Id ?? 0, heap?.Created ?? default, Store.OpenHeap(name), heap?.Content.Snapshot() ?? new HeapModel())), heap is not null && !_open.ContainsKey(name));
    }

    private void Checkpoint(OpenedHeap heap)
    {
        ModelHeap identity = new(heap.Id, heap.Heap.Name, heap.Created);
        ModelCheckpoint checkpoint = new((Model.Find(heap.Id)?.Number ?? 0) + 1, Now, heap.Content.Snapshot());
        Change(() => Assert.That(heap.Heap.Checkpoint().Number, Is.EqualTo(checkpoint.Number)), Model.Advance(identity, checkpoint, this));
    }

    private void Fork(string name, int choice, string newName)
    {
        ModelCheckpoint? source = Find(name, choice, out long number);
        bool isPossible = source is { IsRetained: true } && !Model.Heaps.ContainsKey(newName) && !_open.ContainsKey(newName);
        Change(() => Store.Fork(name, number, newName), isPossible ? Model.Fork(Model.Heaps[name].Id, number, _nextId++, newName, Now) : null);
    }

    private void Revert(string name, int choice)
    {
        ModelCheckpoint? source = Find(name, choice, out long number);
        StoreModel? next = source is { IsRetained: true } ? Model.Revert(Model.Heaps[name].Id, number, Now, this) : null;
        if (!_open.TryGetValue(name, out OpenedHeap? open))
        {
            Change(() => Store.Revert(name, number), next);
            return;
        }

        Change(() => open.Heap.Revert(number), next);
        if (source?.Content is { } content)
        {
            open.Content = content.Snapshot(); // what had changed since the last checkpoint is lost
        }
    }

    private void Retain(string name, int choice, int label)
    {
        ModelCheckpoint? checkpoint = Find(name, choice, out long number);
        string? given = label == 0 ? null : $"label-{label}";
        bool isTaken = given is not null && checkpoint is not null && Model.Heaps[name].Checkpoints.Exists(other => other.Number != number && other.Name == given);
        Change(() => Store.Retain(name, number, given), checkpoint is { IsRetained: true } && !isTaken ? Model.Retain(Model.Heaps[name].Id, number, given) : null);
    }

    private void SetRetention(string name, int value)
    {
        RetentionPolicy policy = new() { KeepLast = 1 + (value % 5), KeepFor = TimeSpan.FromMinutes(value / 5 % 4 * 10) };
        Change(() => Store.SetRetention(name, policy), Model.Heaps.TryGetValue(name, out ModelHeap? heap) ? Model.SetRetention(heap.Id, policy, this) : null);
    }

    private void DropCheckpoint(string name, int choice)
    {
        ModelCheckpoint? checkpoint = Find(name, choice, out long number);
        ModelHeap? heap = Model.Heaps.GetValueOrDefault(name);
        bool isPossible = checkpoint is { IsRetained: true } && number != heap!.Number && !IsPinned(heap.Id, number);
        Change(() => Store.DropCheckpoint(name, number), isPossible ? Model.DropCheckpoint(heap!.Id, number) : null);
    }

    private void DropHeap(string name)
    {
        ModelHeap? heap = Model.Heaps.GetValueOrDefault(name);
        bool isPossible = heap is not null && !_open.ContainsKey(name) && !_snapshots.Exists(snapshot => snapshot.HeapId == heap.Id);
        Change(() => Store.DropHeap(name), isPossible ? Model.Drop(heap!.Id) : null);
    }

    private void OpenSnapshot(string name, int choice)
    {
        ModelCheckpoint? checkpoint = Find(name, choice, out long number);
        if (_snapshots.Count >= SnapshotsMax)
        {
            return;
        }

        if (checkpoint is { IsRetained: true })
        {
            Pin(Model.Heaps[name], checkpoint);
        }
        else
        {
            Attempt(() => Store.OpenSnapshot(name, number), isPossible: false);
        }
    }

    private void CloseSnapshot(int value)
    {
        if (_snapshots.Count > 0)
        {
            Unpin(_snapshots[value % _snapshots.Count]);
        }
    }

    private void Compare(int first, int second)
    {
        if (_snapshots.Count == 0)
        {
            return;
        }

        OpenedSnapshot before = _snapshots[first % _snapshots.Count];
        OpenedSnapshot after = _snapshots[second % _snapshots.Count];
        Assert.That(Store.Difference(before.Snapshot, after.Snapshot), Is.EqualTo(HeapModel.Difference(before.Content, after.Content)), "the pages that differ");
    }

    private OpenedSnapshot Pin(ModelHeap heap, ModelCheckpoint checkpoint)
    {
        OpenedSnapshot opened = new(Store.OpenSnapshot(heap.Name, checkpoint.Number), heap.Id, checkpoint.Number, checkpoint.Content!);
        _snapshots.Add(opened);
        return opened;
    }

    private void Unpin(OpenedSnapshot opened)
    {
        opened.Snapshot.Dispose();
        _snapshots.Remove(opened);
        if (!IsPinned(opened.HeapId, opened.Number) && Model.Find(opened.HeapId)!.Number != opened.Number)
        {
            _unpruned.Add(opened.HeapId); // the next commit looks whether it is wanted
        }
    }

    /// <summary>Does what makes a commit.</summary>
    /// <param name="operation">What is done.</param>
    /// <param name="next">What the store is then; null if it has to refuse, which is a commit that changes nothing.</param>
    private void Change(Action operation, StoreModel? next)
    {
        Attempt(operation, next is not null);
        Settle(next ?? Model);
    }

    private void Settle(StoreModel next)
    {
        Model = _unpruned.Aggregate(next, (pruned, id) => pruned.Pruned(id, this));
        _unpruned.Clear();
    }

    private static void Attempt(Action operation, bool isPossible)
    {
        try
        {
            operation();
        }
        catch (HeapException refusal) when (!isPossible && refusal.GetType() == typeof(HeapException))
        {
            return;
        }

        if (!isPossible)
        {
            throw new AssertionException("The store did what it had to refuse.");
        }
    }

    private sealed class OpenedHeap(int id, DateTime created, PersistentHeap heap, HeapModel content)
    {
        public int Id { get; } = id;

        public DateTime Created { get; } = created;

        public PersistentHeap Heap { get; } = heap;

        public HeapModel Content { get; set; } = content;

        /// <summary>Every page that ever had content since it was opened.</summary>
        public HashSet<ulong> Touched { get; } = [.. content.PageNumbers];
    }

    private sealed record OpenedSnapshot(HeapSnapshot Snapshot, int HeapId, long Number, HeapModel Content);
}
