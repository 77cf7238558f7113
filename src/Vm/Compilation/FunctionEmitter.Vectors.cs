using System.Reflection.Emit;
using System.Runtime.Intrinsics;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>Vectors: constants, operators, and accesses to single lanes.</content>
internal sealed partial class FunctionEmitter
{
    private void PushVectorOperator(Opcode opcode, VectorOperator vectorOperator, byte lane)
    {
        Node? third = vectorOperator.Operands.Length > 2 ? Pop() : null;
        Node? second = vectorOperator.Operands.Length > 1 ? Pop() : null;
        PushTree(Node.Operator(vectorOperator.Result, opcode, Pop(), second, third, lane));
    }

    private void PushShuffle(in Instruction instruction)
    {
        Node second = Pop();
        PushTree(Node.Operator(ValType.V128, Opcode.I8x16Shuffle, Pop(), second, null, instruction.Immediate, instruction.Immediate2));
    }

    /// <summary>Emits a vector operator; a vector that it leaves is seen as one of the lanes that are wanted.</summary>
    private void EmitVectorOperator(Node node, VectorOperator vectorOperator, Type wanted)
    {
        bool isArithmetic = node.Opcode is (>= Opcode.F32x4Add and <= Opcode.F32x4Div) or (>= Opcode.F64x2Add and <= Opcode.F64x2Div);
        Node?[] operands = [node.First, node.Second, node.Third];
        for (int index = 0; index < vectorOperator.Operands.Length; index++)
        {
            if (!isArithmetic || !TryEmitHiddenVector(operands[index]!, node.Opcode))
            {
                EmitNodeAs(operands[index]!, vectorOperator.OperandTypes[index]);
            }

            if (index == 0 && vectorOperator.TakesLane)
            {
                EmitInt((int)node.Bits);
            }
        }

        vectorOperator.Emit(_il, wanted);
    }

    // What one operator gives another, in the lanes of both, goes on as it is.
    private void EmitNodeAs(Node node, Type wanted)
    {
        switch (node)
        {
            case { Kind: NodeKind.Operator } when VectorOperators.Find(node.Opcode) is VectorOperator vectorOperator:
                EmitVectorOperator(node, vectorOperator, wanted);
                break;
            case { Kind: NodeKind.Constant, Type: ValType.V128 } when (node.Bits | node.HighBits) != 0:
                EmitVector(node.Bits, node.HighBits, wanted);
                break;
            default:
                EmitNode(node);
                VectorOperator.EmitAs(_il, typeof(Vector128<byte>), wanted);
                break;
        }
    }

    // As for numbers, the JIT must not know ones and zeros that it would fold away, and leave a signalling NaN as it is.
    private bool TryEmitHiddenVector(Node node, Opcode arithmetic)
    {
        bool isSingle = arithmetic < Opcode.F64x2Add;
        Node lane = node.Kind == NodeKind.Operator && node.Opcode is Opcode.F32x4Splat or Opcode.F64x2Splat ? node.First! : node;
        if (lane.Kind != NodeKind.Constant || (lane.Type == ValType.V128 && lane.Bits != lane.HighBits))
        {
            return false;
        }

        double value = isSingle ? BitConverter.Int32BitsToSingle((int)lane.Bits) : BitConverter.Int64BitsToDouble(lane.Bits);
        if (value is not (0 or 1 or -1) || (isSingle && lane.Type == ValType.V128 && (int)lane.Bits != (int)(lane.Bits >> 32)))
        {
            return false;
        }

        EmitHidden(isSingle ? ValType.F32 : ValType.F64, value != 0);
        if (double.IsNegative(value))
        {
            _il.Emit(OpCodes.Neg);
        }

        VectorOperators.Find(isSingle ? Opcode.F32x4Splat : Opcode.F64x2Splat)!.Emit(_il, isSingle ? typeof(Vector128<float>) : typeof(Vector128<double>));
        return true;
    }

    private void EmitVector(long low, long high)
    {
        if ((low | high) == 0)
        {
            EmitZero(_il, ValType.V128);
        }
        else
        {
            EmitVector(low, high, typeof(Vector128<byte>));
        }
    }

    private void EmitVector(long low, long high, Type wanted)
    {
        _il.Emit(OpCodes.Ldc_I8, low);
        _il.Emit(OpCodes.Ldc_I8, high);
        _il.Emit(OpCodes.Call, RuntimeMethods.VectorOfHalves);
        VectorOperator.EmitAs(_il, typeof(Vector128<long>), wanted);
    }

    // The lane is loaded as a number, and then put into the vector, which waits below it.
    private void EmitLaneLoad(int position, in Instruction instruction)
    {
        Node vector = Pop();
        Node address = Pop();
        MaterialiseTrees();
        EmitAddress(address, in instruction);
        Push(vector);
        Materialise(_stack.Count - 1);
        EmitLoadAtAddress(position, in instruction, MemoryAccess.Of(instruction.Opcode));
        PushLaneOperator(in instruction);
    }

    // The lane is taken out of the vector, and then stored as a number.
    private void EmitLaneStore(int position, in Instruction instruction)
    {
        PushLaneOperator(in instruction);
        EmitStore(position, in instruction);
    }

    private void PushLaneOperator(in Instruction instruction)
    {
        Opcode opcode = instruction.Opcode switch
        {
            Opcode.V128Load8Lane => Opcode.I8x16ReplaceLane,
            Opcode.V128Load16Lane => Opcode.I16x8ReplaceLane,
            Opcode.V128Load32Lane => Opcode.I32x4ReplaceLane,
            Opcode.V128Load64Lane => Opcode.I64x2ReplaceLane,
            Opcode.V128Store8Lane => Opcode.I8x16ExtractLaneU,
            Opcode.V128Store16Lane => Opcode.I16x8ExtractLaneU,
            Opcode.V128Store32Lane => Opcode.I32x4ExtractLane,
            _ => Opcode.I64x2ExtractLane,
        };
        PushVectorOperator(opcode, VectorOperators.Find(opcode)!, instruction.Lane);
    }
}
