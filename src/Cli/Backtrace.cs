using System.Globalization;
using Everheap.Vm;
using Everheap.Vm.Modules;

namespace Everheap.Cli;

/// <summary>Prints WebAssembly backtraces, innermost frame first: plain lines that scripts can read.</summary>
internal static class Backtrace
{
    /// <summary>Writes frames: a line each, followed by a line for each value.</summary>
    /// <param name="frames">The innermost frames, innermost first.</param>
    /// <param name="frameCount">How many frames there are in all.</param>
    /// <param name="framesMax">How many to print at most; the others are counted in one line.</param>
    /// <param name="withValues">Whether locals and operands are printed.</param>
    /// <param name="output">Where to.</param>
    public static void Write(IReadOnlyList<StackFrame> frames, long frameCount, int framesMax, bool withValues, TextWriter output)
    {
        int shown = Math.Min(frames.Count, framesMax);
        for (int index = 0; index < shown; index++)
        {
            StackFrame frame = frames[index];
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  #{index} {frame.FunctionName} (func {frame.FunctionIndex}) at 0x{frame.CodeOffset:x}"));
            if (withValues)
            {
                foreach (FrameValue value in frame.Values)
                {
                    output.WriteLine($"       {value.Name}: {Format(value)}");
                }
            }
        }

        if (shown < frameCount)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  ... and {frameCount - shown} more"));
        }
    }

    /// <summary>A value with its type.</summary>
    /// <param name="value">The value.</param>
    /// <returns>For example <c>i32 = -1</c> or <c>f64 = 0.5</c>.</returns>
    public static string Format(FrameValue value)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        return value.Type switch
        {
            ValType.I32 => string.Create(culture, $"i32 = {(int)value.Bits}"),
            ValType.I64 => string.Create(culture, $"i64 = {(long)value.Bits}"),
            ValType.F32 => string.Create(culture, $"f32 = {BitConverter.UInt32BitsToSingle((uint)value.Bits)}"),
            ValType.F64 => string.Create(culture, $"f64 = {BitConverter.UInt64BitsToDouble(value.Bits)}"),
            ValType.V128 => string.Create(culture, $"v128 = 0x{value.HighBits:x16}{value.Bits:x16}"),
            ValType.FuncRef => string.Create(culture, $"funcref = 0x{value.Bits:x}"),
            ValType.ExternRef => string.Create(culture, $"externref = 0x{value.Bits:x}"),
            _ => string.Create(culture, $"0x{value.Bits:x}"),
        };
    }
}
