using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Everheap.Vm.Execution.Vectors;

/// <summary>What <c>i8x16.shuffle</c> with lanes of both operands is: the patterns that processors have an instruction for, and what does for any.</summary>
internal static class VectorShuffles
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> InterleaveLow8(Vector128<byte> left, Vector128<byte> right)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.UnpackLow(left, right);
        }

        return AdvSimd.Arm64.IsSupported
            ? AdvSimd.Arm64.ZipLow(left, right)
            : (Vector128.WidenLower(left) | (Vector128.WidenLower(right) << 8)).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> InterleaveHigh8(Vector128<byte> left, Vector128<byte> right)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.UnpackHigh(left, right);
        }

        return AdvSimd.Arm64.IsSupported
            ? AdvSimd.Arm64.ZipHigh(left, right)
            : (Vector128.WidenUpper(left) | (Vector128.WidenUpper(right) << 8)).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ushort> InterleaveLow16(Vector128<ushort> left, Vector128<ushort> right)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.UnpackLow(left, right);
        }

        return AdvSimd.Arm64.IsSupported
            ? AdvSimd.Arm64.ZipLow(left, right)
            : (Vector128.WidenLower(left) | (Vector128.WidenLower(right) << 16)).AsUInt16();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ushort> InterleaveHigh16(Vector128<ushort> left, Vector128<ushort> right)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.UnpackHigh(left, right);
        }

        return AdvSimd.Arm64.IsSupported
            ? AdvSimd.Arm64.ZipHigh(left, right)
            : (Vector128.WidenUpper(left) | (Vector128.WidenUpper(right) << 16)).AsUInt16();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> InterleaveLow32(Vector128<uint> left, Vector128<uint> right)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.UnpackLow(left, right);
        }

        return AdvSimd.Arm64.IsSupported
            ? AdvSimd.Arm64.ZipLow(left, right)
            : (Vector128.WidenLower(left) | (Vector128.WidenLower(right) << 32)).AsUInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> InterleaveHigh32(Vector128<uint> left, Vector128<uint> right)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.UnpackHigh(left, right);
        }

        return AdvSimd.Arm64.IsSupported
            ? AdvSimd.Arm64.ZipHigh(left, right)
            : (Vector128.WidenUpper(left) | (Vector128.WidenUpper(right) << 32)).AsUInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ulong> InterleaveLow64(Vector128<ulong> left, Vector128<ulong> right) =>
        Sse2.IsSupported ? Sse2.UnpackLow(left, right) : Vector128.Create(left.GetLower(), right.GetLower());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ulong> InterleaveHigh64(Vector128<ulong> left, Vector128<ulong> right) =>
        Sse2.IsSupported ? Sse2.UnpackHigh(left, right) : Vector128.Create(left.GetUpper(), right.GetUpper());

    /// <summary>Sixteen lanes in a row of both operands, one behind the other.</summary>
    /// <param name="left">The first operand.</param>
    /// <param name="right">The second.</param>
    /// <param name="start">The first lane.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Concatenate(Vector128<byte> left, Vector128<byte> right, [ConstantExpected(Max = (byte)15)] byte start)
    {
        if (Ssse3.IsSupported)
        {
            return Ssse3.AlignRight(right, left, start);
        }

        if (AdvSimd.IsSupported)
        {
            return AdvSimd.ExtractVector128(left, right, start);
        }

        // Indices out of range take nothing.
        Vector128<byte> lanes = Vector128<byte>.Indices + Vector128.Create(start);
        return Vector128.Shuffle(left, lanes) | Vector128.Shuffle(right, lanes - Vector128.Create((byte)16));
    }

    /// <summary>Any lanes of both. The masks are constants.</summary>
    /// <param name="left">The first operand.</param>
    /// <param name="right">The second.</param>
    /// <param name="lanes">The lanes, as in the instruction.</param>
    /// <param name="leftLanes">The lanes of the first operand, with an index that takes nothing where the other's lane is wanted.</param>
    /// <param name="rightLanes">The lanes of the second.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Any(Vector128<byte> left, Vector128<byte> right, Vector128<byte> lanes, Vector128<byte> leftLanes, Vector128<byte> rightLanes)
    {
        if (Avx512Vbmi.VL.IsSupported)
        {
            return Avx512Vbmi.VL.PermuteVar16x8x2(left, lanes, right);
        }

        return AdvSimd.Arm64.IsSupported
            ? AdvSimd.Arm64.VectorTableLookup((left, right), lanes)
            : Vector128.Shuffle(left, leftLanes) | Vector128.Shuffle(right, rightLanes);
    }
}
