using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests;

/// <summary>Reads <c>(v128.const i8x16 1 2 ...)</c> of any shape; lanes of numbers may be patterns.</summary>
internal static class VectorLiteral
{
    private const int VectorBits = 128;

    public static Value Read(SExpression node)
    {
        string shape = node.Items![1].Atom!;
        string[] texts = [.. node.Items.Skip(2).Select(lane => lane.Atom!)];
        ValType type = shape switch
        {
            "f32x4" => ValType.F32,
            "f64x2" => ValType.F64,
            _ => ValType.I64,
        };
        Value[] lanes = [.. texts.Select(text => Value.ReadNumber(type, text))];
        int laneBits = VectorBits / lanes.Length;
        UInt128 bits = 0;
        for (int index = 0; index < lanes.Length; index++)
        {
            UInt128 mask = (UInt128.One << laneBits) - 1;
            bits |= (lanes[index].Bits & mask) << (index * laneBits);
        }

        return new Value(ValType.V128, (ulong)bits) { HighBits = (ulong)(bits >> 64), Lanes = type == ValType.I64 ? [] : lanes };
    }

    /// <summary>Whether each lane is what is wanted of it.</summary>
    public static bool Accepts(Value wanted, UInt128 bits)
    {
        int laneBits = VectorBits / wanted.Lanes.Length;
        for (int index = 0; index < wanted.Lanes.Length; index++)
        {
            Value lane = wanted.Lanes[index];
            var found = (ulong)(bits >> (index * laneBits));
            if (!lane.Accepts(lane.Type, lane.Type == ValType.F32 ? (uint)found : found))
            {
                return false;
            }
        }

        return true;
    }
}
