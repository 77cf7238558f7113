using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Embedding;

/// <content>Calls of guests: who may make them, when they end, and as what.</content>
public sealed partial class Machine
{
    private CancellationToken _cancellation;
    private Deadline? _deadline;
    private int _user;
    private int _uses;

    /// <summary>
    /// Ends calls that are made while this is set, once it is cancelled: at the guest's next safepoint (a call, or the head of a loop), with an <see cref="OperationCanceledException"/>. The guest's frames are gone
    /// then, and what it has written so far stays, as after a trap: the machine can be used on, if the guest can.
    /// </summary>
    public CancellationToken Cancellation
    {
        get => _cancellation;
        set
        {
            using Use use = Enter();
            _cancellation = value;
        }
    }

    /// <summary>While this thread uses the machine.</summary>
    internal readonly ref struct Use(Machine machine)
    {
        public void Dispose() => machine.Exit();
    }

    /// <summary>Calls a function with the arguments in the slots; its results are there when it has returned.</summary>
    /// <exception cref="WasmTrapException">The guest trapped.</exception>
    internal void Call(Function function)
    {
        using Use use = Enter();
        if (_group.IsRunning)
        {
            Call(function, _group.Stack.Bytes);
            return;
        }

        // The outermost call: what ends it, ends all within.
        using CancellationTokenRegistration registration =
            _cancellation.CanBeCanceled ? _cancellation.UnsafeRegister(static machine => ((Machine)machine!)._group.RequestCapture(), this) : default;
        using Deadline? deadline = _options.CallTime == Timeout.InfiniteTimeSpan ? null : new Deadline(_group, _options.CallTime);
        _deadline = deadline;
        try
        {
            Call(function, _group.Stack.Bytes);
        }
        finally
        {
            _deadline = null;
        }
    }

    /// <summary>Says that this thread uses the machine.</summary>
    /// <exception cref="InvalidOperationException">Another thread does.</exception>
    /// <exception cref="ObjectDisposedException">The machine was disposed of.</exception>
    internal Use Enter()
    {
        int thread = Environment.CurrentManagedThreadId;
        if (Volatile.Read(ref _user) != thread && Interlocked.CompareExchange(ref _user, thread, 0) != 0)
        {
            throw new InvalidOperationException("The machine is used by another thread: a machine is used by one thread at a time.");
        }

        if (_isDisposed)
        {
            if (_uses == 0)
            {
                Volatile.Write(ref _user, 0);
            }

            throw new ObjectDisposedException(nameof(Machine));
        }

        _uses++;
        return new Use(this);
    }

    private void Exit()
    {
        if (--_uses == 0)
        {
            Volatile.Write(ref _user, 0);
        }
    }

    private void Call(Function function, ulong floor)
    {
        if (IsToStop())
        {
            throw WhyStopped();
        }

        RunOutcome outcome = _group.Call(function.Owner, function.Index, static () => true);
        switch (outcome)
        {
            case RunOutcome.Returned:
                return;
            case RunOutcome.Trapped:
                TrapInfo trap = Backtraces.TrapOf(ModuleOf, _group.Trap, Backtraces.Read(ModuleOf, _heap.Read, _group.Stack.Address, _group.Stack.Bytes, floor).Frames);
                _group.Stack.Truncate(floor);
                throw new WasmTrapException(trap);
            case RunOutcome.HostExit:
                _group.Stack.Truncate(floor);
                throw new GuestExitException(_wasi?.ExitCode ?? 0);
            default:
                _group.Stack.Truncate(floor);
                throw WhyStopped();
        }
    }

    private Module? ModuleOf(int instance) => (uint)instance < (uint)_group.Instances.Count ? _group.Instances[instance].Module : null;

    private bool IsToStop() => _cancellation.IsCancellationRequested || _deadline?.HasPassed == true;

    // A call has its own, so that a timer that is late says nothing about the next call.
    private sealed class Deadline : IDisposable
    {
        private readonly InstanceGroup _group;
        private readonly Timer _timer;
        private volatile bool _hasPassed;

        public Deadline(InstanceGroup group, TimeSpan time)
        {
            _group = group;
            _timer = new Timer(static deadline => ((Deadline)deadline!).Pass(), this, time, Timeout.InfiniteTimeSpan);
        }

        public bool HasPassed => _hasPassed;

        public void Dispose() => _timer.Dispose();

        // The flag comes first: whoever finds the stack unwinding anyway looks at it afterwards.
        private void Pass()
        {
            _hasPassed = true;
            _group.RequestCapture();
        }
    }

    private Exception WhyStopped() => _cancellation.IsCancellationRequested
        ? new OperationCanceledException("The call was cancelled, and the guest has stopped.", _cancellation)
        : new TimeoutException($"The call took longer than {_options.CallTime}, and the guest was stopped.");
}

/// <summary>A guest ended itself by <c>proc_exit</c> of the system interface.</summary>
/// <param name="exitCode">The code that it gave.</param>
public sealed class GuestExitException(int exitCode) : Exception($"the guest has ended with exit code {exitCode}")
{
    /// <summary>The code that it gave.</summary>
    public int ExitCode { get; } = exitCode;
}
