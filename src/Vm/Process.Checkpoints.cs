using System.Collections.Concurrent;
using Everheap.Engine;
using Everheap.Vm.Execution;

namespace Everheap.Vm;

/// <content>When checkpoints are made, and what each one does. All but the requests happens on the program's thread.</content>
public sealed partial class Process
{
    /// <summary>How soon a request that met an unwinding stack, or a checkpoint in flight, is made again.</summary>
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan SuspendedOutputWait = TimeSpan.FromSeconds(1);

    private readonly ConcurrentQueue<TaskCompletionSource<CheckpointInfo>> _requests = new();
    private readonly Timer _timer;
    private volatile bool _isDue;
    private volatile bool _isSuspending;
    private volatile Exception? _releaseFailure;
    private bool _isTimerRunning;

    // Completes when the last checkpoint begun is durable, and its output has been shown; it never faults.
    private Task _release = Task.CompletedTask;

    /// <summary>Asks for a checkpoint at the program's next safepoint. Any thread.</summary>
    /// <returns>The checkpoint, once it is durable; cancelled if the program ends or is suspended without another one.</returns>
    public Task<CheckpointInfo> CheckpointAsync()
    {
        var request = new TaskCompletionSource<CheckpointInfo>(TaskCreationOptions.RunContinuationsAsynchronously);
        _requests.Enqueue(request);
        RequestCheckpoint();
        return request.Task;
    }

    private ProcessOutcome RunHere(InstanceGroup group)
    {
        _isTimerRunning = true;
        _timer.Change(_options.CheckpointInterval, Timeout.InfiniteTimeSpan);
        if (_isSuspending)
        {
            RequestCheckpoint();
        }

        try
        {
            RunOutcome outcome = group.Run(OnCaptured);
            ProcessState state = outcome switch
            {
                RunOutcome.Paused => ProcessState.Suspended,
                RunOutcome.Trapped => ProcessState.Trapped,
                _ => ProcessState.Exited,
            };
            if (state != ProcessState.Suspended)
            {
                End(group, state, outcome == RunOutcome.HostExit ? _wasi.ExitCode : 0);
            }

            // What a slow reader holds up at a suspension is shown when the program is resumed.
            _wasi.Finish(state == ProcessState.Suspended ? SuspendedOutputWait : null);
            return Outcome(state);
        }
        finally
        {
            _isTimerRunning = false;
            _timer.Change(Timeout.Infinite, Timeout.Infinite);
            _release.Wait();
            while (_requests.TryDequeue(out TaskCompletionSource<CheckpointInfo>? request))
            {
                request.TrySetCanceled();
            }
        }
    }

    // The whole stack lies in the heap.
    private bool OnCaptured()
    {
        ThrowIfReleaseFailed();
        if (_isSuspending)
        {
            CheckpointNow();
            return false;
        }

        if (_isDue || !_requests.IsEmpty)
        {
            BeginCheckpoint();
        }

        return true;
    }

    private void BeginCheckpoint()
    {
        _release.Wait();
        ThrowIfReleaseFailed();
        _isDue = false;
        TaskCompletionSource<CheckpointInfo>[] requests = [.. TakeRequests()];
        Seal();
        PendingCheckpoint pending = _heap.BeginCheckpoint();
        _release = pending.Completion.ContinueWith(
            completed => OnDurable(completed, requests),
            CancellationToken.None,
            TaskContinuationOptions.None,
            TaskScheduler.Default);
        _timer.Change(_options.CheckpointInterval, Timeout.InfiniteTimeSpan);
    }

    private void OnDurable(Task<CheckpointInfo> completed, TaskCompletionSource<CheckpointInfo>[] requests)
    {
        if (completed.IsFaulted)
        {
            Exception cause = completed.Exception!.InnerException!;
            _releaseFailure = cause;
            foreach (TaskCompletionSource<CheckpointInfo> request in requests)
            {
                request.TrySetException(cause);
            }

            RequestCheckpoint();
            return;
        }

        try
        {
            _wasi.Release(completed.Result.Number);
        }
        catch (IOException exception)
        {
            // The program's thread throws it at its next safepoint.
            _releaseFailure = exception;
            RequestCheckpoint();
        }

        foreach (TaskCompletionSource<CheckpointInfo> request in requests)
        {
            request.TrySetResult(completed.Result);
        }
    }

    // Seals, and waits until the checkpoint is durable and what it covers has been shown.
    private void CheckpointNow()
    {
        _release.Wait();
        ThrowIfReleaseFailed();
        TaskCompletionSource<CheckpointInfo>[] requests = [.. TakeRequests()];
        Seal(isLast: _header.State == ProcessState.Suspended);
        CheckpointInfo info = _heap.Checkpoint();
        _wasi.Release(info.Number);
        foreach (TaskCompletionSource<CheckpointInfo> request in requests)
        {
            request.TrySetResult(info);
        }
    }

    private void Seal(bool isLast = false)
    {
        _wasi.Seal();
        _group!.Save(isLast);
    }

    private void End(InstanceGroup group, ProcessState state, int exitCode)
    {
        _header.State = state;
        _header.ExitCode = exitCode;
        if (state == ProcessState.Trapped)
        {
            (_header.Trap, _header.TrapInstance, _header.TrapFunction, _header.TrapOffset) = group.Trap;
        }

        CheckpointNow();
    }

    private ProcessOutcome Outcome(ProcessState state)
    {
        TrapInfo? trap = null;
        if (state == ProcessState.Trapped)
        {
            trap = TrapOf(_heap.Read, _header, GroupDirectory.Read(_heap.Read, _header).ReadModules(_heap.Read));
        }

        return new ProcessOutcome(state, _header.ExitCode, trap);
    }

    private IEnumerable<TaskCompletionSource<CheckpointInfo>> TakeRequests()
    {
        while (_requests.TryDequeue(out TaskCompletionSource<CheckpointInfo>? request))
        {
            yield return request;
        }
    }

    private void Suspend()
    {
        _isSuspending = true;
        RequestCheckpoint();
    }

    private void RequestCheckpoint()
    {
        _isDue = true;
        _group?.RequestCapture();
        _wasi.Interrupt();
        AskAgain();
    }

    private void OnTimer()
    {
        if (!_release.IsCompleted && !_isSuspending)
        {
            AskAgain();
            return;
        }

        RequestCheckpoint();
    }

    private void AskAgain()
    {
        if (_isTimerRunning)
        {
            _timer.Change(AskAgainAfter, Timeout.InfiniteTimeSpan);
        }
    }

    private void CheckDirtyLimit()
    {
        if (_heap.DirtyBytes >= _options.CheckpointDirtyBytes && !_isDue)
        {
            _isDue = true;
            _group!.RequestCapture();
        }
    }

    private void ThrowIfReleaseFailed()
    {
        if (_releaseFailure is Exception failure)
        {
            throw failure is HeapException
                ? failure
                : new IOException("output of the program could not be handed to the host; the heap holds it, and resuming tries again: " + failure.Message, failure);
        }
    }
}
