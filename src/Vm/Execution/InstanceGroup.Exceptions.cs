using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <content>
/// Exceptions in flight. While one is, the poll says so, every function that does not catch it returns, and the driver drops the frames in the heap that do not. What it has passed is
/// kept, so that one that nobody catches ends the program with its backtrace.
/// </content>
internal sealed unsafe partial class InstanceGroup
{
    /// <summary>The most frames that are remembered of an exception's way.</summary>
    private const int TraceFramesMax = 1_000;

    private readonly ExceptionStore _exceptions = new();
    private readonly List<(Instance Instance, int Function, int Offset)> _trace = [];
    private ulong _thrown;

    // Where the captured stack ended when the exception came to it, and how many frames it had passed by then.
    private ulong _unwoundFrom;
    private int _nativeFrames;

    /// <summary>How many exceptions are kept.</summary>
    public int ExceptionCount => _exceptions.Count;

    /// <summary>Throws an exception.</summary>
    /// <param name="thrower">The instance whose code throws it.</param>
    /// <param name="tag">The identity of its tag.</param>
    /// <param name="values">Its values.</param>
    /// <param name="function">The function that throws it.</param>
    /// <param name="offset">Where.</param>
    public void Throw(Instance thrower, ulong tag, ReadOnlySpan<ulong> values, int function, int offset)
    {
        ulong number = _exceptions.Add(tag, values);
        if (number == 0)
        {
            CompiledCode.Trap(thrower.Context, function, offset, (int)TrapKind.TooManyExceptions);
            return;
        }

        if (_exceptions.ShouldCollect)
        {
            RequestCapture();
        }

        BeginThrowing(thrower, number, function, offset);
    }

    /// <summary>Throws an exception again.</summary>
    public void ThrowReference(Instance thrower, ulong number, int function, int offset)
    {
        if (number == 0)
        {
            CompiledCode.Trap(thrower.Context, function, offset, (int)TrapKind.NullExceptionReference);
            return;
        }

        BeginThrowing(thrower, number, function, offset);
    }

    /// <summary>Whether the exception in flight is of a tag.</summary>
    public bool IsThrown(ulong tag) => _exceptions.TagOf(_thrown) == tag;

    /// <summary>Takes the exception in flight; its values go to the slots.</summary>
    /// <param name="isKept">Whether the program gets a reference to it.</param>
    /// <returns>The reference.</returns>
    public ulong Catch(bool isKept)
    {
        ulong number = _thrown;
        _exceptions.ValuesOf(number).CopyTo(new Span<ulong>(Slots, SlotCount));
        if (isKept)
        {
            _exceptions.Refer(number);
        }
        else
        {
            _exceptions.Release(number);
        }

        _thrown = 0;
        _trace.Clear();

        // What asked for a capture meanwhile is served by the next safepoint.
        bool isRequested = false;
        for (int index = 0; index < _state->ContextCount; index++)
        {
            isRequested |= Interlocked.Exchange(ref _state->Contexts[index]->Poll, PollState.Running) == PollState.ThrowingRequested;
        }

        if (isRequested)
        {
            RequestCapture();
        }

        return number;
    }

    /// <summary>The exception in flight passes a frame.</summary>
    public void TraceException(Instance instance, int function, int offset)
    {
        if (_trace.Count < TraceFramesMax)
        {
            _trace.Add((instance, function, offset));
        }
    }

    private void BeginThrowing(Instance thrower, ulong number, int function, int offset)
    {
        _thrown = number;
        _trace.Clear();
        _trace.Add((thrower, function, offset));
        for (int index = 0; index < _state->ContextCount; index++)
        {
            ref int poll = ref _state->Contexts[index]->Poll;
            int before;
            do
            {
                before = Volatile.Read(ref poll);
            }
            while (Interlocked.CompareExchange(ref poll, before == PollState.Running ? PollState.Throwing : PollState.ThrowingRequested, before) != before);
        }
    }

    // The exception has left all code that was running.
    private void ArriveAtStack()
    {
        _unwoundFrom = Stack.Bytes;
        _nativeFrames = _trace.Count;
    }

    // A frame of the captured stack at which an exception arrives: false if it is dropped.
    private bool CatchesAt(Instance instance, ReadOnlySpan<byte> frame)
    {
        if (instance.HasHandlerAt(frame))
        {
            return true;
        }

        TraceException(instance, CapturedFrame.FunctionOf(frame), CapturedFrame.OffsetOf(frame));
        return false;
    }

    // Nobody has caught it: the program ends, with the frames that the exception has passed on its stack.
    private RunOutcome EndUncaught()
    {
        Stack.Reinstate(_unwoundFrom);
        for (int index = _nativeFrames - 1; index > 0; index--)
        {
            Stack.PushTrace(_trace[index].Instance.Number, _trace[index].Function, _trace[index].Offset);
        }

        (Instance thrower, int function, int offset) = _trace[0];
        _state->Trap = (int)TrapKind.UncaughtException;
        _state->TrapInstance = thrower.Number;
        _state->TrapFunction = function;
        _state->TrapOffset = offset;
        _trace.Clear();
        GroupState.SetPoll(_state, PollState.Running);
        return RunOutcome.Trapped;
    }

    // While the whole stack lies in the heap.
    private void CollectExceptions()
    {
        if (!_exceptions.ShouldCollect)
        {
            return;
        }

        var referred = new HashSet<ulong>();
        Stack.AddValues(ValType.ExnRef, referred);
        foreach (Instance instance in _instances)
        {
            for (int index = 0; index < instance.Module.Globals.Count; index++)
            {
                if (instance.Module.Globals[index].ValueType.Stored == ValType.ExnRef)
                {
                    referred.Add(*instance.GlobalUnits(index));
                }
            }
        }

        foreach (Table table in _tables.Where(table => table.Type.ElementType.Stored == ValType.ExnRef))
        {
            for (uint element = 0; element < table.Length; element++)
            {
                referred.Add(table[element]);
            }
        }

        _exceptions.Collect(referred);
    }
}
