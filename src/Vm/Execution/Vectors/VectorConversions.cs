using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Everheap.Vm.Execution.Vectors;

/// <summary>Vector operators between integers and floating-point numbers for which <see cref="Vector128"/> has no method with WebAssembly's meaning.</summary>
internal static class VectorConversions
{
    // In a double of this exponent the last bit counts one: added to a whole number below 2^32, its low half is that number.
    private const double WholeUnit = 4503599627370496;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<double> F64x2ConvertLowI32x4S(Vector128<int> value) =>
        Sse2.IsSupported ? Sse2.ConvertToVector128Double(value) : Vector128.ConvertToDouble(Vector128.WidenLower(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<double> F64x2ConvertLowI32x4U(Vector128<uint> value)
    {
        Vector128<double> unit = Vector128.Create(WholeUnit);
        return Avx512F.VL.IsSupported
            ? Avx512F.VL.ConvertToVector128Double(value)
            : (Vector128.WidenLower(value) | unit.AsUInt64()).AsDouble() - unit;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> F32x4DemoteF64x2Zero(Vector128<double> value) =>
        Sse2.IsSupported ? Sse2.ConvertToVector128Single(value) : Vector128.Narrow(value, Vector128<double>.Zero);

    // What is too small for x86 becomes the smallest number, which is what is wanted; NaNs become zero first.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> I32x4TruncSatF64x2SZero(Vector128<double> value) => Sse2.IsSupported
        ? Sse2.ConvertToVector128Int32WithTruncation(Sse2.Min(value & Vector128.Equals(value, value), Vector128.Create((double)int.MaxValue)))
        : Vector128.NarrowWithSaturation(Vector128.ConvertToInt64(value), Vector128<long>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> I32x4TruncSatF64x2UZero(Vector128<double> value)
    {
        if (!Sse41.IsSupported)
        {
            return Vector128.NarrowWithSaturation(Vector128.ConvertToUInt64(value), Vector128<ulong>.Zero);
        }

        // x86's maximum answers with its second operand where the first is a NaN.
        Vector128<double> clamped = Sse2.Min(Sse2.Max(value, Vector128<double>.Zero), Vector128.Create((double)uint.MaxValue));
        if (Avx512F.VL.IsSupported)
        {
            return Avx512F.VL.ConvertToVector128UInt32WithTruncation(clamped);
        }

        Vector128<float> whole = (Vector128.Truncate(clamped) + Vector128.Create(WholeUnit)).AsSingle();
        return Sse.Shuffle(whole, Vector128<float>.Zero, 0b_00_00_10_00).AsUInt32();
    }
}
