namespace Everheap.Engine.Checkpoints;

/// <summary>Goes on reclaiming while nobody commits: one bounded step after the other, with pauses, until nothing is left.</summary>
internal sealed class IdleReclaimer : IDisposable
{
    /// <summary>Between steps, so that the disk is not all theirs.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>After a step for which there was no room.</summary>
    private static readonly TimeSpan PauseWhenFull = TimeSpan.FromSeconds(1);

    private readonly Committer _committer;
    private readonly Timer _timer;
    private int _isScheduled;
    private volatile bool _isStopping;

    public IdleReclaimer(Committer committer)
    {
        _committer = committer;
        _timer = new Timer(_ => Step());
        committer.IdleWorkLeft = Awaken;
        Awaken();
    }

    /// <summary>Something may have been dropped.</summary>
    public void Awaken()
    {
        if (_committer.HasIdleWork && Interlocked.Exchange(ref _isScheduled, 1) == 0)
        {
            Schedule(Pause);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _isStopping = true;
        using var stopped = new ManualResetEvent(false);
        if (_timer.Dispose(stopped))
        {
            stopped.WaitOne();
        }
    }

    private void Step()
    {
        if (_isStopping)
        {
            return;
        }

        var pause = Pause;
        try
        {
            _committer.Execute(() => _committer.Reclaimer.Step(HeapStore.ReclaimPagesDefault));
        }
        catch (HeapFullException)
        {
            pause = PauseWhenFull;
        }
        catch (HeapFailedException)
        {
            return; // Latched: whoever uses the store is told, and nothing more is written.
        }

        Volatile.Write(ref _isScheduled, 0);
        if (_committer.HasIdleWork && Interlocked.Exchange(ref _isScheduled, 1) == 0)
        {
            Schedule(pause);
        }
    }

    private void Schedule(TimeSpan pause)
    {
        if (!_isStopping)
        {
            try
            {
                _timer.Change(pause, Timeout.InfiniteTimeSpan);
            }
            catch (ObjectDisposedException)
            {
                // The store is being closed; what is left goes on when it is opened again.
            }
        }
    }
}
