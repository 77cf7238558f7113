using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Everheap.Vm.Execution.Vectors;

/// <summary>Vector operators between integer lanes of different widths: narrowing, products and sums of twice the width, dot products.</summary>
internal static class VectorWidths
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> I8x16NarrowI16x8S(Vector128<short> low, Vector128<short> high) =>
        Sse2.IsSupported ? Sse2.PackSignedSaturate(low, high) : Vector128.NarrowWithSaturation(low, high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> I8x16NarrowI16x8U(Vector128<short> low, Vector128<short> high)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.PackUnsignedSaturate(low, high);
        }

        return AdvSimd.IsSupported
            ? AdvSimd.ExtractNarrowingSaturateUnsignedUpper(AdvSimd.ExtractNarrowingSaturateUnsignedLower(low), high)
            : Vector128.NarrowWithSaturation(Vector128.Max(low, Vector128<short>.Zero).AsUInt16(), Vector128.Max(high, Vector128<short>.Zero).AsUInt16());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<short> I16x8NarrowI32x4S(Vector128<int> low, Vector128<int> high) =>
        Sse2.IsSupported ? Sse2.PackSignedSaturate(low, high) : Vector128.NarrowWithSaturation(low, high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ushort> I16x8NarrowI32x4U(Vector128<int> low, Vector128<int> high)
    {
        if (Sse41.IsSupported)
        {
            return Sse41.PackUnsignedSaturate(low, high);
        }

        return AdvSimd.IsSupported
            ? AdvSimd.ExtractNarrowingSaturateUnsignedUpper(AdvSimd.ExtractNarrowingSaturateUnsignedLower(low), high)
            : Vector128.NarrowWithSaturation(Vector128.Max(low, Vector128<int>.Zero).AsUInt32(), Vector128.Max(high, Vector128<int>.Zero).AsUInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<short> I16x8ExtmulLowI8x16S(Vector128<sbyte> left, Vector128<sbyte> right) =>
        Vector128.WidenLower(left) * Vector128.WidenLower(right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<short> I16x8ExtmulHighI8x16S(Vector128<sbyte> left, Vector128<sbyte> right) =>
        Vector128.WidenUpper(left) * Vector128.WidenUpper(right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ushort> I16x8ExtmulLowI8x16U(Vector128<byte> left, Vector128<byte> right) =>
        Vector128.WidenLower(left) * Vector128.WidenLower(right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ushort> I16x8ExtmulHighI8x16U(Vector128<byte> left, Vector128<byte> right) =>
        Vector128.WidenUpper(left) * Vector128.WidenUpper(right);

    // Both halves of the products, interleaved: two multiplications and no widening.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> I32x4ExtmulLowI16x8S(Vector128<short> left, Vector128<short> right) => Sse2.IsSupported
        ? Sse2.UnpackLow(left * right, Sse2.MultiplyHigh(left, right)).AsInt32()
        : Vector128.WidenLower(left) * Vector128.WidenLower(right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> I32x4ExtmulHighI16x8S(Vector128<short> left, Vector128<short> right) => Sse2.IsSupported
        ? Sse2.UnpackHigh(left * right, Sse2.MultiplyHigh(left, right)).AsInt32()
        : Vector128.WidenUpper(left) * Vector128.WidenUpper(right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> I32x4ExtmulLowI16x8U(Vector128<ushort> left, Vector128<ushort> right) => Sse2.IsSupported
        ? Sse2.UnpackLow(left * right, Sse2.MultiplyHigh(left, right)).AsUInt32()
        : Vector128.WidenLower(left) * Vector128.WidenLower(right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> I32x4ExtmulHighI16x8U(Vector128<ushort> left, Vector128<ushort> right) => Sse2.IsSupported
        ? Sse2.UnpackHigh(left * right, Sse2.MultiplyHigh(left, right)).AsUInt32()
        : Vector128.WidenUpper(left) * Vector128.WidenUpper(right);

    // The processor multiplies the even lanes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<long> I64x2ExtmulLowI32x4S(Vector128<int> left, Vector128<int> right) => Sse41.IsSupported
        ? Sse41.Multiply(Sse2.UnpackLow(left, left), Sse2.UnpackLow(right, right))
        : Vector128.WidenLower(left) * Vector128.WidenLower(right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<long> I64x2ExtmulHighI32x4S(Vector128<int> left, Vector128<int> right) => Sse41.IsSupported
        ? Sse41.Multiply(Sse2.UnpackHigh(left, left), Sse2.UnpackHigh(right, right))
        : Vector128.WidenUpper(left) * Vector128.WidenUpper(right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ulong> I64x2ExtmulLowI32x4U(Vector128<uint> left, Vector128<uint> right) => Sse2.IsSupported
        ? Sse2.Multiply(Sse2.UnpackLow(left, left), Sse2.UnpackLow(right, right))
        : Vector128.WidenLower(left) * Vector128.WidenLower(right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ulong> I64x2ExtmulHighI32x4U(Vector128<uint> left, Vector128<uint> right) => Sse2.IsSupported
        ? Sse2.Multiply(Sse2.UnpackHigh(left, left), Sse2.UnpackHigh(right, right))
        : Vector128.WidenUpper(left) * Vector128.WidenUpper(right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<short> I16x8ExtaddPairwiseI8x16S(Vector128<sbyte> value)
    {
        if (Ssse3.IsSupported)
        {
            return Ssse3.MultiplyAddAdjacent(Vector128<byte>.One, value);
        }

        return AdvSimd.IsSupported
            ? AdvSimd.AddPairwiseWidening(value)
            : ((value.AsInt16() << 8) >> 8) + (value.AsInt16() >> 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<short> I16x8ExtaddPairwiseI8x16U(Vector128<byte> value)
    {
        if (Ssse3.IsSupported)
        {
            return Ssse3.MultiplyAddAdjacent(value, Vector128<sbyte>.One);
        }

        return AdvSimd.IsSupported
            ? AdvSimd.AddPairwiseWidening(value).AsInt16()
            : (value.AsInt16() & Vector128.Create((short)0xFF)) + (value.AsInt16() >>> 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> I32x4ExtaddPairwiseI16x8S(Vector128<short> value)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.MultiplyAddAdjacent(value, Vector128<short>.One);
        }

        return AdvSimd.IsSupported
            ? AdvSimd.AddPairwiseWidening(value)
            : ((value.AsInt32() << 16) >> 16) + (value.AsInt32() >> 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> I32x4ExtaddPairwiseI16x8U(Vector128<ushort> value) => AdvSimd.IsSupported
        ? AdvSimd.AddPairwiseWidening(value)
        : (value.AsUInt32() & Vector128.Create(0xFFFFu)) + (value.AsUInt32() >>> 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> I32x4DotI16x8S(Vector128<short> left, Vector128<short> right)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.MultiplyAddAdjacent(left, right);
        }

        if (AdvSimd.Arm64.IsSupported)
        {
            return AdvSimd.Arm64.AddPairwise(
                AdvSimd.MultiplyWideningLower(left.GetLower(), right.GetLower()), AdvSimd.MultiplyWideningUpper(left, right));
        }

        Vector128<int> even = ((left.AsInt32() << 16) >> 16) * ((right.AsInt32() << 16) >> 16);
        Vector128<int> odd = (left.AsInt32() >> 16) * (right.AsInt32() >> 16);
        return even + odd;
    }
}
