using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <summary>Constants at which instructions tend to go wrong.</summary>
internal static class EdgeValues
{
    private const int VectorBytes = 16;

    private static readonly int[] Words =
    [
        0, 1, -1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 127, 128, 255, 256, -128, -129, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0xFFF, 0x1000,
        int.MaxValue, int.MinValue, int.MaxValue - 1, int.MinValue + 1, 0x55555555, unchecked((int)0xAAAAAAAA),
    ];

    private static readonly long[] Wides =
    [
        0, 1, -1, 2, 5, 31, 32, 63, 64, 65, 127, -128, 255, 0xFFFF, int.MaxValue, int.MinValue, uint.MaxValue, 1L << 32, 1L << 52, (1L << 53) + 1, 1L << 62,
        long.MaxValue, long.MinValue, long.MaxValue - 1, long.MinValue + 1, 0x5555555555555555, 0x0123456789ABCDEF,
    ];

    // NaNs, one of them signalling, go through moves, loads and stores as they are.
    private static readonly uint[] Singles =
    [
        .. new[]
        {
            0f, -0f, 1f, -1f, 0.5f, -0.5f, 1.5f, 2.5f, -2.5f, 0.1f, 3e38f, -3e38f, float.Epsilon, -float.Epsilon, 1.17549435e-38f, float.MaxValue, float.MinValue,
            float.PositiveInfinity, float.NegativeInfinity, 2147483648f, 2147483520f, -2147483648f, -2147483904f, 4294967296f, 4294967040f, 9223372036854775808f, 18446744073709551616f,
            8388607.5f, 8388609f, 16777217f,
        }.Select(BitConverter.SingleToUInt32Bits),
        0x7FC00000, 0xFFC00000, 0x7FA00000, 0x7FFFFFFF,
    ];

    private static readonly ulong[] Doubles =
    [
        .. new[]
        {
            0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -3.5, 0.1, 1e308, -1e308, double.Epsilon, -double.Epsilon, 2.2250738585072014e-308, double.MaxValue, double.MinValue,
            double.PositiveInfinity, double.NegativeInfinity, 2147483647.0, 2147483648.0, -2147483648.0, -2147483649.0, 4294967295.0, 4294967296.0, 9223372036854774784.0, 9223372036854775808.0,
            -9223372036854775808.0, 18446744073709549568.0, 18446744073709551616.0, 4503599627370495.5, 4503599627370497.5, 3.4028235677973366e38, 1e-46,
        }.Select(BitConverter.DoubleToUInt64Bits),
        0x7FF8000000000000, 0xFFF8000000000000, 0x7FF4000000000000, 0x7FFFFFFFFFFFFFFF,
    ];

    /// <summary>A constant of a type: mostly one at an edge, sometimes any.</summary>
    public static Node Constant(ValType type, Random random)
    {
        bool isAny = random.Next(4) == 0;
        switch (type)
        {
            case ValType.I32:
                return I32(isAny ? random.Next(-1000, 1000) : Words[random.Next(Words.Length)]);
            case ValType.I64:
                return I64(isAny ? random.NextInt64(long.MinValue, long.MaxValue) : Wides[random.Next(Wides.Length)]);
            case ValType.F32:
                return F32(isAny ? BitConverter.SingleToUInt32Bits((float)((random.NextDouble() - 0.5) * 1e4)) : Singles[random.Next(Singles.Length)]);
            case ValType.F64:
                return F64(isAny ? BitConverter.DoubleToUInt64Bits((random.NextDouble() - 0.5) * 1e8) : Doubles[random.Next(Doubles.Length)]);
            case ValType.V128:
                return Vector(random);
            default:
                return Default(type);
        }
    }

    /// <summary>Zero or null.</summary>
    public static Node Default(ValType type) => type switch
    {
        ValType.I32 => I32(0),
        ValType.I64 => I64(0),
        ValType.F32 => F32(0),
        ValType.F64 => F64(0),
        ValType.V128 => new Node { Opcode = Opcode.V128Const, Results = [type], Immediates = new byte[VectorBytes] },
        _ => new Node
        {
            Opcode = Opcode.RefNull,
            Results = [type],
            Immediates = BinaryWriter.BytesOf(writer => (type.IsConcrete ? writer.Signed(type.TypeIndex) : writer.Byte((int)type)).ToArray()),
        },
    };

    private static Node Vector(Random random)
    {
        var writer = new BinaryWriter();
        switch (random.Next(5))
        {
            case 0:
                for (int lane = 0; lane < VectorBytes; lane++)
                {
                    writer.Byte(Words[random.Next(Words.Length)]);
                }

                break;
            case 1:
                for (int lane = 0; lane < VectorBytes / sizeof(uint); lane++)
                {
                    writer.Fixed32(Singles[random.Next(Singles.Length)]);
                }

                break;
            case 2:
                for (int lane = 0; lane < VectorBytes / sizeof(ulong); lane++)
                {
                    writer.Fixed64(Doubles[random.Next(Doubles.Length)]);
                }

                break;
            case 3:
                for (int lane = 0; lane < VectorBytes / sizeof(uint); lane++)
                {
                    writer.Fixed32((uint)Words[random.Next(Words.Length)]);
                }

                break;
            default:
                for (int lane = 0; lane < VectorBytes / sizeof(ulong); lane++)
                {
                    writer.Fixed64((ulong)Wides[random.Next(Wides.Length)]);
                }

                break;
        }

        return new Node { Opcode = Opcode.V128Const, Results = [ValType.V128], Immediates = writer.ToArray() };
    }

    public static Node I32(int value) => new() { Opcode = Opcode.I32Const, Results = [ValType.I32], Immediates = BinaryWriter.BytesOf(writer => writer.Signed(value)) };

    public static Node I64(long value) => new() { Opcode = Opcode.I64Const, Results = [ValType.I64], Immediates = BinaryWriter.BytesOf(writer => writer.Signed(value)) };

    public static Node F32(uint bits) => new() { Opcode = Opcode.F32Const, Results = [ValType.F32], Immediates = BinaryWriter.BytesOf(writer => writer.Fixed32(bits)) };

    public static Node F64(ulong bits) => new() { Opcode = Opcode.F64Const, Results = [ValType.F64], Immediates = BinaryWriter.BytesOf(writer => writer.Fixed64(bits)) };
}
