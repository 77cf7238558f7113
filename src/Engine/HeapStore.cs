using Everheap.Engine.Checkpoints;
using Everheap.Engine.Storage;

namespace Everheap.Engine;

/// <summary>
/// A store: one file that holds persistent heaps larger than memory, each as its last checkpoint left it, and those of their older checkpoints that are retained.
/// </summary>
/// <remarks>
/// <para>
/// Opening costs the same for heaps of any size: three root slots, two note slots and the records of heaps and checkpoints are read; nothing is replayed or
/// scanned. What was not part of a completed checkpoint when the process ended is gone, and everything that was is there.
/// </para>
/// <para>
/// A store is locked while it is open: for itself by one opener that writes, or together by any number that only read.
/// Members are safe to call from any thread unless they say otherwise; each heap that they hand out belongs to one thread at a time.
/// </para>
/// </remarks>
public sealed partial class HeapStore : IDisposable
{
    /// <summary>The most bytes of a session note.</summary>
    public const int NoteLengthMax = FileLayout.NoteLengthMax;

    /// <summary>The most bytes of the name of a heap or checkpoint in UTF-8.</summary>
    public const int HeapNameBytesMax = FileLayout.HeapNameBytesMax;

    /// <summary>The most checkpoints of a heap that are remembered without being retained.</summary>
    public const int HistoryLengthMax = CatalogLayout.HistoryLengthMax;

    /// <summary>The longest a store's file can be, in bytes.</summary>
    public const long FileLengthMax = FileLayout.FileLengthMax;

    /// <summary>The most problems that a <see cref="VerifyReport"/> lists.</summary>
    public const int VerifyProblemCountMax = 1000;

    /// <summary>The most heaps of a store.</summary>
    public const int HeapCountMax = CatalogLayout.HeapCountMax;

    /// <summary>Pages that a step of <see cref="Reclaim"/> looks at, unless it is told otherwise.</summary>
    public const int ReclaimPagesDefault = 16_384;

    private readonly Lock _lock = new();
    private readonly Lock _compactionLock = new();
    private readonly IStorageMedium _medium;
    private readonly HeapStoreOptions _options;
    private readonly NoteSlots _note;
    private readonly HeapNotes _heapNotes;
    private readonly SpaceAllocator _allocator;
    private readonly Catalog _catalog;
    private readonly List<IDisposable> _open = [];
    private readonly IdleReclaimer? _idleReclaimer;
    private bool _isDisposed;

    private HeapStore(IStorageMedium medium, StoreChannel channel, RootSlots roots, SpaceAllocator allocator, Catalog catalog, HeapStoreOptions options)
    {
        _medium = medium;
        _options = options;
        _allocator = allocator;
        _catalog = catalog;
        _note = NoteSlots.Open(channel);
        _heapNotes = new HeapNotes(channel);
        Channel = channel;
        Roots = roots;
        Committer = new Committer(channel, allocator, roots, catalog, options.TimeProvider);
        if (options.BackgroundReclaim && !options.ReadOnly)
        {
            _idleReclaimer = new IdleReclaimer(Committer);
        }

        // Past the lock, a slot that is just being written is nothing to tell of.
        foreach (var root in options.Shared ? [] : roots.Skipped)
        {
            StoreLog.RootSkipped(channel.Logger, Path, root.Slot, root.Reason);
        }

        if (roots.Current.Version < FileLayout.Version)
        {
            StoreLog.OldVersion(channel.Logger, Path, roots.Current.Version, FileLayout.Version);
        }

        StoreLog.Opened(channel.Logger, Path, roots.Current.Sequence, catalog.Heaps.Count, (long)roots.Current.FileLength);
    }

    /// <summary>The path of the file, or the medium's name.</summary>
    public string Path => _medium.Name;

    /// <summary>Identifies the store, from its creation on; a copy of its file has the same.</summary>
    public Guid Id => Roots.Current.StoreId;

    /// <summary>The number of the newest durable root: every commit, be it of checkpoints or of other changes, makes one; 0 for the one the store was created with.</summary>
    public ulong CommitNumber => Committer.Sequence;

    /// <summary>Roots that were refused when the store was opened. Normal after a crash, at most one; otherwise a sign of damage.</summary>
    public IReadOnlyList<SkippedRoot> SkippedRoots => Roots.Skipped;

    internal StoreChannel Channel { get; }

    internal RootSlots Roots { get; }

    internal Committer Committer { get; }

    internal SpaceAllocator? Allocator => _options.ReadOnly ? null : _allocator;

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
    /// <exception cref="UnauthorizedAccessException">This process may not read the file or, unless it is opened for reading only, not write to it.</exception>
    /// <exception cref="IOException">The file is missing, is no regular file, lies on a read-only file system, or cannot be read.</exception>
    public static HeapStore Open(string path, HeapStoreOptions? options = null) => Open(path, options, medium => Open(medium, options));

    private static HeapStore Open(string path, HeapStoreOptions? options, Func<FileMedium, HeapStore> open)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var isReadOnly = options?.ReadOnly ?? false;
        var medium = FileMedium.Open(path, isReadOnly);
        try
        {
            var store = open(medium);
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

        var channel = new StoreChannel(medium, options.Logger);
        channel.MarkNew();
        if (!channel.TryResize(FileLayout.FileLengthInitial))
        {
            throw new HeapFullException($"{medium.Name}: there is no room for a new store, which takes {FileLayout.FileLengthInitial} bytes.");
        }

        var root = new Superblock
        {
            Magic = FileLayout.SuperblockMagic,
            Version = FileLayout.Version,
            PageSize = FileLayout.PageSize,
            FileLength = (ulong)FileLayout.FileLengthInitial,
            StoreId = Guid.NewGuid(),
            TimeTicks = options.TimeProvider.GetUtcNow().Ticks,
        };

        // Until the root is there, this is no store: the same order as in every commit.
        channel.Flush();
        var roots = RootSlots.Create(channel, ref root);
        channel.Flush();
        return Start(medium, channel, roots, options);
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
        return OpenRoot(medium, Checked(options), skipNewest: false);
    }

    private static HeapStore OpenRoot(IStorageMedium medium, HeapStoreOptions options, bool skipNewest)
    {
        var channel = new StoreChannel(medium, options.Logger);
        List<ulong> refused = [];
        if (skipNewest)
        {
            refused.Add(RootSlots.Open(channel, refused).Current.Sequence);
        }

        while (true)
        {
            var roots = RootSlots.Open(channel, refused);
            try
            {
                return Start(medium, channel, roots, options);
            }
            catch (HeapCorruptedException) when (roots.Previous is not null)
            {
                // The catalog is damaged further down. The root before this one is kept whole for such a day.
                refused.Add(roots.Current.Sequence);
            }
        }
    }

    /// <summary>
    /// Walks everything the newest durable root reaches, from the file alone: catalog, allocator, every node of every page map, every page; checks
    /// every checksum, that exactly what is reachable is allocated, and that what is shared is counted right. Goes on past what it finds wrong.
    /// </summary>
    /// <param name="cancellation">Ends the walk with an <see cref="OperationCanceledException"/>.</param>
    /// <remarks>
    /// Takes as long as reading the file. Works on a store that was opened for reading only. May be called while heaps are open, from any thread;
    /// checkpoints then become durable only after it.
    /// </remarks>
    /// <exception cref="HeapException">The store was opened past another process's lock.</exception>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    public VerifyReport Verify(CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ThrowIfShared("verified as a whole");
        using var activity = EngineTelemetry.Activities.StartActivity("verify");
        return Committer.Synchronized(() => new StoreVerifier(Channel, Roots.Current).Run(cancellation));
    }

    /// <summary>
    /// Writes a small note of the store outside the checkpoints (each heap has one of its own, too: <see cref="PersistentHeap.WriteNote"/>). It replaces the one before, survives the death of the process as soon as this returns,
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

    /// <summary>Writes a heap's note.</summary>
    internal void WriteNote(HeapEntry heap, ReadOnlySpan<byte> note)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ThrowIfReadOnly();
        if (note.Length > PersistentHeap.NoteLengthMax)
        {
            throw new ArgumentException($"A heap's note has at most {PersistentHeap.NoteLengthMax} bytes; this one has {note.Length}.", nameof(note));
        }

        _heapNotes.Write(heap.NoteOwner, note, id => Committer.Synchronized(() => _catalog.Find(id) is not null));
    }

    /// <summary>Reads a heap's note.</summary>
    internal bool TryReadNote(HeapEntry heap, Span<byte> destination, out int length)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _heapNotes.TryRead(heap.NoteOwner, destination, out length);
    }

    /// <summary>
    /// Closes the store, with its heaps and snapshots, and gives up its lock. Waits for checkpoints that are being written, and makes none: what has changed since is lost.
    /// </summary>
    public void Dispose()
    {
        IDisposable[] open;
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            open = [.. _open];
        }

        _idleReclaimer?.Dispose();
        foreach (var opened in open)
        {
            opened.Dispose();
        }

        _catalog.Dispose();
        _allocator.Dispose();
        _medium.Dispose();
    }

    private static HeapStore Start(IStorageMedium medium, StoreChannel channel, RootSlots roots, HeapStoreOptions options)
    {
        var allocator = new SpaceAllocator(channel, roots.Current, roots.Previous);
        try
        {
            var catalog = new Catalog(channel, options.ReadOnly ? null : allocator, roots.Current);
            return new HeapStore(medium, channel, roots, allocator, catalog, options);
        }
        catch
        {
            allocator.Dispose();
            throw;
        }
    }

    private static HeapStoreOptions Checked(HeapStoreOptions? options)
    {
        options ??= new HeapStoreOptions();
        ThrowIfNoBudget(options.ResidentBytes, nameof(options));
        return BitConverter.IsLittleEndian
            ? options
            : throw new PlatformNotSupportedException("Stores are little-endian, and so must be the machine.");
    }

    private static void ThrowIfNoBudget(long bytes, string parameter)
    {
        if (bytes is < HeapStoreOptions.ResidentBytesMin or > HeapStoreOptions.ResidentBytesMax)
        {
            throw new ArgumentOutOfRangeException(
                parameter, bytes, $"The resident budget is from {HeapStoreOptions.ResidentBytesMin} to {HeapStoreOptions.ResidentBytesMax} bytes.");
        }
    }

    private void ThrowIfReadOnly()
    {
        if (_options.ReadOnly)
        {
            throw new HeapException($"{Path}: opened for reading only; open it for writing to change it.");
        }
    }
}
