using Everheap.Engine.Checkpoints;
using Everheap.Engine.Storage;

namespace Everheap.Engine;

/// <summary>
/// A store: one file that holds a persistent heap larger than memory, as its last checkpoint left it.
/// </summary>
/// <remarks>
/// <para>
/// Opening costs the same for any size: three root slots, a catalog and two note slots are read; nothing is replayed or scanned. What was not
/// part of a completed checkpoint when the process ended is gone, and everything that was is there.
/// </para>
/// <para>
/// A store is locked while it is open: for itself by one opener that writes, or together by any number that only read.
/// Members are safe to call from any thread unless they say otherwise; the heap they hand out belongs to one thread.
/// </para>
/// </remarks>
public sealed class HeapStore : IDisposable
{
    /// <summary>The most bytes of a session note.</summary>
    public const int NoteLengthMax = FileLayout.NoteLengthMax;

    /// <summary>The most bytes of a heap's name in UTF-8.</summary>
    public const int HeapNameBytesMax = FileLayout.HeapNameBytesMax;

    /// <summary>The most checkpoints whose metadata is kept.</summary>
    public const int HistoryLengthMax = FileLayout.HistoryLengthMax;

    /// <summary>The longest a store's file can be, in bytes.</summary>
    public const long FileLengthMax = FileLayout.FileLengthMax;

    /// <summary>The most problems that a <see cref="VerifyReport"/> lists.</summary>
    public const int VerifyProblemCountMax = 1000;

    /// <summary>How many heaps this version lets a store have; the format has room for more.</summary>
    public const int HeapCountMax = 1;

    private readonly Lock _lock = new();
    private readonly IStorageMedium _medium;
    private readonly HeapStoreOptions _options;
    private readonly NoteSlots _note;
    private CatalogPage _catalog;
    private CatalogPage _durableCatalog;
    private IReadOnlyList<CheckpointInfo> _checkpoints;
    private PersistentHeap? _openHeap;
    private bool _isDisposed;

    private HeapStore(IStorageMedium medium, StoreChannel channel, RootSlots roots, in CatalogPage catalog, HeapStoreOptions options)
    {
        _medium = medium;
        _options = options;
        _catalog = catalog;
        _durableCatalog = catalog;
        _checkpoints = Catalog.History(catalog);
        _note = NoteSlots.Open(channel);
        Channel = channel;
        Roots = roots;
        foreach (var root in roots.Skipped)
        {
            options.Diagnostics?.Invoke($"{medium.Name}: root slot {root.Slot} skipped: {root.Reason}");
        }
    }

    /// <summary>The path of the file, or the medium's name.</summary>
    public string Path => _medium.Name;

    /// <summary>The names of the heaps.</summary>
    public IReadOnlyList<string> HeapNames
    {
        get
        {
            lock (_lock)
            {
                var names = new List<string>();
                ReadOnlySpan<HeapRecord> heaps = _catalog.Heaps;
                foreach (var heap in heaps[..(int)_catalog.HeapCount])
                {
                    names.Add(Catalog.Name(heap));
                }

                return names;
            }
        }
    }

    /// <summary>The newest checkpoints, up to <see cref="HistoryLengthMax"/>, newest last.</summary>
    public IReadOnlyList<CheckpointInfo> Checkpoints => Volatile.Read(ref _checkpoints);

    /// <summary>The number of the newest durable checkpoint; 0 if there is none since the store was created.</summary>
    public ulong LatestCheckpointNumber
    {
        get
        {
            lock (_lock)
            {
                return Roots.Current.Sequence;
            }
        }
    }

    /// <summary>Roots that were refused when the store was opened. Normal after a crash, at most one; otherwise a sign of damage.</summary>
    public IReadOnlyList<SkippedRoot> SkippedRoots => Roots.Skipped;

    internal StoreChannel Channel { get; }

    internal RootSlots Roots { get; }

    /// <summary>Creates a store in a new file.</summary>
    /// <param name="path">Where; nothing may be there yet.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="IOException">Something is there already, or the file cannot be created.</exception>
    /// <exception cref="HeapFailedException">The file cannot be written; nothing is left behind.</exception>
    public static HeapStore Create(string path, HeapStoreOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var checkedOptions = Checked(options);
        var medium = FileMedium.Create(path);
        try
        {
            var store = Create(medium, checkedOptions);
            medium.WriteHolder();
            return store;
        }
        catch
        {
            medium.Dispose();
            File.Delete(medium.Name); // It was created here, and is no store.
            throw;
        }
    }

    /// <summary>Opens the store in a file, as its last checkpoint left it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="HeapLockedException">Someone else holds it.</exception>
    /// <exception cref="HeapFormatException">Not a store, or of a newer version.</exception>
    /// <exception cref="HeapCorruptedException">No root can be opened.</exception>
    /// <exception cref="IOException">The file is missing or cannot be read.</exception>
    public static HeapStore Open(string path, HeapStoreOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var isReadOnly = options?.ReadOnly ?? false;
        var medium = FileMedium.Open(path, isReadOnly);
        try
        {
            var store = Open(medium, options);
            if (!isReadOnly)
            {
                medium.WriteHolder();
            }

            return store;
        }
        catch
        {
            medium.Dispose();
            throw;
        }
    }

    /// <summary>Creates a store on an empty medium, which the store disposes of.</summary>
    /// <param name="medium">The medium; its length is 0.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="HeapException">The medium is not empty.</exception>
    /// <exception cref="HeapFailedException">The medium cannot be written.</exception>
    public static HeapStore Create(IStorageMedium medium, HeapStoreOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(medium);
        options = Checked(options);
        if (medium.Length != 0)
        {
            throw new HeapException($"{medium.Name}: a store is created on an empty medium, and this one has {medium.Length} bytes.");
        }

        var channel = new StoreChannel(medium);
        channel.MarkNew();
        channel.Resize(FileLayout.FileLengthInitial);
        var root = new Superblock
        {
            Magic = FileLayout.SuperblockMagic,
            Version = FileLayout.Version,
            PageSize = FileLayout.PageSize,
            FileLength = (ulong)FileLayout.FileLengthInitial,
            StoreId = Guid.NewGuid(),
            TimeTicks = DateTime.UtcNow.Ticks,
        };
        using var allocator = new SpaceAllocator(channel, root, null);
        var catalog = Catalog.NewPage();
        var place = allocator.Allocate(Epoch.Sealed, 1, out _);
        allocator.WriteChanged();
        channel.Write((long)(place << FileLayout.PageShift), DiskView.Bytes(ref catalog));
        root.Catalog = new MapEntry { Place = place, Checksum = DiskView.Hash(DiskView.Bytes(ref catalog)) };
        root.AllocatedPages = (ulong)allocator.KeptPages;
        root.Groups = allocator.GroupEntries;

        // Until the root is there, this is no store: the same order as in every checkpoint.
        channel.Flush();
        var roots = RootSlots.Create(channel, ref root);
        channel.Flush();
        return new HeapStore(medium, channel, roots, catalog, options);
    }

    /// <summary>Opens the store on a medium, which the store disposes of.</summary>
    /// <param name="medium">The medium.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="HeapFormatException">Not a store, or of a newer version.</exception>
    /// <exception cref="HeapCorruptedException">No root can be opened.</exception>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    public static HeapStore Open(IStorageMedium medium, HeapStoreOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(medium);
        options = Checked(options);
        var channel = new StoreChannel(medium);
        var roots = RootSlots.Open(channel);
        return Catalog.TryRead(channel, roots.Current, out var catalog)
            ? new HeapStore(medium, channel, roots, catalog, options)
            : throw new HeapCorruptedException($"{medium.Name}: the catalog has changed while the store was being opened.");
    }

    /// <summary>Creates a heap, and opens it. It is in the file from its first checkpoint on.</summary>
    /// <param name="name">1 to <see cref="HeapNameBytesMax"/> bytes in UTF-8.</param>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    /// <exception cref="HeapException">There is a heap already, or the store was opened for reading only.</exception>
    public PersistentHeap CreateHeap(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            ThrowIfReadOnly();
            if (_catalog.HeapCount == HeapCountMax)
            {
                throw new HeapException($"{Path}: the store has its {HeapCountMax} heap already: '{Catalog.Name(_catalog.Heaps[0])}'. Open that, or create another store.");
            }

            var heap = Catalog.NewHeap(_catalog.HeapCount + 1, name);
            _catalog.Heaps[(int)_catalog.HeapCount++] = heap;
            return _openHeap = new PersistentHeap(this, heap, _options);
        }
    }

    /// <summary>Opens a heap as the newest checkpoint has it.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="HeapException">There is no heap of that name, or it is open already.</exception>
    /// <exception cref="HeapCorruptedException">The root of its page map does not match its checksum.</exception>
    public PersistentHeap OpenHeap(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_openHeap is not null)
            {
                throw new HeapException($"{Path}: the heap '{_openHeap.Name}' is open already. Use that, or dispose of it first.");
            }

            ReadOnlySpan<HeapRecord> heaps = _catalog.Heaps;
            foreach (var heap in heaps[..(int)_catalog.HeapCount])
            {
                if (Catalog.Name(heap) == name)
                {
                    return _openHeap = new PersistentHeap(this, heap, _options);
                }
            }

            throw new HeapException($"{Path}: there is no heap '{name}' in this store; there is {(heaps.Length == 0 || _catalog.HeapCount == 0 ? "none" : $"'{Catalog.Name(heaps[0])}'")}.");
        }
    }

    /// <summary>
    /// Walks everything the newest durable checkpoint reaches, from the file alone: catalog, allocator, every node of the page map, every page; checks
    /// every checksum, and that exactly what is reachable is allocated. Goes on past what it finds wrong.
    /// </summary>
    /// <param name="cancellation">Ends the walk with an <see cref="OperationCanceledException"/>.</param>
    /// <remarks>
    /// Takes as long as reading the file. Works on a store that was opened for reading only. May be called while the heap is open, by the mutator thread;
    /// it waits for a checkpoint that is being written, and nothing may start another one meanwhile.
    /// </remarks>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    public VerifyReport Verify(CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        _openHeap?.WaitForCheckpoint();
        return new StoreVerifier(Channel, Roots.Current).Run(cancellation);
    }

    /// <summary>
    /// Writes a small note outside the checkpoints. It replaces the one before, survives the death of the process as soon as this returns,
    /// and a power cut once a later checkpoint has completed. The first note after opening waits until the checkpoint that was opened is surely durable.
    /// </summary>
    /// <param name="note">At most <see cref="NoteLengthMax"/> bytes.</param>
    /// <exception cref="ArgumentException">The note is too long.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    /// <exception cref="HeapException">The store was opened for reading only.</exception>
    public void WriteNote(ReadOnlySpan<byte> note)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ThrowIfReadOnly();
        if (note.Length > NoteLengthMax)
        {
            throw new ArgumentException($"A note has at most {NoteLengthMax} bytes; this one has {note.Length}.", nameof(note));
        }

        _note.Write(note);
    }

    /// <summary>Reads the newest note.</summary>
    /// <param name="destination">At least as long as the note; <see cref="NoteLengthMax"/> always is enough.</param>
    /// <param name="length">The note's length in bytes.</param>
    /// <returns>False if there is none.</returns>
    /// <exception cref="ArgumentException">The destination is too short.</exception>
    public bool TryReadNote(Span<byte> destination, out int length)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _note.TryRead(destination, out length);
    }

    /// <summary>
    /// Closes the store and gives up its lock. Waits for a checkpoint that is being written, and makes none: what has changed since the last is lost.
    /// </summary>
    public void Dispose()
    {
        PersistentHeap? heap;
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            heap = _openHeap;
        }

        heap?.Dispose();
        _medium.Dispose();
    }

    /// <summary>A copy of the catalog for the checkpoint being written to fill in.</summary>
    internal CatalogPage CatalogForCheckpoint()
    {
        lock (_lock)
        {
            return _catalog;
        }
    }

    /// <summary>Makes a root durable, and takes over what it says.</summary>
    internal void Commit(ref Superblock root, in CatalogPage catalog)
    {
        Roots.Commit(ref root);
        lock (_lock)
        {
            _catalog = catalog;
            _durableCatalog = catalog;
        }
    }

    /// <summary>The last checkpoint is complete: how long it took in all is known only now.</summary>
    internal CheckpointInfo Complete(long durationTicks)
    {
        lock (_lock)
        {
            Span<CheckpointRecord> history = _catalog.History;
            ref var last = ref history[(int)_catalog.HistoryCount - 1];
            last.DurationTicks = durationTicks;
            _durableCatalog = _catalog;
            var info = Catalog.ToInfo(last);
            Volatile.Write(ref _checkpoints, Catalog.History(_catalog));
            return info;
        }
    }

    /// <summary>The heap is closed.</summary>
    internal void Closed(PersistentHeap heap)
    {
        lock (_lock)
        {
            if (_openHeap == heap)
            {
                _openHeap = null;
            }

            // A heap that no checkpoint has seen is gone.
            _catalog = _durableCatalog;
        }
    }

    private static HeapStoreOptions Checked(HeapStoreOptions? options)
    {
        options ??= new HeapStoreOptions();
        if (options.ResidentBytes is < HeapStoreOptions.ResidentBytesMin or > HeapStoreOptions.ResidentBytesMax)
        {
            throw new ArgumentOutOfRangeException(
                nameof(options),
                options.ResidentBytes,
                $"The resident budget is from {HeapStoreOptions.ResidentBytesMin} to {HeapStoreOptions.ResidentBytesMax} bytes.");
        }

        return BitConverter.IsLittleEndian
            ? options
            : throw new PlatformNotSupportedException("Stores are little-endian, and so must be the machine.");
    }

    private void ThrowIfReadOnly()
    {
        if (_options.ReadOnly)
        {
            throw new HeapException($"{Path}: opened for reading only; open it for writing to change it.");
        }
    }
}
