using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <content>Vectors (core specification, section 3.4.8) and atomic accesses (threads proposal).</content>
internal sealed partial class FunctionValidator
{
    private const int ShuffleLaneCount = 32;
    private const int AtomicForms = 7;

    private void ValidateVector(in Instruction instruction)
    {
        Note(instruction.Opcode >= Opcode.I8x16RelaxedSwizzle ? WasmFeature.RelaxedSimd : WasmFeature.Simd);
        Opcode opcode = instruction.Opcode;
        if (VectorSignatures.AccessOf(opcode) is VectorAccess access)
        {
            ValidateVectorAccess(in instruction, access);
            return;
        }

        switch (opcode)
        {
            case Opcode.V128Const:
                Push(ValType.V128);
                break;
            case Opcode.I8x16Shuffle:
                RequireShuffleLanes(instruction.Immediate);
                RequireShuffleLanes(instruction.Immediate2);
                ValidateShape(VectorShape.Binary);
                break;
            case >= Opcode.I8x16Splat and <= Opcode.F64x2Splat:
                Pop(VectorSignatures.LanesOf(opcode).Type);
                Push(ValType.V128);
                break;
            case >= Opcode.I8x16ExtractLaneS and <= Opcode.F64x2ReplaceLane:
                (ValType type, int count) = VectorSignatures.LanesOf(opcode);
                RequireLane(instruction.Lane, count);
                if (VectorSignatures.IsReplaceLane(opcode))
                {
                    Pop(type);
                    type = ValType.V128;
                }

                Pop(ValType.V128);
                Push(type);
                break;
            default:
                ValidateShape(VectorSignatures.ShapeOf(opcode));
                break;
        }
    }

    private void ValidateShape(VectorShape shape)
    {
        if (shape == VectorShape.Shift)
        {
            Pop(ValType.I32);
        }
        else if (shape is VectorShape.Binary or VectorShape.Ternary)
        {
            Pop(ValType.V128);
            if (shape == VectorShape.Ternary)
            {
                Pop(ValType.V128);
            }
        }

        Pop(ValType.V128);
        Push(shape == VectorShape.Test ? ValType.I32 : ValType.V128);
    }

    private void ValidateVectorAccess(in Instruction instruction, VectorAccess access)
    {
        ValType address = AddressOfAccess(in instruction, access.AlignmentExponentMax);
        if (access.LaneCount > 0)
        {
            RequireLane(instruction.Lane, access.LaneCount);
        }

        if (access.LaneCount > 0 || access.IsStore)
        {
            Pop(ValType.V128);
        }

        Pop(address);
        if (!access.IsStore)
        {
            Push(ValType.V128);
        }
    }

    private void RequireLane(int lane, int count)
    {
        if (lane >= count)
        {
            throw Invalid($"invalid lane index {lane}, where one less than {count} was expected");
        }
    }

    private void RequireShuffleLanes(long lanes)
    {
        for (int i = 0; i < sizeof(long); i++)
        {
            RequireLane((byte)(lanes >> (8 * i)), ShuffleLaneCount);
        }
    }

    private void ValidateAtomic(in Instruction instruction)
    {
        Note(WasmFeature.Threads);
        switch (instruction.Opcode)
        {
            case Opcode.AtomicFence:
                break;
            case Opcode.MemoryAtomicNotify:
                ValidateAtomic(in instruction, 2, [ValType.I32], ValType.I32);
                break;
            case Opcode.MemoryAtomicWait32:
                ValidateAtomic(in instruction, 2, [ValType.I32, ValType.I64], ValType.I32);
                break;
            case Opcode.MemoryAtomicWait64:
                ValidateAtomic(in instruction, 3, [ValType.I64, ValType.I64], ValType.I32);
                break;
            default:
                // Each comes in seven forms: i32, i64, i32 of 8 and 16 bits, i64 of 8, 16 and 32 bits.
                int form = (instruction.Opcode - Opcode.I32AtomicLoad) % AtomicForms;
                ValType value = form is 0 or 2 or 3 ? ValType.I32 : ValType.I64;
                int exponent = form switch
                {
                    2 or 4 => 0,
                    3 or 5 => 1,
                    0 or 6 => 2,
                    _ => 3,
                };
                switch (instruction.Opcode)
                {
                    case < Opcode.I32AtomicStore:
                        ValidateAtomic(in instruction, exponent, [], value);
                        break;
                    case < Opcode.I32AtomicRmwAdd:
                        ValidateAtomic(in instruction, exponent, [value], ValType.Bottom);
                        break;
                    case < Opcode.I32AtomicRmwCmpxchg:
                        ValidateAtomic(in instruction, exponent, [value], value);
                        break;
                    default:
                        ValidateAtomic(in instruction, exponent, [value, value], value);
                        break;
                }

                break;
        }
    }

    /// <summary>Validates an atomic access: its alignment must be the natural one, no less.</summary>
    private void ValidateAtomic(in Instruction instruction, int exponent, ReadOnlySpan<ValType> operands, ValType result)
    {
        if (instruction.AlignmentExponent != exponent)
        {
            throw Invalid($"atomic alignment must be natural: 2^{instruction.AlignmentExponent}, where exactly 2^{exponent} was expected");
        }

        ValType address = AddressOfAccess(in instruction, exponent);
        Pop(operands);
        Pop(address);
        if (result != ValType.Bottom)
        {
            Push(result);
        }
    }
}
