using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Everheap.Vm.Execution.Vectors;

/// <summary>
/// The relaxed vector operators (core specification, section 4.3.6), which leave some answers to the implementation. Here they are the same on every processor, as a program may be
/// taken from one to another in its midst: those that x86 gives, as far as it gives one in an instruction or two; otherwise those of the operator that is not relaxed.
/// </summary>
internal static class VectorRelaxed
{
    // Lanes from 128 on are zero, others are taken modulo 16.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> I8x16RelaxedSwizzle(Vector128<byte> value, Vector128<byte> lanes) =>
        Ssse3.IsSupported ? Ssse3.Shuffle(value, lanes) : Vector128.Shuffle(value, lanes & Vector128.Create((byte)0x8F));

    // Rounded once.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> F32x4RelaxedMadd(Vector128<float> left, Vector128<float> right, Vector128<float> addend) =>
        Vector128.FusedMultiplyAdd(left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> F32x4RelaxedNmadd(Vector128<float> left, Vector128<float> right, Vector128<float> addend) =>
        Vector128.FusedMultiplyAdd(-left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<double> F64x2RelaxedMadd(Vector128<double> left, Vector128<double> right, Vector128<double> addend) =>
        Vector128.FusedMultiplyAdd(left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<double> F64x2RelaxedNmadd(Vector128<double> left, Vector128<double> right, Vector128<double> addend) =>
        Vector128.FusedMultiplyAdd(-left, right, addend);

    // The second operand where they are equal, as zeros of both signs are, or where one is a NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> F32x4RelaxedMin(Vector128<float> left, Vector128<float> right) =>
        Sse.IsSupported ? Sse.Min(left, right) : Vector128.ConditionalSelect(Vector128.LessThan(left, right), left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> F32x4RelaxedMax(Vector128<float> left, Vector128<float> right) =>
        Sse.IsSupported ? Sse.Max(left, right) : Vector128.ConditionalSelect(Vector128.LessThan(right, left), left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<double> F64x2RelaxedMin(Vector128<double> left, Vector128<double> right) =>
        Sse2.IsSupported ? Sse2.Min(left, right) : Vector128.ConditionalSelect(Vector128.LessThan(left, right), left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<double> F64x2RelaxedMax(Vector128<double> left, Vector128<double> right) =>
        Sse2.IsSupported ? Sse2.Max(left, right) : Vector128.ConditionalSelect(Vector128.LessThan(right, left), left, right);

    // The second operand's bytes are unsigned, and each sum of two products is saturated: what they should be, below 128, matters to neither.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<short> I16x8RelaxedDotI8x16I7x16S(Vector128<sbyte> left, Vector128<byte> right)
    {
        if (Ssse3.IsSupported)
        {
            return Ssse3.MultiplyAddAdjacent(right, left);
        }

        Vector128<short> signed = left.AsInt16();
        Vector128<short> unsigned = right.AsInt16();
        return Vector128.AddSaturate(((signed << 8) >> 8) * (unsigned & Vector128.Create((short)0xFF)), (signed >> 8) * (unsigned >>> 8));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> I32x4RelaxedDotI8x16I7x16AddS(Vector128<sbyte> left, Vector128<byte> right, Vector128<int> addend) =>
        VectorWidths.I32x4ExtaddPairwiseI16x8S(I16x8RelaxedDotI8x16I7x16S(left, right)) + addend;
}
