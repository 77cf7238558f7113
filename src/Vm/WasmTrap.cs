using Everheap.Vm.Modules;

namespace Everheap.Vm;

/// <summary>A value of a frame.</summary>
/// <param name="Name">The local's name, or <c>local 3</c>, or <c>stack 0</c>.</param>
/// <param name="Type">Its type.</param>
/// <param name="Bits">Its bits, zero-extended; of a vector, the low half.</param>
/// <param name="HighBits">The high half of a vector.</param>
public sealed record FrameValue(string Name, ValType Type, ulong Bits, ulong HighBits = 0);

/// <summary>A frame of a WebAssembly backtrace.</summary>
/// <param name="FunctionIndex">The function's index, imports first.</param>
/// <param name="FunctionName">Its name.</param>
/// <param name="CodeOffset">The offset in the module's bytes of the instruction at which it stands.</param>
/// <param name="Values">The values that are still needed: live locals, then the operand stack. Empty where the frame trapped.</param>
/// <param name="InstanceNumber">The number of its instance among those that are linked with each other, in the order in which they were made; 0 in a program.</param>
public sealed record StackFrame(int FunctionIndex, string FunctionName, int CodeOffset, IReadOnlyList<FrameValue> Values, int InstanceNumber = 0);

/// <summary>A trap.</summary>
/// <param name="Reason">WebAssembly's own words for it.</param>
/// <param name="Backtrace">The frames, innermost first; at most <see cref="BacktraceFramesMax"/>.</param>
public sealed record TrapInfo(string Reason, IReadOnlyList<StackFrame> Backtrace)
{
    /// <summary>The most frames that a backtrace holds.</summary>
    public const int BacktraceFramesMax = 1000;
}

/// <summary>A trap where there is no program yet to end: at instantiation.</summary>
public sealed class WasmTrapException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="trap">The trap.</param>
    public WasmTrapException(TrapInfo trap)
        : base(trap?.Reason) => Trap = trap!;

    /// <summary>The trap.</summary>
    public TrapInfo Trap { get; }
}
