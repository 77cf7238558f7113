using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Everheap.Vm.Wasi.Files;
using Everheap.Vm.Wasi.Streams;

namespace Everheap.Vm.Wasi;

/// <summary>What a checkpoint allows to be shown and written back once it is durable.</summary>
/// <param name="CheckpointNumber">The checkpoint's number.</param>
/// <param name="Output">Output that it is the first to cover; null if there is none.</param>
/// <param name="Changes">File changes that it is the first to cover; null if there are none.</param>
/// <param name="AppliedSeal">The seal to note once the changes are applied; 0 if others wait.</param>
internal sealed record ReleaseJob(long CheckpointNumber, OutputBatch? Output, IReadOnlyList<HostChange>? Changes, ulong AppliedSeal);

/// <summary>How file changes that were handed over fared.</summary>
internal enum ChangesOutcome
{
    /// <summary>None were handed over.</summary>
    None,

    /// <summary>They are on their way.</summary>
    UnderWay,

    /// <summary>They are on the host, durably.</summary>
    Applied,

    /// <summary>The host refused some.</summary>
    Refused,
}

/// <summary>
/// The thread that shows output and writes files back, so that a slow reader or a slow disk holds up neither the program nor its
/// checkpoints. Invariant: a job is touched only after its checkpoint is durable, and jobs are done in order.
/// </summary>
internal sealed class ReleaseWorker : IDisposable
{
    private const int StopMilliseconds = 1000;

    /// <summary>How long the thread waits for something to do before it ends, in milliseconds.</summary>
    private const int IdleMilliseconds = 5000;

    private readonly object _gate;
    private readonly OutputReleaser _output;
    private readonly HostWriter _writer;
    private readonly ReleaseNote _note;
    private readonly bool _isInline;
    private readonly Queue<ReleaseJob> _sealed = new();
    private readonly Queue<ReleaseJob> _ready = new();
    private readonly CancellationTokenSource _stop = new();
    private Thread? _thread;
    private bool _isBusy;
    private IOException? _outputFailure;
    private ChangesOutcome _changes;
    private IOException? _changesFailure;

    /// <summary>Makes a worker.</summary>
    /// <param name="gate">Pulsed at any progress.</param>
    /// <param name="output">Shows output.</param>
    /// <param name="writer">Writes files back.</param>
    /// <param name="note">Records what was written back.</param>
    /// <param name="isInline">Whether jobs are done by whoever releases them, for tests.</param>
    public ReleaseWorker(object gate, OutputReleaser output, HostWriter writer, ReleaseNote note, bool isInline)
    {
        _gate = gate;
        _output = output;
        _writer = writer;
        _note = note;
        _isInline = isInline;
    }

    /// <summary>Why output cannot be shown any more; null if it can.</summary>
    public IOException? OutputFailure
    {
        get
        {
            lock (_gate)
            {
                return _outputFailure;
            }
        }
    }

    /// <summary>Whether file changes are under way, or their outcome was not asked for yet.</summary>
    public bool HasChanges
    {
        get
        {
            lock (_gate)
            {
                return _changes != ChangesOutcome.None;
            }
        }
    }

    /// <summary>Whether all output that was handed over was shown. The gate must be held.</summary>
    public bool IsIdle => !_isBusy && _ready.Count == 0 && _sealed.Count == 0;

    /// <summary>Hands over what the checkpoint that is being made covers.</summary>
    /// <param name="job">What it covers.</param>
    public void Seal(ReleaseJob job)
    {
        lock (_gate)
        {
            if (job.Changes is not null)
            {
                _changes = ChangesOutcome.UnderWay;
            }

            _sealed.Enqueue(job);
        }
    }

    /// <summary>A checkpoint, and all before it, are durable.</summary>
    /// <param name="checkpointNumber">Its number.</param>
    public void Release(long checkpointNumber)
    {
        lock (_gate)
        {
            while (_sealed.TryPeek(out var job) && job.CheckpointNumber <= checkpointNumber)
            {
                _ready.Enqueue(_sealed.Dequeue());
            }

            if (!_isInline)
            {
                if (_thread is null && _ready.Count > 0)
                {
                    _thread = new Thread(Run) { IsBackground = true, Name = "release" };
                    _thread.Start();
                }

                Monitor.PulseAll(_gate);
                return;
            }
        }

        while (TryNext(out var job))
        {
            Do(job);
        }
    }

    /// <summary>How file changes fared; asked once for each hand-over.</summary>
    /// <param name="failure">Why the host refused them.</param>
    /// <returns>How they fared.</returns>
    public ChangesOutcome TakeOutcome(out IOException? failure)
    {
        lock (_gate)
        {
            failure = _changesFailure;
            var outcome = _changes;
            if (outcome is ChangesOutcome.Applied or ChangesOutcome.Refused)
            {
                _changes = ChangesOutcome.None;
                _changesFailure = null;
            }

            return outcome;
        }
    }

    /// <summary>Waits until all that was released is done, or output failed.</summary>
    /// <param name="limit">How long to wait, or <see cref="Timeout.InfiniteTimeSpan"/>.</param>
    /// <returns>Whether it is done.</returns>
    public bool WaitUntilDone(TimeSpan limit)
    {
        long start = Stopwatch.GetTimestamp();
        lock (_gate)
        {
            while (_isBusy || _ready.Count > 0)
            {
                var left = limit == Timeout.InfiniteTimeSpan ? limit : limit - Stopwatch.GetElapsedTime(start);
                if (left < TimeSpan.Zero && left != Timeout.InfiniteTimeSpan)
                {
                    return false;
                }

                Monitor.Wait(_gate, left);
            }
        }

        return true;
    }

    /// <summary>Stops between two steps; what is not done then is still owed. A write that a reader holds up is left to itself.</summary>
    public void Dispose()
    {
        Thread? thread;
        _stop.Cancel();
        lock (_gate)
        {
            thread = _thread;
            Monitor.PulseAll(_gate);
        }

        if (thread?.Join(StopMilliseconds) != false)
        {
            _stop.Dispose();
        }
    }

    private void Run()
    {
        while (true)
        {
            ReleaseJob? job;
            lock (_gate)
            {
                long idle = Stopwatch.GetTimestamp();
                while (_ready.Count == 0 && !_stop.IsCancellationRequested)
                {
                    int left = IdleMilliseconds - (int)Stopwatch.GetElapsedTime(idle).TotalMilliseconds;
                    if (left <= 0)
                    {
                        _thread = null; // the next job starts another
                        return;
                    }

                    Monitor.Wait(_gate, left);
                }
            }

            if (!TryNext(out job))
            {
                return;
            }

            Do(job);
        }
    }

    private bool TryNext([NotNullWhen(true)] out ReleaseJob? job)
    {
        lock (_gate)
        {
            job = null;
            if (_stop.IsCancellationRequested || !_ready.TryDequeue(out job))
            {
                return false;
            }

            _isBusy = true;
            return true;
        }
    }

    private void Do(ReleaseJob job)
    {
        IOException? outputFailure = null;
        IOException? changesFailure = null;
        bool isStopped = false;
        try
        {
            if (job.Output is not null && OutputFailure is null)
            {
                outputFailure = Try(() => _output.Show(job.Output, _stop.Token));
            }

            if (job.Changes is not null)
            {
                changesFailure = Try(() => _writer.Apply(job.Changes, _stop.Token));
                if (changesFailure is null && job.AppliedSeal != 0)
                {
                    _note.RecordApplied(job.AppliedSeal);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped half way: what is left is still owed, and the next resume does it.
            isStopped = true;
        }
        finally
        {
            lock (_gate)
            {
                _isBusy = false;
                _outputFailure ??= outputFailure;
                if (job.Changes is not null && !isStopped)
                {
                    _changes = changesFailure is null ? ChangesOutcome.Applied : ChangesOutcome.Refused;
                    _changesFailure = changesFailure;
                }

                Monitor.PulseAll(_gate);
            }
        }
    }

    private static IOException? Try(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (IOException error)
        {
            return error;
        }
    }
}
