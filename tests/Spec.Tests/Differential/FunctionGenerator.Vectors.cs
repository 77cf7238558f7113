using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <content>Vectors: their operators, and their loads and stores.</content>
internal sealed partial class FunctionGenerator
{
    private const int ShuffleLanes = 32;

    // Instructions, the exponents of their natural alignment, and how many lanes there are where one is named.
    private static readonly (Opcode Opcode, int Alignment, int Lanes)[] VectorLoads =
    [
        (Opcode.V128Load, 4, 0), (Opcode.V128Load, 4, 0), (Opcode.V128Load, 4, 0),
        (Opcode.V128Load8x8S, 3, 0), (Opcode.V128Load8x8U, 3, 0), (Opcode.V128Load16x4S, 3, 0), (Opcode.V128Load16x4U, 3, 0), (Opcode.V128Load32x2S, 3, 0), (Opcode.V128Load32x2U, 3, 0),
        (Opcode.V128Load8Splat, 0, 0), (Opcode.V128Load16Splat, 1, 0), (Opcode.V128Load32Splat, 2, 0), (Opcode.V128Load64Splat, 3, 0),
        (Opcode.V128Load32Zero, 2, 0), (Opcode.V128Load64Zero, 3, 0),
        (Opcode.V128Load8Lane, 0, 16), (Opcode.V128Load16Lane, 1, 8), (Opcode.V128Load32Lane, 2, 4), (Opcode.V128Load64Lane, 3, 2),
    ];

    private static readonly (Opcode Opcode, int Alignment, int Lanes)[] VectorStores =
    [
        (Opcode.V128Store, 4, 0), (Opcode.V128Store, 4, 0), (Opcode.V128Store8Lane, 0, 16), (Opcode.V128Store16Lane, 1, 8), (Opcode.V128Store32Lane, 2, 4), (Opcode.V128Store64Lane, 3, 2),
    ];

    private Node LoadVector(int memory)
    {
        (Opcode opcode, int alignment, int lanes) = OneOf(VectorLoads);
        Node address = Address(memory, out long offset);
        byte[] immediates = [.. AccessImmediates(alignment, memory, offset), .. Lane(lanes)];
        List<Node> operands = lanes > 0 ? [address, Value(ValType.V128)] : [address];
        return new Node { Opcode = opcode, Results = [ValType.V128], Operands = operands, Immediates = immediates };
    }

    private Node StoreVector(int memory)
    {
        (Opcode opcode, int alignment, int lanes) = OneOf(VectorStores);
        Node address = Address(memory, out long offset);
        return Node.Statement(opcode, [.. AccessImmediates(alignment, memory, offset), .. Lane(lanes)], address, Value(ValType.V128));
    }

    private byte[] Lane(int lanes) => lanes == 0 ? [] : [(byte)_random.Next(lanes)];

    private byte[] ImmediatesOf(Operator chosen)
    {
        if (chosen.Opcode != Opcode.I8x16Shuffle)
        {
            return Lane(chosen.Lanes);
        }

        var lanes = new byte[16];
        for (int index = 0; index < lanes.Length; index++)
        {
            lanes[index] = (byte)_random.Next(ShuffleLanes);
        }

        return lanes;
    }

    /// <summary>A vector of numbers with the canonical NaN in place of those that an operator has made; other vectors as they are.</summary>
    private Node CanonicalLanes(Node vector)
    {
        if (!MakesNans(vector.Opcode!.Value))
        {
            return vector;
        }

        bool isSingle = vector.Opcode.ToString()!.StartsWith("F32x4", StringComparison.Ordinal);
        Node nan = isSingle
            ? Node.Of(Opcode.F32x4Splat, ValType.V128, EdgeValues.F32(CanonicalNan32))
            : Node.Of(Opcode.F64x2Splat, ValType.V128, EdgeValues.F64((ulong)CanonicalNan64));
        return Node.Of(
            Opcode.V128Bitselect,
            ValType.V128,
            new Node { Opcode = Opcode.LocalTee, Results = [ValType.V128], Operands = [vector], Immediates = Index(VectorScratch) },
            nan,
            Node.Of(isSingle ? Opcode.F32x4Eq : Opcode.F64x2Eq, ValType.V128, LocalGet(VectorScratch), LocalGet(VectorScratch)));
    }

    private static bool MakesNans(Opcode opcode) => opcode switch
    {
        Opcode.F32x4DemoteF64x2Zero or Opcode.F64x2PromoteLowF32x4 => true,
        Opcode.F32x4Ceil or Opcode.F32x4Floor or Opcode.F32x4Trunc or Opcode.F32x4Nearest or Opcode.F64x2Ceil or Opcode.F64x2Floor or Opcode.F64x2Trunc or Opcode.F64x2Nearest => true,
        (>= Opcode.F32x4Sqrt and <= Opcode.F32x4Max) or (>= Opcode.F64x2Sqrt and <= Opcode.F64x2Max) => true,
        _ => false,
    };
}
