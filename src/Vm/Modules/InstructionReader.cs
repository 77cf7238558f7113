namespace Everheap.Vm.Modules;

/// <summary>
/// Decodes instructions one by one (core specification, section 5.4). It checks how they are written, not what they mean: indices may
/// be out of range and types may not fit until the function was validated.
/// </summary>
internal ref partial struct InstructionReader
{
    private const uint MemoryIndexFlag = 0x40;
    private const byte EmptyBlockType = 0x40;
    private const int CatchClauseBytesMin = 2;

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
            case Opcode.Unreachable or Opcode.Nop or Opcode.Else or Opcode.End or Opcode.Return or Opcode.Drop or Opcode.Select or Opcode.RefIsNull
                or Opcode.RefEq or Opcode.RefAsNonNull or Opcode.ThrowRef or Opcode.CatchAll:
                break;
            case Opcode.Block or Opcode.Loop or Opcode.If or Opcode.Try:
                instruction.BlockType = ReadBlockType();
                break;
            case Opcode.TryTable:
                instruction.BlockType = ReadBlockType();
                instruction.Catches = ReadCatches();
                break;
            case Opcode.Br or Opcode.BrIf or Opcode.BrOnNull or Opcode.BrOnNonNull or Opcode.Rethrow or Opcode.Delegate:
                instruction.Index = _reader.ReadIndex("label");
                break;
            case Opcode.BrTable:
                ReadLabels(ref instruction);
                break;
            case Opcode.Throw or Opcode.Catch:
                instruction.Index = _reader.ReadIndex("tag");
                break;
            case Opcode.Call or Opcode.ReturnCall or Opcode.RefFunc:
                instruction.Index = _reader.ReadIndex("function");
                break;
            case Opcode.CallIndirect or Opcode.ReturnCallIndirect:
                instruction.Index = _reader.ReadIndex("type");
                instruction.Index2 = _reader.ReadIndex("table");
                break;
            case Opcode.CallRef or Opcode.ReturnCallRef:
                instruction.Index = _reader.ReadIndex("type");
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
                instruction.Index = _reader.ReadIndex("memory");
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
                instruction.Type = TypeReader.ReadHeapType(ref _reader);
                break;
            default:
                ReadPrefixed(ref instruction, first);
                break;
        }

        return true;
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

    private CatchClause[] ReadCatches()
    {
        var clauses = new CatchClause[_reader.ReadCount("catch clauses of try_table", ModuleLimits.CatchClausesMax, CatchClauseBytesMin)];
        for (int i = 0; i < clauses.Length; i++)
        {
            int offset = _reader.Offset;
            var kind = (CatchKind)_reader.ReadByte("a catch clause");
            if (kind > CatchKind.CatchAllRef)
            {
                throw new WasmFormatException(offset, $"malformed catch clause kind 0x{(byte)kind:x2}: expected 0x00 to 0x03");
            }

            int tag = kind <= CatchKind.CatchRef ? _reader.ReadIndex("tag") : -1;
            clauses[i] = new CatchClause(kind, tag, _reader.ReadIndex("label"));
        }

        return clauses;
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

    /// <summary>Reads a memory access's alignment, memory and offset.</summary>
    private void ReadMemoryArgument(ref Instruction instruction)
    {
        int offset = _reader.Offset;
        uint flags = _reader.ReadU32("an alignment");
        if (flags >= 2 * MemoryIndexFlag)
        {
            throw new WasmFormatException(offset, $"malformed memop flags 0x{flags:x}, where an alignment exponent was expected");
        }

        if ((flags & MemoryIndexFlag) != 0)
        {
            instruction.Index = _reader.ReadIndex("memory");
        }

        instruction.AlignmentExponent = (int)(flags & (MemoryIndexFlag - 1));
        instruction.Immediate = (long)_reader.ReadU64("a memory access's offset");
    }
}
