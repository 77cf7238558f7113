using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Everheap.Vm.Execution.Vectors;

/// <summary>
/// Vector operators on integers for which <see cref="Vector128"/> has no method with WebAssembly's meaning (core specification, section 4.3.2). As in all classes here, a method has the
/// name of its <see cref="Modules.Opcode"/>; the answers are the same on every processor, and the branches on what the processor supports are constants to the JIT.
/// </summary>
internal static class VectorIntegers
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool V128AnyTrue(Vector128<byte> value) => value != Vector128<byte>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool I8x16AllTrue(Vector128<byte> value) => !Vector128.EqualsAny(value, Vector128<byte>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool I16x8AllTrue(Vector128<short> value) => !Vector128.EqualsAny(value, Vector128<short>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool I32x4AllTrue(Vector128<int> value) => !Vector128.EqualsAny(value, Vector128<int>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool I64x2AllTrue(Vector128<long> value) => !Vector128.EqualsAny(value, Vector128<long>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> V128Bitselect(Vector128<byte> whereOne, Vector128<byte> whereZero, Vector128<byte> mask) =>
        Vector128.ConditionalSelect(mask, whereOne, whereZero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> I8x16Ne(Vector128<byte> left, Vector128<byte> right) => ~Vector128.Equals(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<short> I16x8Ne(Vector128<short> left, Vector128<short> right) => ~Vector128.Equals(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> I32x4Ne(Vector128<int> left, Vector128<int> right) => ~Vector128.Equals(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<long> I64x2Ne(Vector128<long> left, Vector128<long> right) => ~Vector128.Equals(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> I8x16Popcnt(Vector128<byte> value)
    {
        if (AdvSimd.IsSupported)
        {
            return AdvSimd.PopCount(value);
        }

        // By halves: the counts of the numbers below 16.
        Vector128<byte> counts = Vector128.Create((byte)0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
        Vector128<byte> low = value & Vector128.Create((byte)0x0F);
        return Vector128.ShuffleNative(counts, low) + Vector128.ShuffleNative(counts, value >>> 4);
    }

    // Half the sum, rounded up: the sum need not fit a lane.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> I8x16AvgrU(Vector128<byte> left, Vector128<byte> right)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.Average(left, right);
        }

        return AdvSimd.IsSupported ? AdvSimd.FusedAddRoundedHalving(left, right) : (left | right) - ((left ^ right) >>> 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ushort> I16x8AvgrU(Vector128<ushort> left, Vector128<ushort> right)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.Average(left, right);
        }

        return AdvSimd.IsSupported ? AdvSimd.FusedAddRoundedHalving(left, right) : (left | right) - ((left ^ right) >>> 1);
    }

    // (left * right + 0x4000) >> 15, saturated. The only product that is too large is that of the two smallest numbers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<short> I16x8Q15mulrSatS(Vector128<short> left, Vector128<short> right)
    {
        if (AdvSimd.IsSupported)
        {
            return AdvSimd.MultiplyRoundedDoublingSaturateHigh(left, right);
        }

        if (Ssse3.IsSupported)
        {
            Vector128<short> rounded = Ssse3.MultiplyHighRoundScale(left, right);
            return rounded ^ Vector128.Equals(rounded, Vector128.Create(short.MinValue));
        }

        Vector128<int> half = Vector128.Create(0x4000);
        Vector128<int> low = ((Vector128.WidenLower(left) * Vector128.WidenLower(right)) + half) >> 15;
        Vector128<int> high = ((Vector128.WidenUpper(left) * Vector128.WidenUpper(right)) + half) >> 15;
        return Vector128.NarrowWithSaturation(low, high);
    }
}
