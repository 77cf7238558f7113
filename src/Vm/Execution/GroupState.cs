using System.Runtime.InteropServices;

namespace Everheap.Vm.Execution;

/// <summary>What compiled code finds in <see cref="CodeContext.Poll"/>.</summary>
internal static class PollState
{
    /// <summary>Go on.</summary>
    public const int Running = 0;

    /// <summary>Someone wants the stack captured: the next safepoint begins to unwind.</summary>
    public const int Requested = 1;

    /// <summary>Every frame saves itself and returns, up to the driver.</summary>
    public const int Unwinding = 2;

    /// <summary>An exception is in flight: every function returns, up to one that catches it.</summary>
    public const int Throwing = 4;

    /// <summary>An exception is in flight, and someone wants the stack captured.</summary>
    public const int ThrowingRequested = Throwing | Requested;
}

/// <summary>Why the stack unwinds.</summary>
internal enum UnwindReason
{
    /// <summary>It does not.</summary>
    None,

    /// <summary>A safepoint answered a request.</summary>
    Capture,

    /// <summary>The native stack is nearly used up: frames move to the heap, and the program goes on.</summary>
    StackSpill,

    /// <summary>A trap ended the program.</summary>
    Trap,

    /// <summary>A host function ended the program.</summary>
    Host,

    /// <summary>A host function threw an exception, which is thrown again where the guest was called from.</summary>
    HostFailure,
}

/// <summary>
/// What compiled code shares with all instances that are linked with each other: one stack is saved, and one unwinds, whichever instances its frames belong to. In native memory.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct GroupState
{
    /// <summary>Where saved records begin; a twin finds the record it is entered with here.</summary>
    public byte* SaveBase;

    /// <summary>Where the next saved record goes.</summary>
    public byte* SaveCursor;

    /// <summary>The end of the room for saved records.</summary>
    public byte* SaveEnd;

    /// <summary>Where code that was compiled in a hurry stores its variables before a record is made of them; null before that.</summary>
    public byte* SpillArea;

    /// <summary>How many bytes there are.</summary>
    public int SpillBytes;

    /// <summary>The contexts of all instances, by number.</summary>
    public CodeContext** Contexts;

    /// <summary>How many there are.</summary>
    public int ContextCount;

    /// <summary>The function that the driver has entered at its beginning; -1 where it has entered one elsewhere, or where a function that was entered has left and gone on since.</summary>
    public int EnteredFunction;

    /// <summary>The number of that function's instance.</summary>
    public int EnteredInstance;

    /// <summary>An <see cref="UnwindReason"/>, while <see cref="CodeContext.Poll"/> says that the stack unwinds.</summary>
    public int Reason;

    /// <summary>A <see cref="TrapKind"/>, where the reason is a trap.</summary>
    public int Trap;

    /// <summary>The number of the instance that trapped.</summary>
    public int TrapInstance;

    /// <summary>The function that trapped.</summary>
    public int TrapFunction;

    /// <summary>The offset in the module's bytes of the instruction that trapped.</summary>
    public int TrapOffset;

    /// <summary>
    /// Makes every frame save itself and return, up to the driver. All contexts are told: frames of several instances may lie on the stack, and each looks at its own.
    /// </summary>
    /// <param name="group">The group.</param>
    /// <param name="reason">Why.</param>
    public static void Unwind(GroupState* group, UnwindReason reason)
    {
        group->Reason = (int)reason;
        SetPoll(group, PollState.Unwinding);
    }

    /// <summary>Sets every context's <see cref="CodeContext.Poll"/>.</summary>
    public static void SetPoll(GroupState* group, int state)
    {
        for (int number = 0; number < group->ContextCount; number++)
        {
            Volatile.Write(ref group->Contexts[number]->Poll, state);
        }
    }
}

/// <summary>How a function of another instance is called, or an imported one.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct FunctionCell
{
    /// <summary>Its size in bytes.</summary>
    public const int Bytes = 16;

    /// <summary>The offset of <see cref="Entry"/>.</summary>
    public const int EntryOffset = 8;

    /// <summary>The context that it is called with; null for a host function.</summary>
    public CodeContext* Context;

    /// <summary>Its entry in its module's table of functions (<see cref="CodeContext.Functions"/>).</summary>
    public TableEntry* Entry;
}
