using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>Turns captured frames into backtraces for people.</summary>
internal static class Backtraces
{
    /// <summary>The innermost frames of the stack that a heap holds, and how many it has.</summary>
    /// <param name="moduleOf">Gives an instance's module, by its number; null if there is no such instance.</param>
    /// <param name="read">Reads the heap.</param>
    /// <param name="address">Where the stack begins in the heap.</param>
    /// <param name="bytes">Its height.</param>
    /// <param name="floor">Where to end: frames below this height, in bytes, are left out.</param>
    /// <exception cref="Engine.HeapFormatException">The stack is malformed.</exception>
    public static (List<StackFrame> Frames, long Count) Read(Func<int, Module?> moduleOf, HeapReader read, ulong address, ulong bytes, ulong floor = 0)
    {
        var stack = new CapturedFrames(read, address);
        var frames = new List<StackFrame>();
        long count = 0;
        ulong top = bytes;
        while (top > floor && stack.TryReadBelow(ref top, out ReadOnlySpan<byte> frame))
        {
            count++;
            if (frames.Count < TrapInfo.BacktraceFramesMax)
            {
                frames.Add(FrameOf(moduleOf(CapturedFrame.InstanceOf(frame)), frame));
            }
        }

        return (frames, count);
    }

    /// <summary>A trap with the frames below it.</summary>
    public static TrapInfo TrapOf(Func<int, Module?> moduleOf, (TrapKind Kind, int Instance, int Function, int Offset) trap, List<StackFrame> callers)
    {
        var frames = new List<StackFrame>(callers.Count + 1);

        // A stack that is exhausted holds the frame already.
        if (trap.Kind != TrapKind.CallStackExhausted && moduleOf(trap.Instance) is Module module && (uint)trap.Function < (uint)module.FunctionTypes.Count)
        {
            frames.Add(new StackFrame(trap.Function, module.DisplayNameOf(trap.Function), trap.Offset, [], trap.Instance));
        }

        frames.AddRange(callers);
        return new TrapInfo(trap.Kind.Describe(), frames);
    }

    private static StackFrame FrameOf(Module? module, ReadOnlySpan<byte> frame)
    {
        int function = CapturedFrame.FunctionOf(frame);
        var values = new List<FrameValue>();
        int count = CapturedFrame.ValueCountOf(frame) + CapturedFrame.ResultCountOf(frame);
        for (int index = 0; index < count; index++)
        {
            (SiteValue value, ulong bits) = CapturedFrame.ReadValue(frame, index);
            if (value.IsHighHalf && values.Count > 0)
            {
                values[^1] = values[^1] with { HighBits = bits };
                continue;
            }

            string name = value.IsStack
                ? $"{(index < CapturedFrame.ValueCountOf(frame) ? "stack" : "result")} {value.Index}"
                : module?.LocalNames.TryGetValue((function, value.Index), out string? local) == true ? local : $"local {value.Index}";
            values.Add(new FrameValue(name, value.Type, bits));
        }

        return new StackFrame(
            function,
            module is not null && (uint)function < (uint)module.FunctionTypes.Count ? module.DisplayNameOf(function) : $"func[{function}]",
            CapturedFrame.OffsetOf(frame),
            values,
            CapturedFrame.InstanceOf(frame));
    }
}
