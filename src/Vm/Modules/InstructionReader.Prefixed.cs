using System.Buffers.Binary;

namespace Everheap.Vm.Modules;

/// <content>Instructions behind a prefix byte: objects (0xFB), conversions and bulk operations (0xFC), vectors (0xFD), atomics (0xFE).</content>
internal ref partial struct InstructionReader
{
    private const byte ObjectPrefix = 0xFB;
    private const byte BulkPrefix = 0xFC;
    private const byte VectorPrefix = 0xFD;
    private const byte AtomicPrefix = 0xFE;
    private const uint WideArithmeticFirst = 0x13;
    private const uint WideArithmeticLast = 0x16;
    private const uint OneBytesOpcodesMax = 0xFF;
    private const byte CastFromNullable = 1;
    private const byte CastToNullable = 2;

    private void ReadPrefixed(ref Instruction instruction, byte prefix)
    {
        if (prefix is < ObjectPrefix or > AtomicPrefix)
        {
            throw Unknown(prefix, instruction.Offset);
        }

        uint number = _reader.ReadU32("the number of an instruction with a prefix");
        var opcode = (Opcode)(number <= OneBytesOpcodesMax ? ((uint)prefix << 8) | number : ((uint)prefix << 12) | number);
        if (number >= 0x1000 || !IsKnown(opcode))
        {
            string found = $"illegal opcode 0x{prefix:x2} 0x{number:x2}";
            throw prefix == BulkPrefix && number is >= WideArithmeticFirst and <= WideArithmeticLast
                ? Unsupported.Feature(Unsupported.WideArithmetic, instruction.Offset, found)
                : new WasmFormatException(instruction.Offset, found + ", where an instruction was expected");
        }

        instruction.Opcode = opcode;
        switch (prefix)
        {
            case ObjectPrefix:
                ReadObjectImmediates(ref instruction);
                break;
            case BulkPrefix:
                ReadBulkImmediates(ref instruction);
                break;
            case VectorPrefix:
                ReadVectorImmediates(ref instruction);
                break;
            default:
                ReadAtomicImmediates(ref instruction);
                break;
        }
    }

    private static WasmFormatException Unknown(byte opcode, int offset)
    {
        string? feature = Unsupported.FeatureOfOpcode(opcode);
        return feature is null
            ? new WasmFormatException(offset, $"illegal opcode 0x{opcode:x2}, where an instruction was expected")
            : Unsupported.Feature(feature, offset, $"opcode 0x{opcode:x2}");
    }

    // The numbers behind a prefix, and the gaps between them.
    private static bool IsKnown(Opcode opcode) => opcode switch
    {
        >= Opcode.StructNew and <= Opcode.I31GetU => true,
        >= Opcode.I32TruncSatF32S and <= Opcode.TableFill => true,
        >= Opcode.V128Load and <= Opcode.I16x8MaxU => true,
        >= Opcode.I16x8AvgrU and <= Opcode.F64x2ConvertLowI32x4U => (int)opcode is not (0xFDA2 or 0xFDA5 or 0xFDA6 or 0xFDAF or 0xFDB0 or 0xFDB2 or 0xFDB3 or 0xFDB4
            or 0xFDBB or 0xFDC2 or 0xFDC5 or 0xFDC6 or 0xFDCF or 0xFDD0 or 0xFDD2 or 0xFDD3 or 0xFDD4 or 0xFDE2 or 0xFDEE),
        >= Opcode.I8x16RelaxedSwizzle and <= Opcode.I32x4RelaxedDotI8x16I7x16AddS => true,
        >= Opcode.MemoryAtomicNotify and <= Opcode.AtomicFence => true,
        >= Opcode.I32AtomicLoad and <= Opcode.I64AtomicRmw32CmpxchgU => true,
        _ => false,
    };

    private void ReadObjectImmediates(ref Instruction instruction)
    {
        switch (instruction.Opcode)
        {
            case Opcode.StructNew or Opcode.StructNewDefault or Opcode.ArrayNew or Opcode.ArrayNewDefault
                or Opcode.ArrayGet or Opcode.ArrayGetS or Opcode.ArrayGetU or Opcode.ArraySet or Opcode.ArrayFill:
                instruction.Index = _reader.ReadIndex("type");
                break;
            case Opcode.StructGet or Opcode.StructGetS or Opcode.StructGetU or Opcode.StructSet:
                ReadIndices(ref instruction, "type", "field");
                break;
            case Opcode.ArrayNewFixed:
                ReadIndices(ref instruction, "type", "number of elements");
                break;
            case Opcode.ArrayNewData or Opcode.ArrayInitData:
                ReadIndices(ref instruction, "type", "data segment");
                break;
            case Opcode.ArrayNewElem or Opcode.ArrayInitElem:
                ReadIndices(ref instruction, "type", "elem segment");
                break;
            case Opcode.ArrayCopy:
                ReadIndices(ref instruction, "type", "type");
                break;
            case Opcode.RefTest or Opcode.RefCast:
                instruction.Type = TypeReader.ReadHeapType(ref _reader).AsNonNull();
                break;
            case Opcode.RefTestNull or Opcode.RefCastNull:
                instruction.Type = TypeReader.ReadHeapType(ref _reader);
                break;
            case Opcode.BrOnCast or Opcode.BrOnCastFail:
                ReadCastTypes(ref instruction);
                break;
            default:
                break; // array.len, conversions and i31 have no immediates.
        }
    }

    private void ReadIndices(ref Instruction instruction, string first, string second)
    {
        instruction.Index = _reader.ReadIndex(first);
        instruction.Index2 = _reader.ReadIndex(second);
    }

    private void ReadCastTypes(ref Instruction instruction)
    {
        int offset = _reader.Offset;
        byte flags = _reader.ReadByte("the flags of a cast");
        if (flags > (CastFromNullable | CastToNullable))
        {
            throw new WasmFormatException(offset, $"malformed br_on_cast flags 0x{flags:x2}: expected 0x00 to 0x03");
        }

        instruction.Index = _reader.ReadIndex("label");
        ValType from = TypeReader.ReadHeapType(ref _reader);
        ValType to = TypeReader.ReadHeapType(ref _reader);
        instruction.Type = (flags & CastFromNullable) != 0 ? from : from.AsNonNull();
        instruction.Type2 = (flags & CastToNullable) != 0 ? to : to.AsNonNull();
    }

    private void ReadBulkImmediates(ref Instruction instruction)
    {
        switch (instruction.Opcode)
        {
            case Opcode.MemoryInit:
                ReadIndices(ref instruction, "data segment", "memory");
                break;
            case Opcode.DataDrop:
                instruction.Index = _reader.ReadIndex("data segment");
                break;
            case Opcode.MemoryCopy:
                ReadIndices(ref instruction, "memory", "memory");
                break;
            case Opcode.MemoryFill:
                instruction.Index = _reader.ReadIndex("memory");
                break;
            case Opcode.TableInit:
                ReadIndices(ref instruction, "elem segment", "table");
                break;
            case Opcode.ElemDrop:
                instruction.Index = _reader.ReadIndex("elem segment");
                break;
            case Opcode.TableCopy:
                ReadIndices(ref instruction, "table", "table");
                break;
            case Opcode.TableGrow or Opcode.TableSize or Opcode.TableFill:
                instruction.Index = _reader.ReadIndex("table");
                break;
            default:
                break; // The saturating conversions have no immediates.
        }
    }

    private void ReadVectorImmediates(ref Instruction instruction)
    {
        switch (instruction.Opcode)
        {
            case <= Opcode.V128Store or Opcode.V128Load32Zero or Opcode.V128Load64Zero:
                ReadMemoryArgument(ref instruction);
                break;
            case Opcode.V128Const or Opcode.I8x16Shuffle:
                ReadOnlySpan<byte> lanes = _reader.ReadBytes(2 * sizeof(ulong), "the lanes of a vector");
                instruction.Immediate = BinaryPrimitives.ReadInt64LittleEndian(lanes);
                instruction.Immediate2 = BinaryPrimitives.ReadInt64LittleEndian(lanes[sizeof(ulong)..]);
                break;
            case >= Opcode.I8x16ExtractLaneS and <= Opcode.F64x2ReplaceLane:
                instruction.Lane = _reader.ReadByte("a lane");
                break;
            case >= Opcode.V128Load8Lane and <= Opcode.V128Store64Lane:
                ReadMemoryArgument(ref instruction);
                instruction.Lane = _reader.ReadByte("a lane");
                break;
            default:
                break;
        }
    }

    private void ReadAtomicImmediates(ref Instruction instruction)
    {
        if (instruction.Opcode != Opcode.AtomicFence)
        {
            ReadMemoryArgument(ref instruction);
            return;
        }

        int offset = _reader.Offset;
        byte reserved = _reader.ReadByte("the zero byte of atomic.fence");
        if (reserved != 0)
        {
            throw new WasmFormatException(offset, $"zero byte expected behind atomic.fence, found 0x{reserved:x2}");
        }
    }
}
