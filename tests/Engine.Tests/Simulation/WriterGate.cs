namespace Everheap.Engine.Tests.Simulation;

/// <summary>
/// Makes a run with a background writer repeatable: while the gate is closed, the writer stops at each of its I/Os until the mutator
/// (the thread that closed the gate) grants it, or is itself waiting for the writer.
/// </summary>
internal sealed class WriterGate
{
    private readonly Lock _lock = new();
    private Thread? _mutator;
    private int _granted;
    private volatile bool _closed;
    private volatile bool _parked;

    /// <summary>Closes the gate for every thread but the caller's.</summary>
    public void Close()
    {
        _mutator = Thread.CurrentThread;
        _closed = true;
    }

    public void Open() => _closed = false;

    /// <summary>Lets the writer do so many I/Os, and waits until it has stopped at the next one, or has finished.</summary>
    public void Grant(int count, Func<bool> isFinished)
    {
        for (int i = 0; i < count && _closed && !isFinished(); i++)
        {
            AwaitStop(isFinished);
            lock (_lock)
            {
                if (!_parked)
                {
                    return;
                }

                _granted = 1;
                _parked = false;
            }

            AwaitStop(isFinished);
        }
    }

    /// <summary>Waits until the writer stands at the gate or has finished, without being taken for a mutator that waits for it.</summary>
    public void AwaitStop(Func<bool> isFinished)
    {
        while (_closed && !_parked && !isFinished())
        {
            Thread.Yield();
        }
    }

    /// <summary>Called by the medium at every I/O.</summary>
    public void Pass()
    {
        if (!_closed || Thread.CurrentThread == _mutator)
        {
            return;
        }

        _parked = true;
        int waiting = 0;
        while (_closed)
        {
            lock (_lock)
            {
                if (_granted > 0)
                {
                    _granted = 0;
                    return;
                }
            }

            // A mutator that sleeps inside the engine can only be waiting for this thread. Twice in a row, so that a moment's
            // wait for something else (the runtime's own locks) is not taken for it.
            waiting = (_mutator!.ThreadState & ThreadState.WaitSleepJoin) != 0 ? waiting + 1 : 0;
            if (waiting >= 3)
            {
                break;
            }

            Thread.Yield();
        }

        _parked = false;
    }
}
