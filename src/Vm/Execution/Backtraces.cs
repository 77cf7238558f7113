using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>Turns captured frames into backtraces for people.</summary>
internal static class Backtraces
{
    /// <summary>The innermost frames of the stack that a heap holds, and how many it has.</summary>
    /// <param name="module">The program.</param>
    /// <param name="read">Reads the heap.</param>
    /// <param name="header">The heap's header.</param>
    /// <exception cref="Engine.HeapFormatException">The stack is malformed.</exception>
    public static (List<StackFrame> Frames, long Count) Read(Module module, HeapReader read, ProcessHeader header)
    {
        var stack = new CapturedFrames(read, header.StackAddress);
        var frames = new List<StackFrame>();
        long count = 0;
        ulong top = header.StackBytes;
        while (stack.TryReadBelow(ref top, out ReadOnlySpan<byte> frame))
        {
            count++;
            if (frames.Count < TrapInfo.BacktraceFramesMax)
            {
                frames.Add(FrameOf(module, frame));
            }
        }

        return (frames, count);
    }

    /// <summary>A trap with the frames below it.</summary>
    public static TrapInfo TrapOf(Module module, TrapKind kind, int function, int offset, List<StackFrame> callers)
    {
        var frames = new List<StackFrame>(callers.Count + 1);

        // A stack that is exhausted holds the frame already.
        if (kind != TrapKind.CallStackExhausted && function >= 0 && function < module.FunctionTypes.Count)
        {
            frames.Add(new StackFrame(function, module.DisplayNameOf(function), offset, []));
        }

        frames.AddRange(callers);
        return new TrapInfo(kind.Describe(), frames);
    }

    private static StackFrame FrameOf(Module module, ReadOnlySpan<byte> frame)
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
                : module.LocalNames.TryGetValue((function, value.Index), out string? local) ? local : $"local {value.Index}";
            values.Add(new FrameValue(name, value.Type, bits));
        }

        return new StackFrame(
            function,
            function < module.FunctionTypes.Count && function >= 0 ? module.DisplayNameOf(function) : $"func[{function}]",
            CapturedFrame.OffsetOf(frame),
            values);
    }
}
