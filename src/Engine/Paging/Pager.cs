using System.Diagnostics;
using System.Runtime.CompilerServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

/// <summary>
/// Serves the pages of a heap from a bounded set of frames.
/// </summary>
/// <remarks>
/// <para>A page's life: it has no place and reads as zero; its first store gives it a frame, Dirty; a checkpoint or an eviction gives it a place in the
/// file; a fault brings it back from there. Every change after a checkpoint moves it to a fresh place.</para>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>Frames in use and pages of pinned ranges together never exceed the budget: pages, copies for a checkpoint's sake and nodes of the page map all come from one pool.</item>
/// <item>A resident page's leaf is resident, and a resident node's parent is (<see cref="Frame.Parent"/>, counted in <see cref="Frame.Children"/>). So
/// writing a page out never has to load anything, and neither eviction nor the checkpoint writer can run out of frames half-way.</item>
/// <item>A page has an entry in a store table only while its frame is Dirty, or it is in a pinned range and marked; in a load table only while it is resident, or has never
/// been written and the entry is the zero frame's.</item>
/// <item>A Sealed frame's content does not change. Only the checkpoint writer makes it Clean.</item>
/// <item>While <see cref="_isMapSealed"/>, the nodes of the page map belong to the checkpoint writer; the mutator reads them, and leaves new places in
/// <see cref="_deferred"/>.</item>
/// <item>A page of a pinned range is in no frame and not in the index, and its leaf is resident. For each, a frame is withdrawn from the pool, so that the first invariant
/// holds with them. Its content is in the range; if it has no mark there, it is also what the epoch's map says, or a Sealed orphan that is a PinnedCopy.</item>
/// <item>Whoever replaces an entry of the map gives the place back that it named, on behalf of the epoch the entry belongs to. Whether other heaps or
/// checkpoints still refer to that place is nothing the pager knows or asks: that is found out at the commit.</item>
/// </list>
/// <para>
/// Concurrency: one mutator thread and one checkpoint writer. (The pager of a snapshot has any number of readers and no writer: they copy out under the gate.) The gate guards everything here but the content of frames and the translation tables,
/// which are the mutator's alone (Sealed content is read-only to both). The mutator holds the gate in every call, also during its own reads and
/// evictions: only the writer then waits, and nobody waits for it at that moment. The writer holds it for bookkeeping only, never
/// during its reads and writes (the exception: a bitmap that has to be loaded, one page), so a fault waits for it some microseconds at most.
/// Waiting (<see cref="WaitForWriter"/>) lets go of the gate, so whatever was read before is read again after.
/// </para>
/// </remarks>
internal sealed unsafe partial class Pager : IDisposable
{
    private readonly object _gate = new();
    private readonly StoreChannel _channel;
    private readonly SpaceAllocator? _space;
    private readonly string _heapName;
    private readonly bool _isCatalog;
    private readonly FramePool _pool;
    private readonly Frame* _infos;
    private readonly ResidentIndex _index;
    private readonly ReservedMemory _zeroFrame = new(FileLayout.PageSize);
    private readonly ReservedMemory _staging = new((long)BatchPages << FileLayout.PageShift);
    private TranslationWindow[] _windows = [];
    private TranslationCache? _cache;
    private long _faults;
    private long _mapFaults;
    private long _softFaults;
    private long _evictions;
    private long _dirtyEvictions;
    private long _sealedCopies;
    private long _pinnedCopies;
    private long _pinnedWrites;
    private long _stallTicks;
    private bool _isDisposed;

    /// <summary>Starts from a page map as a root has it.</summary>
    /// <param name="channel">The medium.</param>
    /// <param name="space">Where places come from; null if nothing will be changed.</param>
    /// <param name="heapName">The heap, for messages.</param>
    /// <param name="mapRoot">The root node of the page map.</param>
    /// <param name="mappedPages">Pages that have a place in it.</param>
    /// <param name="residentBytes">The budget.</param>
    /// <param name="isCatalog">Whether it is the store's own catalog, whose places come out of the reserve if need be.</param>
    public Pager(StoreChannel channel, SpaceAllocator? space, string heapName, MapEntry mapRoot, long mappedPages, long residentBytes, bool isCatalog = false)
    {
        _channel = channel;
        _space = space;
        _heapName = heapName;
        _isCatalog = isCatalog;
        _pool = new FramePool(residentBytes);
        _infos = _pool.Infos;
        _index = new ResidentIndex(_pool);
        _zeroFrame.MakeReadOnly();
        MapRoot = mapRoot;
        MappedPages = mappedPages;
        for (var level = 0; level <= FileLayout.NodeLevels; level++)
        {
            _dirty[level] = FrameList.Empty;
            _sealed[level] = FrameList.Empty;
        }
    }

    /// <summary>The heap's name, for messages.</summary>
    public string HeapName => _heapName;

    /// <summary>Pages changed since the last seal that are resident. Readable from any thread.</summary>
    public long DirtyPages
    {
        get
        {
            long pages = Volatile.Read(ref _dirty[0].Count);
            foreach (var range in Volatile.Read(ref _pinned))
            {
                pages += range.MarkedPages;
            }

            return pages;
        }
    }

    /// <summary>Frames that the budget allows.</summary>
    public int FrameCount => _pool.Count;

    /// <summary>What a page that was never written reads as.</summary>
    public byte* ZeroFrame => _zeroFrame.Start;

    /// <summary>Makes a page readable. Valid until the next call.</summary>
    public byte* Load(ulong page)
    {
        lock (_gate)
        {
            if (TryFindPinned(page, out var range, out var index))
            {
                return range.Content(index);
            }

            var frame = Fault(page, create: false);
            if (frame < 0)
            {
                return ZeroFrame;
            }

            return _pool.Content(frame);
        }
    }

    /// <summary>Makes a page writable, and Dirty. Valid until the next call.</summary>
    public byte* Store(ulong page)
    {
        lock (_gate)
        {
            if (TryFindPinned(page, out var range, out var index))
            {
                ThrowIfNotWritable();
                range.Mark(index);
                return range.Content(index);
            }

            return _pool.Content(MakeDirty(page, isOverwritten: false));
        }
    }

    /// <summary>Copies out of one page.</summary>
    public void Read(ulong page, int offset, Span<byte> destination)
    {
        lock (_gate)
        {
            if (TryFindPinned(page, out var range, out var index))
            {
                range.Content(index, 1).Slice(offset, destination.Length).CopyTo(destination);
                return;
            }

            var frame = Fault(page, create: false);
            if (frame < 0)
            {
                destination.Clear();
                return;
            }

            NoteUse(frame);
            _pool.Span(frame).Slice(offset, destination.Length).CopyTo(destination);
        }
    }

    /// <summary>Copies into one page.</summary>
    public void Write(ulong page, int offset, ReadOnlySpan<byte> source)
    {
        lock (_gate)
        {
            if (TryFindPinned(page, out var range, out var index))
            {
                ThrowIfNotWritable();
                range.Mark(index);
                source.CopyTo(range.Content(index, 1)[offset..]);
                return;
            }

            var frame = MakeDirty(page, isOverwritten: source.Length == FileLayout.PageSize);
            NoteUse(frame);
            source.CopyTo(_pool.Span(frame)[offset..]);
        }
    }

    /// <summary>Zeroes a part of one page, without giving it a frame if it reads as zero already.</summary>
    public void Zero(ulong page, int offset, int length)
    {
        lock (_gate)
        {
            if (TryFindPinned(page, out var range, out var index))
            {
                ThrowIfNotWritable();
                ClearPinned(range, index, offset, length);
                return;
            }

            if (Fault(page, create: false) >= 0)
            {
                var frame = MakeDirty(page, isOverwritten: false);
                NoteUse(frame);
                _pool.Span(frame).Slice(offset, length).Clear();
            }
        }
    }

    /// <summary>From now on keeps the entries of this window true.</summary>
    public void AddWindow(TranslationWindow window) => _windows = [.. _windows, window];

    /// <summary>The frames of pages used lately, for collections; made when it is first asked for.</summary>
    public TranslationCache Cache => _cache ??= new TranslationCache(this, _pool.Count);

    /// <summary>Forgets a window.</summary>
    public void RemoveWindow(TranslationWindow window) => _windows = [.. _windows.Where(other => other != window)];

    /// <summary>Adds this pager's counts.</summary>
    public HeapStatistics AddTo(HeapStatistics statistics)
    {
        lock (_gate)
        {
            return statistics with
            {
                Faults = _faults,
                MapFaults = _mapFaults,
                SoftFaults = _softFaults,
                Evictions = _evictions,
                DirtyEvictions = _dirtyEvictions,
                SealedCopies = _sealedCopies,
                PinnedCopies = _pinnedCopies,
                PinnedWrites = _pinnedWrites,
                PinnedPages = _pool.Withdrawn,
                DirtyPages = DirtyPages,
                DirtyBytes = DirtyPages << FileLayout.PageShift,
                ResidentFrames = _pool.Used + _pool.Withdrawn,
                FrameCount = _pool.Count,
                StallTime = Stopwatch.GetElapsedTime(0, _stallTicks),
            };
        }
    }

    /// <summary>Adds to the time the mutator spent waiting for the writer.</summary>
    public void CountStall(long since) => _stallTicks += Stopwatch.GetTimestamp() - since;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        foreach (var window in _windows)
        {
            window.Dispose();
        }

        foreach (var range in _pinned)
        {
            range.Close();
        }

        if (_space is not null)
        {
            _space.Abandon(_delta);
            if (_sealedDelta is not null)
            {
                _space.Abandon(_sealedDelta); // it has stalled, or failed
            }
        }

        _cache?.Dispose();
        _deferred.Dispose();
        _index.Dispose();
        _pool.Dispose();
        _staging.Dispose();
        _zeroFrame.Dispose();
    }

    /// <summary>Takes a page's entries out of every table. True if it had one: it was used since that was last done.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool ClearEntries(ulong page)
    {
        var had = false;
        foreach (var window in _windows)
        {
            had |= window.Clear(page);
        }

        if (_cache is not null)
        {
            had |= _cache.Clear(page);
        }

        return had;
    }

    /// <summary>Takes the entries of many pages out of every table.</summary>
    private void ClearEntries(ulong firstPage, ulong pages)
    {
        foreach (var window in _windows)
        {
            window.Clear(firstPage, pages);
        }

        for (ulong i = 0; _cache is not null && i < pages; i++)
        {
            _cache.Clear(firstPage + i);
        }
    }

    private void ClearStoreEntries(ulong page)
    {
        foreach (var window in _windows)
        {
            window.ClearStore(page);
        }

        _cache?.ClearStore(page);
    }
}
