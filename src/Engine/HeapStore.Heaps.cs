using Everheap.Engine.Checkpoints;
using Everheap.Engine.Storage;

namespace Everheap.Engine;

/// <content>Heaps: what there are, and making, opening, forking and dropping them.</content>
public sealed partial class HeapStore
{
    /// <summary>The names of the heaps, those included that were created and have no checkpoint yet.</summary>
    public IReadOnlyList<string> HeapNames => Committer.Synchronized(() => (IReadOnlyList<string>)[.. VisibleHeaps.Select(heap => heap.Name)]);

    /// <summary>The heaps, as the newest durable root has them.</summary>
    public IReadOnlyList<HeapInfo> Heaps =>
        Committer.Synchronized(() => (IReadOnlyList<HeapInfo>)[.. VisibleHeaps.Where(heap => heap.Durable.Number > 0).Select(InfoOf)]);

    /// <summary>The heaps but those that are being received.</summary>
    private IEnumerable<HeapEntry> VisibleHeaps => _catalog.Heaps.Where(heap => !heap.IsBeingReceived);

    /// <summary>A heap, as the newest durable root has it.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="HeapException">There is no heap of that name, or it has no checkpoint yet.</exception>
    public HeapInfo GetHeap(string name) => Committer.Synchronized(() => InfoOf(FindDurable(name)));

    /// <summary>Creates a heap, and opens it. It is in the file from its first checkpoint on.</summary>
    /// <param name="name">1 to <see cref="HeapNameBytesMax"/> bytes in UTF-8.</param>
    /// <param name="options">How it is opened; null for the store's defaults.</param>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    /// <exception cref="HeapException">There is a heap of that name, there are too many, or the store was opened for reading only.</exception>
    public PersistentHeap CreateHeap(string name, HeapOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        var residentBytes = ResidentBytes(options);
        ThrowIfReadOnly();
        return Open(() =>
        {
            ThrowIfTaken(name);
            return _catalog.NewHeap(name, Committer.UtcNow);
        }, residentBytes);
    }

    /// <summary>Opens a heap as its latest checkpoint left it.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="options">How; null for the store's defaults.</param>
    /// <exception cref="HeapException">There is no heap of that name, it is open already, or the store was opened past another process's lock.</exception>
    public PersistentHeap OpenHeap(string name, HeapOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        ThrowIfShared("opened as a heap (open a snapshot of it)");
        var residentBytes = ResidentBytes(options);
        return Open(() =>
        {
            var heap = Find(name);
            return heap.IsOpen
                ? throw new HeapException($"{Path}: the heap '{name}' is open already. Use that, or dispose of it first.")
                : heap;
        }, residentBytes);
    }

    /// <summary>
    /// Makes a new heap that starts as a checkpoint of another, and shares every page with it until either changes. Durable when this returns.
    /// </summary>
    /// <param name="heapName">The heap to fork; it may be open, and go on.</param>
    /// <param name="checkpoint">The number of its latest checkpoint, or of one that is retained.</param>
    /// <param name="newName">The new heap's name, 1 to <see cref="HeapNameBytesMax"/> bytes in UTF-8.</param>
    /// <remarks>One commit, whatever the heap's size. Either heap may be dropped first.</remarks>
    /// <exception cref="ArgumentException">The new name is empty or too long.</exception>
    /// <exception cref="HeapException">
    /// There is no such heap or checkpoint, the checkpoint is not retained, the new name is taken, or the store was opened for reading only.
    /// </exception>
    /// <exception cref="HeapFullException">There is no room; nothing was changed.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public HeapInfo Fork(string heapName, long checkpoint, string newName)
    {
        ArgumentNullException.ThrowIfNull(heapName);
        ArgumentNullException.ThrowIfNull(newName);
        var fork = Execute(() =>
        {
            var origin = FindDurable(heapName);
            var source = FindRetained(origin, checkpoint, out var map);
            ThrowIfTaken(newName);
            return ForkEntry(origin, source, map, newName);
        });
        return Committer.Synchronized(() => InfoOf(fork));
    }

    /// <summary>Removes a heap with all its checkpoints. Its space comes back in bounded steps (<see cref="Reclaim"/>). Durable when this returns.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="HeapException">There is no such heap, it or a snapshot of it is open, or the store was opened for reading only.</exception>
    /// <exception cref="HeapFullException">There is no room for the commit; nothing was changed.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public void DropHeap(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        Execute(() =>
        {
            var heap = FindDurable(name);
            if (heap.IsOpen || heap.IsPinned)
            {
                throw new HeapException($"{Path}: the heap '{name}', or a snapshot of it, is open. Dispose of that first.");
            }

            Drop(heap);
            return heap;
        });
    }

    /// <summary>Makes a heap that starts as a checkpoint of another. Within a commit.</summary>
    private HeapEntry ForkEntry(HeapEntry origin, CheckpointEntry source, (MapEntry Root, ulong MappedPages) map, string newName, in ReceiveRecord receive = default)
    {
        _catalog.ThrowIfFull();
        var heap = _catalog.NewHeap(newName, Committer.UtcNow);
        Committer.Share(map.Root);
        heap.Record.MapRoot = map.Root;
        heap.Record.MappedPages = map.MappedPages;
        heap.Record.Number = source.Record.Number;
        heap.Record.OriginId = origin.Id;
        heap.Record.OriginNumber = source.Record.Number;
        heap.Record.BranchNumber = source.Record.Number;
        heap.Record.KeepLast = origin.Record.KeepLast;
        heap.Record.KeepForTicks = origin.Record.KeepForTicks;
        heap.Record.Receive = receive;
        var entry = new CheckpointEntry(source.Record with { HeapId = heap.Id, Flags = CheckpointFlags.None, MapRoot = default, MappedPages = 0, NameLength = 0, Name = default });
        heap.Checkpoints.Add(entry);
        _catalog.Enter(entry);
        _catalog.Enter(heap);
        return heap;
    }

    /// <summary>Takes a heap that nobody has open out of the catalog, and gives up its maps. Within a commit.</summary>
    private void Drop(HeapEntry heap)
    {
        Committer.Reclaimer.Drop(heap.Record.MapRoot);
        foreach (var checkpoint in heap.Checkpoints)
        {
            Committer.Reclaimer.Drop(checkpoint.Record.MapRoot);
        }

        _catalog.Remove(heap);
    }

    /// <summary>The heap is closed.</summary>
    internal void Closed(PersistentHeap heap, HeapEntry entry)
    {
        lock (_lock)
        {
            _open.Remove(heap);
        }

        Committer.Synchronized(() =>
        {
            entry.IsOpen = false;
            if (entry.Slot < 0 && entry.Number == 0)
            {
                _catalog.Forget(entry); // A heap that no checkpoint has seen is gone.
            }

            return 0;
        });
    }

    private PersistentHeap Open(Func<HeapEntry> find, long residentBytes)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var heap = Committer.Synchronized(() =>
            {
                var entry = find();
                entry.IsOpen = true;
                return new PersistentHeap(this, entry, residentBytes);
            });
            _open.Add(heap);
            return heap;
        }
    }

    private T Execute<T>(Func<T> change)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ThrowIfReadOnly();
        return Committer.Execute(change);
    }

    private HeapEntry Find(string name) => _catalog.Find(name) is { IsBeingReceived: false } heap
        ? heap
        : throw new HeapException($"{Path}: there is no heap '{name}' in this store; there {Listed([.. VisibleHeaps.Select(other => $"'{other.Name}'")])}.");

    private HeapEntry FindDurable(string name)
    {
        var heap = Find(name);
        return heap.Durable.Number > 0
            ? heap
            : throw new HeapException($"{Path}: the heap '{name}' has no checkpoint yet. Make one first.");
    }

    /// <summary>A checkpoint that can be opened.</summary>
    private CheckpointEntry FindRetained(HeapEntry heap, long number, out (MapEntry Root, ulong MappedPages) map)
    {
        var checkpoint = number > 0 ? heap.Find((ulong)number) : null;
        if (checkpoint is not null && heap.MapOf(checkpoint) is { } found)
        {
            map = found;
            return checkpoint;
        }

        var retained = heap.Checkpoints.Where(entry => heap.MapOf(entry) is not null).Select(entry => entry.Record.Number.ToString(System.Globalization.CultureInfo.InvariantCulture));
        throw new HeapException(
            $"{Path}: checkpoint {number} of heap '{heap.Name}' {(checkpoint is null ? "is not known" : "is remembered, but not retained")}; retained {Listed([.. retained])}.");
    }

    private static string Listed(IReadOnlyList<string> names) => names.Count switch
    {
        0 => "is none",
        1 => $"is {names[0]}",
        <= 12 => $"are {string.Join(", ", names)}",
        _ => $"are {string.Join(", ", names.Take(6))}, ... {string.Join(", ", names.TakeLast(5))}",
    };

    private void ThrowIfTaken(string name)
    {
        if (_catalog.Find(name) is not null)
        {
            throw new HeapException($"{Path}: there is a heap '{name}' already. Open that, or choose another name.");
        }
    }

    private HeapInfo InfoOf(HeapEntry heap)
    {
        var record = heap.Durable.Record;
        return new HeapInfo(
            heap.Name,
            RecordText.ToTime(record.CreatedTicks),
            (long)record.Number,
            (long)record.MappedPages,
            _catalog.Find(record.OriginId)?.Name,
            (long)record.OriginNumber,
            new RetentionPolicy { KeepLast = (int)record.KeepLast, KeepFor = TimeSpan.FromTicks(record.KeepForTicks) })
        {
            BranchCheckpoint = (long)record.BranchNumber,
        };
    }

    private long ResidentBytes(HeapOptions? options)
    {
        var bytes = options?.ResidentBytes ?? _options.ResidentBytes;
        ThrowIfNoBudget(bytes, nameof(options));
        return bytes;
    }
}
