using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Everheap.Vm.Execution;

/// <summary>Numeric operators for which IL has no instruction with WebAssembly's meaning (core specification, section 4.3).</summary>
internal static class Numerics
{
    // Out of line: the JIT keeps float constants as doubles, which quiets a signalling NaN.
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static float F32OfBits(int bits) => BitConverter.Int32BitsToSingle(bits);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static double F64OfBits(long bits) => BitConverter.Int64BitsToDouble(bits);

    // The JIT of .NET 10 makes Int32BitsToSingle of a load of one or two bytes a load of four (dotnet/runtime, issue 133580). The way through a vector is the same move
    // between registers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32ReinterpretI32(int bits) => Vector128.CreateScalarUnsafe(bits).AsSingle().ToScalar();

    // The runtime's own methods, which code that is compiled in a hurry would call, give back a signalling NaN as it is; the instructions that optimised code has in their place quiet it.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static float F32Max(float first, float second) => MathF.Max(first, second);

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static double F64Max(double first, double second) => Math.Max(first, second);

    // Rounded once: through double the value would be rounded twice.
    public static float F32ConvertI64U(ulong value) =>
        (long)value >= 0 ? (long)value : (float)(long)((value >> 1) | (value & 1)) * 2;

    public static int I32TruncSatF64S(double value) =>
        double.IsNaN(value) ? 0 : value <= int.MinValue ? int.MinValue : value >= int.MaxValue ? int.MaxValue : (int)value;

    public static int I32TruncSatF64U(double value) =>
        !(value > 0) ? 0 : value >= uint.MaxValue ? -1 : (int)(uint)value;

    public static long I64TruncSatF64S(double value) =>
        double.IsNaN(value) ? 0 : value <= long.MinValue ? long.MinValue : value >= 9223372036854775808.0 ? long.MaxValue : (long)value;

    public static long I64TruncSatF64U(double value) =>
        !(value > 0) ? 0 : value >= 18446744073709551616.0 ? -1 : (long)(ulong)value;
}
