using System.Diagnostics;
using Everheap.Engine.Checkpoints;

namespace Everheap.Engine.Tests.Simulation;

/// <summary>
/// Makes a run with background writers repeatable: while the gate is closed, each heap's writer stops at each of its I/Os until the mutator
/// (the thread that closed the gate) lets it go on, or is itself waiting for it inside the engine.
/// </summary>
/// <remarks>
/// At any time one of the threads runs, and the rest stand at the gate, or wait for the lock under which roots are made, whose holder stands at the gate. A writer never
/// stops where it holds another lock of the engine: at a resize, and at the flush before the first write.
/// </remarks>
internal sealed class WriterGate
{
    /// <summary>A thread that was found sleeping so often in a row waits for a lock, and not for a moment's turn at something else.</summary>
    private const int Certain = 3;

    private readonly object _sync = new();
    private readonly List<Writer> _writers = [];
    private Thread? _mutator;
    private volatile bool _closed;
    private bool _mutatorWaitsHere;

    /// <summary>The owner of the writer that the mutator may have to wait for in what it does now.</summary>
    public object? Driven { get; set; }

    /// <summary>The owners of the writers that stand at the gate, in the order in which they were first expected.</summary>
    public IReadOnlyList<object> Parked
    {
        get
        {
            lock (_sync)
            {
                return [.. _writers.Where(writer => writer.IsParked).Select(writer => writer.Owner)];
            }
        }
    }

    /// <summary>The owner of the writer that stands at the gate in the middle of making a root; null if none does.</summary>
    public object? InCommit
    {
        get
        {
            lock (_sync)
            {
                return _writers.Find(writer => writer.IsParked && writer.IsInCommit)?.Owner;
            }
        }
    }

    /// <summary>Closes the gate for every thread but the caller's.</summary>
    public void Close()
    {
        _mutator = Thread.CurrentThread;
        _closed = true;
    }

    /// <summary>Lets everybody through.</summary>
    public void Open()
    {
        lock (_sync)
        {
            _closed = false;
            Monitor.PulseAll(_sync);
        }
    }

    /// <summary>Whether the thread of this owner's writer is known, because it has come by.</summary>
    public bool Knows(object owner)
    {
        lock (_sync)
        {
            return _writers.Exists(writer => writer.Owner == owner && writer.Thread is not null);
        }
    }

    /// <summary>The next unknown thread that comes by is this owner's. To be called before its first checkpoint is begun, while no other is on its way.</summary>
    public void Expect(object owner)
    {
        lock (_sync)
        {
            if (!_writers.Exists(writer => writer.Owner == owner))
            {
                _writers.Add(new Writer(owner));
            }
        }
    }

    /// <summary>This owner's writer has something to write; waits until it stands at the gate, is done, or waits for the one that makes a root.</summary>
    public void Started(object owner, Func<bool> isFinished)
    {
        lock (_sync)
        {
            _writers.First(writer => writer.Owner == owner).IsFinished = isFinished;
        }

        Settle();
    }

    /// <summary>This owner's writer has ended.</summary>
    public void Forget(object owner)
    {
        lock (_sync)
        {
            _writers.RemoveAll(writer => writer.Owner == owner);
        }
    }

    /// <summary>Lets a writer that stands at the gate do one I/O, and waits until nobody runs any more. False if it does not stand there.</summary>
    public bool Step(object owner)
    {
        lock (_sync)
        {
            if (_writers.Find(writer => writer.Owner == owner) is not { IsParked: true } writer)
            {
                return false;
            }

            Release(writer);
        }

        Settle();
        return true;
    }

    /// <summary>Where there is one writer only, which nobody has told of: lets it do so many I/Os, and waits until it has stopped at the next one, or has finished.</summary>
    public void Grant(int count, Func<bool> isFinished)
    {
        for (int i = 0; i < count && _closed && !isFinished(); i++)
        {
            AwaitStop(isFinished);
            lock (_sync)
            {
                if (_writers.Find(writer => writer.IsParked) is not { } writer)
                {
                    return;
                }

                Release(writer);
            }

            AwaitStop(isFinished);
        }
    }

    /// <summary>The same: waits until the writer stands at the gate or has finished.</summary>
    public void AwaitStop(Func<bool> isFinished)
    {
        lock (_sync)
        {
            _mutatorWaitsHere = true;
            while (_closed && !_writers.Exists(writer => writer.IsParked) && !isFinished())
            {
                Monitor.Wait(_sync, 1);
            }

            _mutatorWaitsHere = false;
        }
    }

    /// <summary>Waits until every writer stands at the gate, is done, or waits for the one that makes a root.</summary>
    public void Settle()
    {
        lock (_sync)
        {
            _mutatorWaitsHere = true;
            for (int stable = 0; _closed && stable < Certain; Monitor.Wait(_sync, stable > 0 ? 0 : 1))
            {
                bool rootIsBeingMade = _writers.Exists(writer => writer.IsParked && writer.IsInCommit);
                bool allStand = true;
                bool allStill = true;
                foreach (Writer writer in _writers)
                {
                    if (!writer.IsParked && writer.IsFinished is { } isFinished && !isFinished())
                    {
                        allStand = false;
                        allStill &= rootIsBeingMade && writer.Thread is { } thread && IsAsleep(thread);
                    }
                }

                stable = allStand ? Certain : allStill ? stable + 1 : 0;
            }

            _mutatorWaitsHere = false;
        }
    }

    /// <summary>Called by the medium at every I/O that changes something.</summary>
    /// <param name="kind">What it is.</param>
    public void Pass(IoKind kind)
    {
        if (!_closed || Thread.CurrentThread == _mutator)
        {
            return;
        }

        bool isInCommit = IsInCommitter();
        lock (_sync)
        {
            Writer? writer = _writers.Find(known => known.Thread == Thread.CurrentThread);
            if (writer is null)
            {
                writer = _writers.Find(known => known.Thread is null);
                if (writer is null)
                {
                    _writers.Add(writer = new Writer(Thread.CurrentThread));
                }

                writer.Thread = Thread.CurrentThread;
            }

            // A resize is done under the allocator's lock; a flush outside a commit is the one before the first write, under a lock as well.
            if (kind == IoKind.Resize || (kind == IoKind.Flush && !isInCommit))
            {
                return;
            }

            writer.IsInCommit = isInCommit;
            writer.IsParked = true;
            Monitor.PulseAll(_sync);
            for (int asleep = 0; _closed && !writer.MayPass && asleep < Certain;)
            {
                bool timedOut = !Monitor.Wait(_sync, 1);
                asleep = timedOut && !_mutatorWaitsHere && IsAsleep(_mutator!) && IsTheOneToGoOn(writer) ? asleep + 1 : 0;
            }

            writer.MayPass = false;
            writer.IsParked = false;
        }
    }

    private void Release(Writer writer)
    {
        writer.MayPass = true;
        writer.IsParked = false;
        Monitor.PulseAll(_sync);
    }

    private static bool IsAsleep(Thread thread) => (thread.ThreadState & System.Threading.ThreadState.WaitSleepJoin) != 0;

    private static bool IsInCommitter()
    {
        StackTrace stack = new(fNeedFileInfo: false);
        for (int i = 2; i < stack.FrameCount; i++)
        {
            if (stack.GetFrame(i)!.GetMethod()?.DeclaringType == typeof(Committer))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Of those that stand at the gate while the mutator waits in the engine, one goes on: the one that it waits for.</summary>
    private bool IsTheOneToGoOn(Writer writer)
    {
        Writer? first = _writers.Find(other => other.IsParked && other.IsInCommit)
            ?? _writers.Find(other => other.IsParked && other.Owner == Driven)
            ?? _writers.Find(other => other.IsParked);
        return first == writer;
    }

    private sealed class Writer(object owner)
    {
        public object Owner { get; } = owner;

        public Thread? Thread { get; set; }

        public Func<bool>? IsFinished { get; set; }

        public bool IsParked { get; set; }

        public bool IsInCommit { get; set; }

        public bool MayPass { get; set; }
    }
}

/// <summary>What an I/O that changes a medium is.</summary>
internal enum IoKind
{
    Write,
    Resize,
    Flush,
}
