using System.Diagnostics;
using Everheap.Engine.Paging;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// Writes a heap's sealed epochs, one at a time, on a thread of its own: pages and map, then the commit that makes them part of the store.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>A checkpoint counts as made only when the commit that names it is durable.</item>
/// <item>Pages and nodes go to places the allocator gave out as free: nothing that a kept root reaches is written over.</item>
/// <item>A failed write or flush ends it: the channel is latched, and the roots on the medium are what they were.</item>
/// <item>Want of room does not: what is sealed stays sealed, and the next checkpoint first completes this one.</item>
/// </list>
/// </remarks>
internal sealed class CheckpointWriter : IDisposable
{
    private const int StackBytes = 512 * 1024;

    /// <summary>How long the thread waits for the next epoch before it gives its buffers back: a few times longer than programs wait between checkpoints.</summary>
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(5);

    private readonly Pager _pager;
    private readonly StoreChannel _channel;
    private readonly Committer _committer;
    private readonly HeapEntry _heap;
    private readonly SealedSetWriter _sealedSet;
    private readonly SemaphoreSlim _wake = new(0);
    private Thread? _thread;
    private Request? _request;
    private Request? _stalled;
    private bool _isStopping;
    private long _checkpoints;
    private long _lastPauseTicks;
    private long _maxPauseTicks;
    private long _lastDurationTicks;
    private long _maxDurationTicks;

    public CheckpointWriter(Pager pager, StoreChannel channel, Committer committer, HeapEntry heap)
    {
        _pager = pager;
        _channel = channel;
        _committer = committer;
        _heap = heap;
        _sealedSet = new SealedSetWriter(pager, channel);
        pager.ResumeStalled = () => Retry();
    }

    /// <summary>The checkpoint in flight, or the last one; null before the first.</summary>
    public PendingCheckpoint? Latest { get; private set; }

    /// <summary>Whether an epoch that was sealed could not be written yet for want of room.</summary>
    public bool IsStalled => _stalled is not null;

    /// <summary>Seals the current epoch and has it written. The checkpoint before it is complete. Called by the mutator, which stands still for as long.</summary>
    public PendingCheckpoint Begin()
    {
        if (_thread is null)
        {
            _thread = new Thread(Run, StackBytes) { IsBackground = true, Name = "Everheap checkpoint writer" };
            _thread.Start();
        }

        var sealedAt = Stopwatch.GetTimestamp();
        var time = _committer.UtcNow;
        _pager.Seal(out var evictedPages, out var evictedBytes);
        var pause = Stopwatch.GetElapsedTime(sealedAt);
        Raise(ref _lastPauseTicks, ref _maxPauseTicks, pause.Ticks);

        var pending = new PendingCheckpoint((long)_heap.Number + 1, pause);
        Start(new Request(pending, pause, sealedAt, time, evictedPages + _pager.SealedCount(0), evictedBytes));
        return pending;
    }

    /// <summary>Has the epoch that stalled written. Called by the mutator.</summary>
    /// <returns>What completes when it is durable, or fails again.</returns>
    public PendingCheckpoint Retry()
    {
        var stalled = _stalled!;
        _stalled = null;
        _pager.ResumeWriting();
        var pending = new PendingCheckpoint(stalled.Pending.Number, stalled.Pause);
        Start(stalled with { Pending = pending });
        return pending;
    }

    /// <summary>Forgets an epoch that stalled: its heap has gone back.</summary>
    public void GiveUpStalled() => _stalled = null;

    /// <summary>Adds counts and times.</summary>
    public HeapStatistics AddTo(HeapStatistics statistics) => statistics with
    {
        Checkpoints = Volatile.Read(ref _checkpoints),
        LastPause = TimeSpan.FromTicks(Volatile.Read(ref _lastPauseTicks)),
        MaxPause = TimeSpan.FromTicks(Volatile.Read(ref _maxPauseTicks)),
        LastDuration = TimeSpan.FromTicks(Volatile.Read(ref _lastDurationTicks)),
        MaxDuration = TimeSpan.FromTicks(Volatile.Read(ref _maxDurationTicks)),
    };

    /// <summary>Ends the thread; what stalled is given up.</summary>
    public void Dispose()
    {
        _isStopping = true;
        _wake.Release();
        _thread?.Join();
        _wake.Dispose();
        _sealedSet.Dispose();
    }

    private static void Raise(ref long last, ref long max, long value)
    {
        Volatile.Write(ref last, value);
        Volatile.Write(ref max, Math.Max(max, value));
    }

    private void Start(Request request)
    {
        Latest = request.Pending;
        _request = request;
        _wake.Release();
    }

    private void Run()
    {
        while (true)
        {
            if (!_wake.Wait(IdleTime))
            {
                _sealedSet.Trim();
                _wake.Wait();
            }

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
            catch (HeapException refusal) when (refusal is HeapFullException || refusal.GetType() == typeof(HeapException))
            {
                // The file, or the catalog's table of checkpoints.
                var full = refusal as HeapFullException ?? new HeapFullException(refusal.Message);
                StoreLog.Stalled(_channel.Logger, _channel.Name, _heap.Name, full.Message);
                _stalled = request;
                _pager.StallWriting(full);
                request.Pending.Fail(full);
                continue;
            }
            catch (Exception failure) when (_channel.Latch(failure))
            {
                _pager.EndWriting();
                request.Pending.Fail(_channel.Failed());
                continue;
            }

            _pager.EndWriting();
            request.Pending.Complete(info);
        }
    }

    private CheckpointInfo Write(Request request)
    {
        using var activity = EngineTelemetry.Activities.StartActivity(
            "checkpoint", ActivityKind.Internal, request.Caller, [new("heap", _heap.Name), new("number", request.Pending.Number)], startTime: request.Time);
        if (!request.IsMapWritten)
        {
            request.Bytes += _sealedSet.Write();
            request.MapRoot = _pager.MapRoot;
            request.MappedPages = _pager.MappedPages;
            request.IsMapWritten = true;
            _pager.UnsealMap();
        }

        var info = _committer.Commit(new HeapCommit
        {
            Heap = _heap,
            Delta = _pager.SealedDelta,
            MapRoot = request.MapRoot,
            MappedPages = request.MappedPages,
            Number = (ulong)request.Pending.Number,
            Time = request.Time,
            SealedAt = request.SealedAt,
            Pages = request.Pages,
            Bytes = request.Bytes,
            Pause = request.Pause,
        });
        activity?.SetTag("pages", info.Pages).SetTag("bytes", info.Bytes);
        StoreLog.CheckpointMade(
            _channel.Logger, _channel.Name, _heap.Name, info.Number, info.Pages, info.Bytes, (long)info.Pause.TotalMicroseconds, (long)info.Duration.TotalMicroseconds);
        Raise(ref _lastDurationTicks, ref _maxDurationTicks, info.Duration.Ticks);
        Volatile.Write(ref _checkpoints, _checkpoints + 1);
        return info;
    }

    private sealed record Request(PendingCheckpoint Pending, TimeSpan Pause, long SealedAt, DateTime Time, long Pages, long EvictedBytes)
    {
        public long Bytes { get; set; } = EvictedBytes;

        /// <summary>The activity that the checkpoint was begun in.</summary>
        public ActivityContext Caller { get; } = Activity.Current?.Context ?? default;

        /// <summary>Whether only the commit is left to do.</summary>
        public bool IsMapWritten { get; set; }

        public MapEntry MapRoot { get; set; }

        public long MappedPages { get; set; }
    }
}
