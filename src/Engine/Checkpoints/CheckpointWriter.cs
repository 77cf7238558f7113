using System.Diagnostics;
using Everheap.Engine.Paging;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// Writes sealed epochs, one at a time, on a thread of its own: pages, map, allocator, catalog; flush; root; flush.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>The order above. Everything a root reaches is durable before the root is written, and the checkpoint counts as made only when the root is durable.</item>
/// <item>Nothing that one of the newest durable roots reaches is written over: pages, nodes and the catalog go to places the allocator gave out as free,
/// bitmaps, directories and roots to the slot that none of those roots uses.</item>
/// <item>Any failure ends it: the channel is latched, the space taken stays taken, and the roots on the medium are what they were.</item>
/// </list>
/// <para>
/// Pages are taken in the order of their page numbers and placed in runs, so what lies together in the heap lies together in the file. Frames are
/// copied and hashed without the gate: a sealed frame does not change.
/// </para>
/// </remarks>
internal sealed unsafe class CheckpointWriter : IDisposable
{
    /// <summary>Pages of one write: 256 KiB.</summary>
    private const int BatchPages = 64;

    private const int StackBytes = 512 * 1024;

    private readonly Pager _pager;
    private readonly SpaceAllocator _allocator;
    private readonly StoreChannel _channel;
    private readonly HeapStore _store;
    private readonly uint _heapId;
    private readonly ReservedMemory _staging = new((long)BatchPages << FileLayout.PageShift);
    private readonly MapEntry[] _entries = new MapEntry[BatchPages];
    private readonly SemaphoreSlim _wake = new(0);
    private Thread? _thread;
    private ulong[] _keys = [];
    private int[] _frames = [];
    private Request? _request;
    private bool _isStopping;
    private long _checkpoints;
    private long _lastPauseTicks;
    private long _maxPauseTicks;
    private long _lastDurationTicks;
    private long _maxDurationTicks;

    public CheckpointWriter(Pager pager, SpaceAllocator allocator, HeapStore store, uint heapId)
    {
        _pager = pager;
        _allocator = allocator;
        _channel = store.Channel;
        _store = store;
        _heapId = heapId;
    }

    /// <summary>The checkpoint in flight, or the last one; null before the first.</summary>
    public PendingCheckpoint? Latest { get; private set; }

    /// <summary>Seals the current epoch and has it written. The checkpoint before it is complete. Called by the mutator, which stands still for as long.</summary>
    public PendingCheckpoint Begin()
    {
        if (_thread is null)
        {
            _thread = new Thread(Run, StackBytes) { IsBackground = true, Name = "Everheap checkpoint writer" };
            _thread.Start();
        }

        var sealedAt = Stopwatch.GetTimestamp();
        var time = DateTime.UtcNow;
        _pager.Seal(out var evictedPages, out var evictedBytes);
        var pause = Stopwatch.GetElapsedTime(sealedAt);
        Raise(ref _lastPauseTicks, ref _maxPauseTicks, pause.Ticks);

        var pending = new PendingCheckpoint((long)_store.LatestCheckpointNumber + 1, pause);
        Latest = pending;
        _request = new Request(pending, sealedAt, time, evictedPages, evictedBytes);
        _wake.Release();
        return pending;
    }

    /// <summary>Adds counts and times.</summary>
    public HeapStatistics AddTo(HeapStatistics statistics) => statistics with
    {
        Checkpoints = Volatile.Read(ref _checkpoints),
        LastPause = TimeSpan.FromTicks(Volatile.Read(ref _lastPauseTicks)),
        MaxPause = TimeSpan.FromTicks(Volatile.Read(ref _maxPauseTicks)),
        LastDuration = TimeSpan.FromTicks(Volatile.Read(ref _lastDurationTicks)),
        MaxDuration = TimeSpan.FromTicks(Volatile.Read(ref _maxDurationTicks)),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _isStopping = true;
        _wake.Release();
        _thread?.Join();
        _wake.Dispose();
        _staging.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            _wake.Wait();
            if (_isStopping)
            {
                return;
            }

            var request = _request!;
            CheckpointInfo info;
            try
            {
                info = Write(request);
            }
            catch (Exception failure) when (_channel.Latch(failure))
            {
                _pager.EndWriting(isDurable: false);
                request.Pending.Fail(_channel.Failed());
                continue;
            }

            _pager.EndWriting(isDurable: true);
            request.Pending.Complete(info);
            _channel.ReleaseMapped();
        }
    }

    private CheckpointInfo Write(Request request)
    {
        var pages = request.EvictedPages + _pager.SealedCount(0);
        var bytes = request.EvictedBytes;

        // Level 0 is the pages; writing a level enters places into the level above, and so decides what is to be written there.
        for (var level = 0; level <= FileLayout.NodeLevels; level++)
        {
            bytes += WriteLevel(level);
        }

        var catalog = _store.CatalogForCheckpoint();
        Span<HeapRecord> heaps = catalog.Heaps;
        ref var heap = ref heaps[(int)_heapId - 1];
        heap.MapRoot = _pager.MapRoot;
        heap.MappedPages = (ulong)_pager.MappedPages;
        _pager.UnsealMap();

        // The last place to be allocated: after this the bitmaps stand.
        var catalogPlace = _pager.AllocateSealed(1, out _);
        _pager.ReleaseSealed(_store.Roots.Current.Catalog.Place);
        bytes += _allocator.WriteChanged() + FileLayout.PageSize + FileLayout.PageSize;

        var root = _store.Roots.Next();
        var record = new CheckpointRecord
        {
            Number = root.Sequence,
            TimeTicks = request.Time.Ticks,
            Pages = (ulong)pages,
            Bytes = (ulong)bytes,
            PauseTicks = request.Pending.Pause.Ticks,
            DurationTicks = Stopwatch.GetElapsedTime(request.SealedAt).Ticks,
        };
        catalog.Sequence = root.Sequence;
        Catalog.AddToHistory(ref catalog, record);
        _channel.Write((long)(catalogPlace << FileLayout.PageShift), DiskView.Bytes(ref catalog));

        root.Catalog = new MapEntry { Place = catalogPlace, Checksum = DiskView.Hash(DiskView.Bytes(ref catalog)) };
        root.TimeTicks = request.Time.Ticks;
        root.FileLength = (ulong)_allocator.FileLength;
        root.AllocatedPages = (ulong)_allocator.KeptPages;
        root.Groups = _allocator.GroupEntries;

        _channel.Flush();
        _store.Commit(ref root, catalog);

        var duration = Stopwatch.GetElapsedTime(request.SealedAt).Ticks;
        Raise(ref _lastDurationTicks, ref _maxDurationTicks, duration);
        Volatile.Write(ref _checkpoints, _checkpoints + 1);
        return _store.Complete(duration);
    }

    private static void Raise(ref long last, ref long max, long value)
    {
        Volatile.Write(ref last, value);
        Volatile.Write(ref max, Math.Max(max, value));
    }

    /// <summary>Writes the sealed frames of a level. Returns the bytes written.</summary>
    private long WriteLevel(int level)
    {
        var count = _pager.SealedCount(level);
        if (count == 0)
        {
            return 0;
        }

        if (_keys.Length < count)
        {
            _keys = GC.AllocateUninitializedArray<ulong>(count);
            _frames = GC.AllocateUninitializedArray<int>(count);
        }

        var frames = _frames.AsSpan(0, count);
        _pager.TakeSealed(level, _keys, frames);
        _keys.AsSpan(0, count).Sort(frames);

        long bytes = 0;
        while (!frames.IsEmpty)
        {
            // A node without entries need not exist; its parent forgets it. (A page of zeros is written: finding out costs more than it saves.)
            if (level > 0 && _pager.SealedContent(frames[0]).IndexOfAnyExcept((byte)0) < 0)
            {
                _entries[0] = default;
                _pager.EnterSealed(frames[..1], _entries.AsSpan(0, 1));
                frames = frames[1..];
                continue;
            }

            var wanted = Math.Min(frames.Length, BatchPages);
            for (var i = 1; level > 0 && i < wanted; i++)
            {
                wanted = _pager.SealedContent(frames[i]).IndexOfAnyExcept((byte)0) < 0 ? i : wanted;
            }

            var place = _pager.AllocateSealed(wanted, out var run);
            for (var i = 0; i < run; i++)
            {
                var staged = new Span<byte>(_staging.Start + ((long)i << FileLayout.PageShift), FileLayout.PageSize);
                _pager.SealedContent(frames[i]).CopyTo(staged);
                _entries[i] = new MapEntry { Place = place + (uint)i, Checksum = DiskView.Hash(staged) };
            }

            _channel.Write((long)(place << FileLayout.PageShift), new ReadOnlySpan<byte>(_staging.Start, run << FileLayout.PageShift));
            _pager.EnterSealed(frames[..run], _entries.AsSpan(0, run));
            bytes += (long)run << FileLayout.PageShift;
            frames = frames[run..];
        }

        return bytes;
    }

    private sealed record Request(PendingCheckpoint Pending, long SealedAt, DateTime Time, long EvictedPages, long EvictedBytes);
}
