using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Everheap.Vm.Execution.Vectors;

/// <summary>
/// Vector operators on floating-point numbers for which <see cref="Vector128"/> has no method with WebAssembly's meaning (core specification, section 4.3.3).
/// </summary>
internal static class VectorFloats
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> F32x4Ne(Vector128<float> left, Vector128<float> right) => ~Vector128.Equals(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<double> F64x2Ne(Vector128<double> left, Vector128<double> right) => ~Vector128.Equals(left, right);

    // On the sign bit alone: a NaN keeps its bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> F32x4Abs(Vector128<uint> value) => value & Vector128.Create(0x7FFFFFFFu);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> F32x4Neg(Vector128<uint> value) => value ^ Vector128.Create(0x80000000u);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ulong> F64x2Abs(Vector128<ulong> value) => value & Vector128.Create(0x7FFFFFFFFFFFFFFFul);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ulong> F64x2Neg(Vector128<ulong> value) => value ^ Vector128.Create(0x8000000000000000ul);

    // x86 answers with its second operand where the numbers are equal, as zeros of both signs are, or one is none: asking both ways round and joining the bits gives the zero that
    // is wanted. Where there is a NaN, the sum is one, and quiet.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> F32x4Min(Vector128<float> left, Vector128<float> right)
    {
        if (AdvSimd.IsSupported)
        {
            return AdvSimd.Min(left, right);
        }

        Vector128<float> least = Sse.IsSupported ? Sse.Min(left, right) | Sse.Min(right, left) : Vector128.Min(left, right);
        return Vector128.ConditionalSelect(Numbers(left, right), least, left + right);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> F32x4Max(Vector128<float> left, Vector128<float> right)
    {
        if (AdvSimd.IsSupported)
        {
            return AdvSimd.Max(left, right);
        }

        Vector128<float> greatest = Sse.IsSupported ? Sse.Max(left, right) & Sse.Max(right, left) : Vector128.Max(left, right);
        return Vector128.ConditionalSelect(Numbers(left, right), greatest, left + right);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<double> F64x2Min(Vector128<double> left, Vector128<double> right)
    {
        if (AdvSimd.Arm64.IsSupported)
        {
            return AdvSimd.Arm64.Min(left, right);
        }

        Vector128<double> least = Sse2.IsSupported ? Sse2.Min(left, right) | Sse2.Min(right, left) : Vector128.Min(left, right);
        return Vector128.ConditionalSelect(Numbers(left, right), least, left + right);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<double> F64x2Max(Vector128<double> left, Vector128<double> right)
    {
        if (AdvSimd.Arm64.IsSupported)
        {
            return AdvSimd.Arm64.Max(left, right);
        }

        Vector128<double> greatest = Sse2.IsSupported ? Sse2.Max(left, right) & Sse2.Max(right, left) : Vector128.Max(left, right);
        return Vector128.ConditionalSelect(Numbers(left, right), greatest, left + right);
    }

    // "right < left ? right : left", which is x86's own minimum with the operands the other way round.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> F32x4Pmin(Vector128<float> left, Vector128<float> right) =>
        Sse.IsSupported ? Sse.Min(right, left) : Vector128.ConditionalSelect(Vector128.LessThan(right, left), right, left);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> F32x4Pmax(Vector128<float> left, Vector128<float> right) =>
        Sse.IsSupported ? Sse.Max(right, left) : Vector128.ConditionalSelect(Vector128.LessThan(left, right), right, left);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<double> F64x2Pmin(Vector128<double> left, Vector128<double> right) =>
        Sse2.IsSupported ? Sse2.Min(right, left) : Vector128.ConditionalSelect(Vector128.LessThan(right, left), right, left);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<double> F64x2Pmax(Vector128<double> left, Vector128<double> right) =>
        Sse2.IsSupported ? Sse2.Max(right, left) : Vector128.ConditionalSelect(Vector128.LessThan(left, right), right, left);

    // All ones where neither is a NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Numbers(Vector128<float> left, Vector128<float> right) =>
        Sse.IsSupported ? Sse.CompareOrdered(left, right) : Vector128.Equals(left, left) & Vector128.Equals(right, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<double> Numbers(Vector128<double> left, Vector128<double> right) =>
        Sse2.IsSupported ? Sse2.CompareOrdered(left, right) : Vector128.Equals(left, left) & Vector128.Equals(right, right);
}
