namespace Everheap.Vm.Modules;

/// <summary>
/// Decodes instructions one by one (core specification, section 5.4). It checks how they are written, not what they mean: indices may
/// be out of range and types may not fit until the function was validated.
/// </summary>
internal ref struct InstructionReader
{
    private const byte PrefixByte = 0xFC;
    private const uint PrefixedLast = 0x11;
    private const uint MultipleMemoriesFlag = 0x40;
    private const uint AlignmentExponentEnd = 0x40;
    private const byte EmptyBlockType = 0x40;

    private ByteReader _reader;

    /// <summary>Starts to read.</summary>
    /// <param name="moduleBytes">The whole module's bytes.</param>
    /// <param name="start">Offset of the first instruction.</param>
    /// <param name="end">Offset just past the last.</param>
    public InstructionReader(ReadOnlySpan<byte> moduleBytes, int start, int end) => _reader = new ByteReader(moduleBytes, start, end);

    /// <summary>Goes on where another reader stands.</summary>
    public InstructionReader(ByteReader reader) => _reader = reader;

    /// <summary>The offset, in the module, of the next instruction.</summary>
    public readonly int Offset => _reader.Offset;

    /// <summary>Reads the next instruction.</summary>
    /// <param name="instruction">The instruction.</param>
    /// <returns>False at the end of the range.</returns>
    /// <exception cref="WasmFormatException">The bytes are no instruction, or one that is not supported.</exception>
    public bool Read(out Instruction instruction)
    {
        instruction = default;
        if (_reader.IsAtEnd)
        {
            return false;
        }

        int offset = _reader.Offset;
        byte first = _reader.ReadByte("an instruction");
        var opcode = (Opcode)first;
        instruction.Offset = offset;
        instruction.Opcode = opcode;
        if (first is >= (byte)Opcode.I32Eqz and <= (byte)Opcode.I64Extend32S)
        {
            return true;
        }

        if (first is >= (byte)Opcode.I32Load and <= (byte)Opcode.I64Store32)
        {
            ReadMemoryArgument(ref instruction);
            return true;
        }

        switch (opcode)
        {
            case Opcode.LocalGet or Opcode.LocalSet or Opcode.LocalTee:
                instruction.Index = _reader.ReadIndex("local");
                break;
            case Opcode.I32Const:
                instruction.Immediate = _reader.ReadS32("the constant of i32.const");
                break;
            case Opcode.Unreachable or Opcode.Nop or Opcode.Else or Opcode.End or Opcode.Return or Opcode.Drop or Opcode.Select or Opcode.RefIsNull:
                break;
            case Opcode.Block or Opcode.Loop or Opcode.If:
                instruction.BlockType = ReadBlockType();
                break;
            case Opcode.Br or Opcode.BrIf:
                instruction.Index = _reader.ReadIndex("label");
                break;
            case Opcode.BrTable:
                ReadLabels(ref instruction);
                break;
            case Opcode.Call or Opcode.RefFunc:
                instruction.Index = _reader.ReadIndex("function");
                break;
            case Opcode.CallIndirect:
                instruction.Index = _reader.ReadIndex("type");
                instruction.Index2 = _reader.ReadIndex("table");
                break;
            case Opcode.SelectT:
                ReadSelectTypes(ref instruction);
                break;
            case Opcode.GlobalGet or Opcode.GlobalSet:
                instruction.Index = _reader.ReadIndex("global");
                break;
            case Opcode.TableGet or Opcode.TableSet:
                instruction.Index = _reader.ReadIndex("table");
                break;
            case Opcode.MemorySize or Opcode.MemoryGrow:
                ReadMemoryByte(opcode);
                break;
            case Opcode.I64Const:
                instruction.Immediate = _reader.ReadS64("the constant of i64.const");
                break;
            case Opcode.F32Const:
                instruction.Immediate = _reader.ReadFixed32("the constant of f32.const");
                break;
            case Opcode.F64Const:
                instruction.Immediate = (long)_reader.ReadFixed64("the constant of f64.const");
                break;
            case Opcode.RefNull:
                instruction.Type = TypeReader.ReadReferenceType(ref _reader);
                break;
            default:
                if (first != PrefixByte)
                {
                    throw Unknown(first, offset);
                }

                ReadPrefixed(ref instruction);
                break;
        }

        return true;
    }

    private static WasmFormatException Unknown(byte opcode, int offset)
    {
        string? feature = Unsupported.FeatureOfOpcode(opcode);
        return feature is null
            ? new WasmFormatException(offset, $"illegal opcode 0x{opcode:x2}, where an instruction was expected")
            : Unsupported.Feature(feature, offset, $"opcode 0x{opcode:x2}");
    }

    private void ReadPrefixed(ref Instruction instruction)
    {
        uint number = _reader.ReadU32("the number of an instruction with the prefix 0xfc");
        if (number > PrefixedLast)
        {
            string found = $"illegal opcode 0xfc 0x{number:x2}";
            throw number is >= 0x13 and <= 0x16
                ? Unsupported.Feature(Unsupported.WideArithmetic, instruction.Offset, found)
                : new WasmFormatException(instruction.Offset, found + ", where an instruction was expected");
        }

        var opcode = (Opcode)((PrefixByte << 8) | (int)number);
        instruction.Opcode = opcode;
        switch (opcode)
        {
            case Opcode.MemoryInit:
                instruction.Index = _reader.ReadIndex("data segment");
                ReadMemoryByte(opcode);
                break;
            case Opcode.DataDrop:
                instruction.Index = _reader.ReadIndex("data segment");
                break;
            case Opcode.MemoryCopy:
                ReadMemoryByte(opcode);
                ReadMemoryByte(opcode);
                break;
            case Opcode.MemoryFill:
                ReadMemoryByte(opcode);
                break;
            case Opcode.TableInit:
                instruction.Index = _reader.ReadIndex("element segment");
                instruction.Index2 = _reader.ReadIndex("table");
                break;
            case Opcode.ElemDrop:
                instruction.Index = _reader.ReadIndex("element segment");
                break;
            case Opcode.TableCopy:
                instruction.Index = _reader.ReadIndex("table");
                instruction.Index2 = _reader.ReadIndex("table");
                break;
            case Opcode.TableGrow or Opcode.TableSize or Opcode.TableFill:
                instruction.Index = _reader.ReadIndex("table");
                break;
            default:
                break; // The saturating conversions have no immediates.
        }
    }

    private BlockType ReadBlockType()
    {
        int offset = _reader.Offset;
        byte first = _reader.PeekByte("a block type");
        if (first == EmptyBlockType)
        {
            _reader.ReadByte("a block type");
            return BlockType.Empty;
        }

        // One byte with bit 6 set is a negative number, which stands for a value type.
        if ((first & 0xC0) == 0x40)
        {
            return BlockType.Of(TypeReader.ReadValueType(ref _reader));
        }

        long index = _reader.ReadS33("a block type");
        if (index is < 0 or >= int.MaxValue)
        {
            throw new WasmFormatException(offset, $"malformed block type {index}: expected 0x40, a value type or a type index");
        }

        return BlockType.OfIndex((int)index);
    }

    private void ReadLabels(ref Instruction instruction)
    {
        int count = _reader.ReadCount("labels of br_table", ModuleLimits.BranchTableLabelsMax, 1);
        int[] labels = new int[count + 1];
        for (int i = 0; i < labels.Length; i++)
        {
            labels[i] = _reader.ReadIndex("label");
        }

        instruction.Labels = labels;
    }

    private void ReadSelectTypes(ref Instruction instruction)
    {
        int offset = _reader.Offset;
        uint count = _reader.ReadU32("the number of types of select");
        if (count != 1)
        {
            throw new WasmFormatException(offset, $"invalid result arity: select with {count} types, where exactly one was expected");
        }

        instruction.Type = TypeReader.ReadValueType(ref _reader);
    }

    private void ReadMemoryArgument(ref Instruction instruction)
    {
        int offset = _reader.Offset;
        uint exponent = _reader.ReadU32("an alignment");
        if (exponent >= AlignmentExponentEnd)
        {
            throw exponent is >= MultipleMemoriesFlag and < 2 * MultipleMemoriesFlag
                ? Unsupported.Feature(Unsupported.MultipleMemories, offset, "a memory access with a memory index")
                : new WasmFormatException(offset, $"malformed memop flags 0x{exponent:x}, where an alignment exponent was expected");
        }

        instruction.AlignmentExponent = (int)exponent;
        instruction.Immediate = _reader.ReadU32("a memory access's offset");
    }

    private void ReadMemoryByte(Opcode opcode)
    {
        int offset = _reader.Offset;
        byte index = _reader.ReadByte("the memory index, a zero byte,");
        if (index != 0)
        {
            throw Unsupported.Feature(
                Unsupported.MultipleMemories, offset, $"{OpcodeNames.NameOf(opcode)} with the memory index byte 0x{index:x2} (zero byte expected)");
        }
    }
}
