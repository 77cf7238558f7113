using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using Everheap.Engine;
using Everheap.Vm.Compilation;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Execution;

/// <summary>Why <see cref="InstanceGroup.Run(Func{bool}, ulong)"/> returned.</summary>
internal enum RunOutcome
{
    /// <summary>The stack is empty: the outermost function returned.</summary>
    Returned,

    /// <summary>The stack is captured, and whoever was told so said stop.</summary>
    Paused,

    /// <summary>A trap; the frames that were running are on the captured stack.</summary>
    Trapped,

    /// <summary>A host function ended the program.</summary>
    HostExit,

    /// <summary>It was asked to stop (<see cref="InstanceGroup.StopCheck"/>); the frames that were running are on the captured stack.</summary>
    Stopped,
}

/// <content>
/// The driver. It takes the topmost frame off the captured stack and enters that function's twin at the frame's site, with the context of the frame's instance. The twin returns
/// either with a result, which the next frame is waiting for, or because the stack is being captured; then every function on the way has
/// saved a record, and the records become the new top of the captured stack.
/// <para>
/// A host function may call back: then a run lies within a run. Frames of the outer one are on the native stack under the host's own, so that the whole stack cannot be captured until
/// the host function has returned: what asked for it is put off until then. The frames of the inner run can be, and are, so that it can go on with an empty native stack, or in other code.
/// </para>
/// </content>
internal sealed unsafe partial class InstanceGroup
{
    /// <summary>
    /// Native stack that a program may use before its frames move to the heap; what lies below serves the JIT, the engine and host functions.
    /// </summary>
    public const int NativeStackBytes = 12 << 20;

    private readonly List<RunLevel> _levels = [];
    private readonly Stack<RunLevel> _spareLevels = [];
    private ExceptionDispatchInfo? _hostFailure;
    private bool _isCaptureOwed;

    /// <summary>A run, while it lasts.</summary>
    private sealed class RunLevel
    {
        /// <summary>The code of its frames on the native stack, where an inner run has put other code in its place.</summary>
        public Dictionary<Instance, ModuleCompiler>? OlderCode { get; set; }
    }

    /// <summary>Asked whenever the stack has unwound for a capture: true ends the run with <see cref="RunOutcome.Stopped"/>.</summary>
    public Func<bool>? StopCheck { get; set; }

    /// <summary>Whether a guest runs, or waits for a host function.</summary>
    public bool IsRunning => _levels.Count > 0;

    /// <summary>See <see cref="CodeContext.StackLimit"/>.</summary>
    public byte* StackLimit { get; private set; }

    /// <summary>The values that the last function to return gave, by position, in units of 8 bytes: two for a vector.</summary>
    public ReadOnlySpan<ulong> Results => new(Slots, SlotCount);

    /// <summary>The trap, after <see cref="RunOutcome.Trapped"/>.</summary>
    public (TrapKind Kind, int Instance, int Function, int Offset) Trap =>
        ((TrapKind)_state->Trap, _state->TrapInstance, _state->TrapFunction, _state->TrapOffset);

    /// <summary>Puts a call on top of the stack. The arguments are in units of 8 bytes: two for a vector.</summary>
    public void PushCall(Instance instance, int function, ReadOnlySpan<ulong> arguments)
    {
        if (instance.FunctionAt(function) is GuestFunction guest)
        {
            (instance, function) = (guest.Owner, guest.Index);
        }

        Stack.PushEntry(instance.Number, function, instance.Compiler.SitesOf(function)[0], arguments);
    }

    /// <summary>Runs what is on the captured stack above a height.</summary>
    /// <param name="onCaptured">Called whenever the whole stack lies in the heap; says whether to go on.</param>
    /// <param name="floor">The height, in bytes.</param>
    /// <exception cref="Exception">Whatever a host function threw; the frames above the height are gone.</exception>
    public RunOutcome Run(Func<bool> onCaptured, ulong floor = 0)
    {
        RunLevel level = EnterLevel();
        bool isDone = false;
        try
        {
            RunOutcome outcome = Run(onCaptured, floor, level);
            isDone = true;
            return outcome;
        }
        finally
        {
            LeaveLevel(isDone);
        }
    }

    /// <summary>Calls a function with the arguments in the slots; its results are there afterwards.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="function">The function's index there; an imported host function is called on the instance's behalf.</param>
    /// <param name="onCaptured">As for <see cref="Run(Func{bool}, ulong)"/>.</param>
    /// <exception cref="Exception">Whatever a host function threw.</exception>
    public RunOutcome Call(Instance instance, int function, Func<bool> onCaptured)
    {
        RunLevel level = EnterLevel();
        bool isDone = false;
        try
        {
            ulong floor = Stack.Bytes;
            RunOutcome outcome = RunOutcome.Returned;
            _state->SaveCursor = _state->SaveBase;
            if (_levels.Count > 1 && NativeStack.IsBelow(StackLimit))
            {
                CompiledCode.Trap(instance.Context, function, 0, (int)TrapKind.CallStackExhausted);
            }
            else
            {
                _state->EnteredFunction = -1;
                instance.Call(function);
            }

            int poll = Volatile.Read(ref instance.Context->Poll);
            if ((poll & PollState.Throwing) != 0)
            {
                ArriveAtStack();
                outcome = Run(onCaptured, floor, level, isThrowing: true);
            }
            else if (poll == PollState.Unwinding)
            {
                outcome = TakeUnwound(onCaptured, floor, level) ?? Run(onCaptured, floor, level);
            }

            isDone = true;
            return outcome;
        }
        finally
        {
            LeaveLevel(isDone);
        }
    }

    /// <summary>Calls a host function on behalf of an instance's code, which waits on the native stack.</summary>
    /// <returns>How it ended; null if it threw an exception, for which the stack unwinds.</returns>
    [SuppressMessage("Design", "CA1031", Justification = "Thrown again where the guest was called from; no exception may pass through compiled code.")]
    public HostOutcome? CallHost(HostFunction function, Instance caller, ReadOnlySpan<ulong> arguments, Span<ulong> results)
    {
        HostOutcome? outcome = null;
        try
        {
            outcome = function.Body(caller, arguments, results);
            DirtyLimitCheck?.Invoke();
        }
        catch (Exception exception)
        {
            _hostFailure = ExceptionDispatchInfo.Capture(exception);
            GroupState.Unwind(_state, UnwindReason.HostFailure);
        }

        if (_levels.Count > 0 && (_levels[^1].OlderCode is not null || (_isCaptureOwed && _levels.Count == 1)))
        {
            _isCaptureOwed = false;
            RequestCapture();
        }

        return outcome;
    }

    /// <summary>The code of an instance's frames on the native stack, where they wait for a host function under which other code has taken its place.</summary>
    public ModuleCompiler OlderCodeOf(Instance instance) =>
        _levels.FindLast(level => level.OlderCode?.ContainsKey(instance) == true)?.OlderCode![instance] ?? instance.Compiler;

    private RunOutcome Run(Func<bool> onCaptured, ulong floor, RunLevel level, bool isThrowing = false)
    {
        _state->SaveCursor = _state->SaveBase;
        while (Stack.Bytes > floor && Stack.TryPop(out ReadOnlySpan<byte> frame))
        {
            Instance instance = InstanceOf(frame);
            if (isThrowing && !CatchesAt(instance, frame))
            {
                continue;
            }

            instance.Enter(frame);
            int poll = Volatile.Read(ref instance.Context->Poll);
            isThrowing = (poll & PollState.Throwing) != 0;
            if (isThrowing)
            {
                ArriveAtStack();
            }
            else if (poll == PollState.Unwinding && TakeUnwound(onCaptured, floor, level) is RunOutcome outcome)
            {
                return outcome;
            }
        }

        return isThrowing ? EndUncaught() : RunOutcome.Returned;
    }

    // The native stack is empty, down to where the run began, and the records of what was there lie in the save buffer.
    private RunOutcome? TakeUnwound(Func<bool> onCaptured, ulong floor, RunLevel level)
    {
        var reason = (UnwindReason)_state->Reason;
        bool hasRoom = reason != UnwindReason.StackSpill || !IsWhatWasEntered(_state);
        bool isAppended = Stack.TryAppend(_state->SaveBase, _state->SaveCursor, SitesOf);
        level.OlderCode = null;
        _state->SaveCursor = _state->SaveBase;
        _state->Reason = (int)UnwindReason.None;
        GroupState.SetPoll(_state, PollState.Running);
        if (reason == UnwindReason.HostFailure)
        {
            Stack.Truncate(floor);
            ExceptionDispatchInfo failure = _hostFailure!;
            _hostFailure = null;
            failure.Throw();
        }

        if (!isAppended || !hasRoom)
        {
            return ExhaustStack();
        }

        switch (reason)
        {
            case UnwindReason.Trap:
                return RunOutcome.Trapped;
            case UnwindReason.Host:
                return RunOutcome.HostExit;
            default:
                if (StopCheck?.Invoke() == true)
                {
                    return RunOutcome.Stopped;
                }

                if (_levels.Count > 1)
                {
                    _isCaptureOwed |= reason == UnwindReason.Capture;
                }
                else
                {
                    CollectExceptions();
                }

                if (_levels.Count == 1 && !onCaptured())
                {
                    return RunOutcome.Paused;
                }

                ReachMemoriesAnew();
                return null;
        }

        Site[] SitesOf(int instance, int function) =>
            (level.OlderCode?.GetValueOrDefault(_instances[instance]) ?? _instances[instance].Compiler).SitesOf(function);
    }

    // A function that the native stack, as the driver finds it, has no room for would be entered again and again.
    private static bool IsWhatWasEntered(GroupState* state)
    {
        var record = (SavedRecord*)state->SaveBase;
        return state->SaveBase + record->Bytes == state->SaveCursor && record->Site == 0 && record->Function == state->EnteredFunction && record->Instance == state->EnteredInstance;
    }

    private RunOutcome ExhaustStack()
    {
        _state->Trap = (int)TrapKind.CallStackExhausted;
        _state->TrapFunction = -1;
        _state->TrapInstance = 0;
        _state->TrapOffset = 0;
        if (Stack.TryPeek(out ReadOnlySpan<byte> frame))
        {
            _state->TrapInstance = CapturedFrame.InstanceOf(frame);
            _state->TrapFunction = CapturedFrame.FunctionOf(frame);
            _state->TrapOffset = CapturedFrame.OffsetOf(frame);
        }

        return RunOutcome.Trapped;
    }

    // Frames of the runs around this one are on the native stack, in the code as it was.
    private void RememberCodeOf(Instance instance)
    {
        for (int index = 0; index < _levels.Count - 1; index++)
        {
            (_levels[index].OlderCode ??= []).TryAdd(instance, instance.Compiler);
        }
    }

    private Instance InstanceOf(ReadOnlySpan<byte> frame)
    {
        int number = CapturedFrame.InstanceOf(frame);
        return (uint)number < (uint)_instances.Count
            ? _instances[number]
            : throw new HeapFormatException($"a captured frame names instance {number}, and there are {_instances.Count}");
    }

    private RunLevel EnterLevel()
    {
        if (_levels.Count == 0)
        {
            SetStackLimit(NativeStack.LimitFor(StackLimit, Options.NativeStackBytes));
        }

        if (_spareLevels.TryPop(out RunLevel? level))
        {
            level.OlderCode = null;
        }

        _levels.Add(level ??= new RunLevel());
        return level;
    }

    private void LeaveLevel(bool isDone)
    {
        _spareLevels.Push(_levels[^1]);
        _levels.RemoveAt(_levels.Count - 1);

        // Whoever called the host function has gone on since it was entered.
        _state->EnteredFunction = -1;
        if (!isDone)
        {
            // An exception came out of the engine or a host function, perhaps through compiled code.
            GroupState.SetPoll(_state, PollState.Running);
        }
    }

    private void SetStackLimit(byte* limit)
    {
        if (limit == StackLimit)
        {
            return;
        }

        StackLimit = limit;
        foreach (Instance instance in _instances)
        {
            instance.Context->StackLimit = limit;
        }
    }
}
