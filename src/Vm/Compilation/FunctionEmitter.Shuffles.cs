using System.Buffers.Binary;
using System.Reflection;
using System.Runtime.Intrinsics;
using Everheap.Vm.Execution.Vectors;

namespace Everheap.Vm.Compilation;

/// <content><c>i8x16.shuffle</c>: its lanes are known, so that most are one instruction.</content>
internal sealed partial class FunctionEmitter
{
    private const int Lanes = 16;

    /// <summary>An index that takes no lane, and leaves zero.</summary>
    private const byte NoLane = 0xFF;

    private static readonly VectorOperator ShuffleBytes = new(OverloadOf(nameof(Vector128.Shuffle), typeof(byte)), takesLane: false);
    private static readonly VectorOperator ShuffleWords = new(OverloadOf(nameof(Vector128.Shuffle), typeof(int)), takesLane: false);
    private static readonly VectorOperator Blend = new(ShuffleOf(nameof(VectorIntegers.V128Bitselect), typeof(VectorIntegers)), takesLane: false);
    private static readonly VectorOperator Concatenation = new(ShuffleOf(nameof(VectorShuffles.Concatenate)), takesLane: false);
    private static readonly VectorOperator AnyShuffle = new(ShuffleOf(nameof(VectorShuffles.Any)), takesLane: false);

    // By the binary logarithm of a lane's bytes, the low half's first.
    private static readonly VectorOperator[] Interleavings =
    [
        .. new[]
        {
            nameof(VectorShuffles.InterleaveLow8), nameof(VectorShuffles.InterleaveHigh8), nameof(VectorShuffles.InterleaveLow16), nameof(VectorShuffles.InterleaveHigh16),
            nameof(VectorShuffles.InterleaveLow32), nameof(VectorShuffles.InterleaveHigh32), nameof(VectorShuffles.InterleaveLow64), nameof(VectorShuffles.InterleaveHigh64),
        }.Select(name => new VectorOperator(ShuffleOf(name), takesLane: false)),
    ];

    private static MethodInfo OverloadOf(string name, Type lane)
    {
        Type vector = typeof(Vector128<>).MakeGenericType(lane);
        return typeof(Vector128).GetMethod(name, [vector, vector])!;
    }

    private static MethodInfo ShuffleOf(string name, Type? type = null) => (type ?? typeof(VectorShuffles)).GetMethod(name)!;

    private void EmitShuffle(Node node)
    {
        var lanes = new byte[Lanes];
        BinaryPrimitives.WriteInt64LittleEndian(lanes, node.Bits);
        BinaryPrimitives.WriteInt64LittleEndian(lanes.AsSpan(Lanes / 2), node.HighBits);
        byte[] left = [.. lanes.Select(lane => lane < Lanes ? lane : NoLane)];
        byte[] right = [.. lanes.Select(lane => lane >= Lanes ? (byte)(lane - Lanes) : NoLane)];
        if (IsZero(node.Second!) || right.All(lane => lane == NoLane))
        {
            EmitShuffleOfOne(node.First!, left);
        }
        else if (IsZero(node.First!) || left.All(lane => lane == NoLane))
        {
            EmitShuffleOfOne(node.Second!, right);
        }
        else if (!TryEmitPattern(node.First!, node.Second!, lanes) && !TryEmitPattern(node.Second!, node.First!, [.. lanes.Select(lane => (byte)(lane ^ Lanes))]))
        {
            EmitNode(node.First!);
            EmitNode(node.Second!);
            EmitLanes(lanes);
            EmitLanes(left);
            EmitLanes(right);
            AnyShuffle.Emit(_il);
        }
    }

    private static bool IsZero(Node node) => node is { Kind: NodeKind.Constant, Bits: 0, HighBits: 0 };

    private void EmitShuffleOfOne(Node source, byte[] lanes)
    {
        if (lanes.Index().All(lane => lane.Item == lane.Index))
        {
            EmitNode(source);
            return;
        }

        // Four bytes at a time there is an instruction with the lanes in it.
        bool isOfWords = lanes.Index().All(lane => lane.Item != NoLane && lane.Item == lanes[lane.Index & ~3] + (lane.Index & 3) && lane.Item % 4 == lane.Index % 4);
        VectorOperator shuffle = isOfWords ? ShuffleWords : ShuffleBytes;
        EmitNodeAs(source, shuffle.OperandTypes[0]);
        EmitLanes(isOfWords ? [.. lanes.Index().Select(lane => lane.Index % 4 == 0 ? (byte)(lane.Item / 4) : (byte)0)] : lanes, shuffle.OperandTypes[1]);
        shuffle.Emit(_il);
    }

    private bool TryEmitPattern(Node left, Node right, byte[] lanes)
    {
        for (int pattern = 0; pattern < Interleavings.Length; pattern++)
        {
            int bytes = 1 << (pattern / 2);
            int half = pattern % 2 * (Lanes / 2);
            if (lanes.Index().All(lane => lane.Item == half + (lane.Index / bytes / 2 * bytes) + (lane.Index % bytes) + (lane.Index / bytes % 2 * Lanes)))
            {
                EmitVectorCall(Interleavings[pattern], left, right);
                return true;
            }
        }

        if (lanes.Index().All(lane => lane.Item == lanes[0] + lane.Index))
        {
            EmitNode(left);
            EmitNode(right);
            EmitInt(lanes[0]);
            Concatenation.Emit(_il);
            return true;
        }

        if (lanes.Index().All(lane => lane.Item % Lanes == lane.Index))
        {
            EmitNode(left);
            EmitNode(right);
            EmitLanes([.. lanes.Select(lane => lane < Lanes ? (byte)0xFF : (byte)0)]);
            Blend.Emit(_il);
            return true;
        }

        return false;
    }

    private void EmitVectorCall(VectorOperator vectorOperator, Node first, Node second)
    {
        EmitNodeAs(first, vectorOperator.OperandTypes[0]);
        EmitNodeAs(second, vectorOperator.OperandTypes[1]);
        vectorOperator.Emit(_il);
    }

    private void EmitLanes(byte[] lanes, Type? wanted = null) =>
        EmitVector(BinaryPrimitives.ReadInt64LittleEndian(lanes), BinaryPrimitives.ReadInt64LittleEndian(lanes.AsSpan(Lanes / 2)), wanted ?? typeof(Vector128<byte>));
}
