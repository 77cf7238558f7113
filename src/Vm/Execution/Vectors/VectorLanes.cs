using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Everheap.Vm.Execution.Vectors;

/// <summary>Vector operators that move lanes, and the vectors that loads of less than 16 bytes make.</summary>
internal static class VectorLanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> I8x16Swizzle(Vector128<byte> value, Vector128<byte> lanes) => Ssse3.IsSupported
        ? Ssse3.Shuffle(value, Sse2.AddSaturate(lanes, Vector128.Create((byte)0x70)))
        : Vector128.Shuffle(value, lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<short> V128Load8x8S(long bits) => Vector128.WidenLower(Vector128.CreateScalarUnsafe(bits).AsSByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ushort> V128Load8x8U(long bits) => Vector128.WidenLower(Vector128.CreateScalarUnsafe(bits).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> V128Load16x4S(long bits) => Vector128.WidenLower(Vector128.CreateScalarUnsafe(bits).AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> V128Load16x4U(long bits) => Vector128.WidenLower(Vector128.CreateScalarUnsafe(bits).AsUInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<long> V128Load32x2S(long bits) => Vector128.WidenLower(Vector128.CreateScalarUnsafe(bits).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ulong> V128Load32x2U(long bits) => Vector128.WidenLower(Vector128.CreateScalarUnsafe(bits).AsUInt32());
}
