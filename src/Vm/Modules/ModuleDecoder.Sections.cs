namespace Everheap.Vm.Modules;

/// <content>The contents of each section.</content>
internal sealed partial class ModuleDecoder
{
    // The fewest bytes that one entry of each kind takes, to hold counts against the bytes that are left.
    private const int TypeBytesMin = 3;
    private const int ImportBytesMin = 4;
    private const int TableBytesMin = 3;
    private const int MemoryBytesMin = 2;
    private const int GlobalBytesMin = 3;
    private const int ExportBytesMin = 3;
    private const int ElementSegmentBytesMin = 2;
    private const int ExpressionBytesMin = 1;
    private const int BodyBytesMin = 1;
    private const int LocalGroupBytesMin = 2;
    private const int DataSegmentBytesMin = 2;

    // Bits of an element or data segment's kind.
    private const uint SegmentIsNotActive = 1;
    private const uint SegmentHasIndex = 2;
    private const uint SegmentHasExpressions = 4;
    private const uint ElementKindMax = 7;
    private const uint DataKindMax = 2;

    private void ReadTypes(ref ByteReader reader)
    {
        var types = new FunctionType[reader.ReadCount("types", ModuleLimits.TypesMax, TypeBytesMin)];
        for (int i = 0; i < types.Length; i++)
        {
            types[i] = TypeReader.ReadFunctionType(ref reader);
        }

        _module.Types = types;
    }

    private void ReadImports(ref ByteReader reader)
    {
        int count = reader.ReadCount("imports", ModuleLimits.ImportsMax, ImportBytesMin);
        for (int i = 0; i < count; i++)
        {
            string moduleName = reader.ReadName("an import's module name");
            string name = reader.ReadName("an import's name");
            int offset = reader.Offset;
            byte kind = reader.ReadByte("an import kind");
            int index;
            switch ((ExternalKind)kind)
            {
                case ExternalKind.Function:
                    index = _functionTypes.Count;
                    _functionTypes.Add(ReadTypeIndex(ref reader));
                    break;
                case ExternalKind.Table:
                    index = _tables.Count;
                    AddTable(ref reader);
                    break;
                case ExternalKind.Memory:
                    index = _memories.Count;
                    AddMemory(ref reader);
                    break;
                case ExternalKind.Global:
                    index = _globals.Count;
                    _globals.Add(TypeReader.ReadGlobalType(ref reader));
                    break;
                default:
                    throw UnknownKind(kind, offset, "import");
            }

            _imports.Add(new Import(moduleName, name, (ExternalKind)kind, index));
        }

        CheckTotal("tables", _tables.Count, ModuleLimits.TablesMax, reader.Offset);
        _module.ImportedFunctionCount = _functionTypes.Count;
        _module.ImportedTableCount = _tables.Count;
        _module.ImportedMemoryCount = _memories.Count;
        _module.ImportedGlobalCount = _globals.Count;
    }

    private void ReadFunctions(ref ByteReader reader)
    {
        int offset = reader.Offset;
        int count = reader.ReadCount("functions", ModuleLimits.FunctionsMax, 1);
        CheckTotal("functions", _functionTypes.Count + count, ModuleLimits.FunctionsMax, offset);
        _functionTypes.EnsureCapacity(_functionTypes.Count + count);
        for (int i = 0; i < count; i++)
        {
            _functionTypes.Add(ReadTypeIndex(ref reader));
        }

        _declaredFunctionCount = count;
    }

    private void ReadTables(ref ByteReader reader)
    {
        int offset = reader.Offset;
        int count = reader.ReadCount("tables", ModuleLimits.TablesMax, TableBytesMin);
        CheckTotal("tables", _tables.Count + count, ModuleLimits.TablesMax, offset);
        for (int i = 0; i < count; i++)
        {
            AddTable(ref reader);
        }
    }

    private void AddTable(ref ByteReader reader)
    {
        int offset = reader.Offset;
        TableType table = TypeReader.ReadTableType(ref reader);
        CheckLimits(table.Limits, uint.MaxValue, "table", offset);
        _tables.Add(table);
    }

    private void ReadMemories(ref ByteReader reader)
    {
        int count = reader.ReadCount("memories", int.MaxValue, MemoryBytesMin);
        for (int i = 0; i < count; i++)
        {
            AddMemory(ref reader);
        }
    }

    private void AddMemory(ref ByteReader reader)
    {
        int offset = reader.Offset;
        Limits limits = TypeReader.ReadMemoryType(ref reader);
        CheckLimits(limits, ModuleLimits.MemoryPagesMax, "memory", offset);
        if (_memories.Count == ModuleLimits.MemoriesMax)
        {
            throw Unsupported.Feature(Unsupported.MultipleMemories, offset, "multiple memories");
        }

        _memories.Add(limits);
    }

    private void ReadGlobals(ref ByteReader reader)
    {
        int offset = reader.Offset;
        var globals = new GlobalDeclaration[reader.ReadCount("globals", ModuleLimits.GlobalsMax, GlobalBytesMin)];
        CheckTotal("globals", _globals.Count + globals.Length, ModuleLimits.GlobalsMax, offset);
        for (int i = 0; i < globals.Length; i++)
        {
            GlobalType type = TypeReader.ReadGlobalType(ref reader);
            globals[i] = new GlobalDeclaration(type, ReadExpression(ref reader));
            _globals.Add(type);
        }

        _module.GlobalDeclarations = globals;
    }

    private void ReadExports(ref ByteReader reader)
    {
        var exports = new Export[reader.ReadCount("exports", ModuleLimits.ExportsMax, ExportBytesMin)];
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < exports.Length; i++)
        {
            int offset = reader.Offset;
            string name = reader.ReadName("an export's name");
            if (!names.Add(name))
            {
                throw new WasmFormatException(offset, $"duplicate export name \"{name}\"");
            }

            offset = reader.Offset;
            byte kind = reader.ReadByte("an export kind");
            if (kind > (byte)ExternalKind.Global)
            {
                throw UnknownKind(kind, offset, "export");
            }

            offset = reader.Offset;
            int index = reader.ReadIndex(NameOf((ExternalKind)kind));
            CheckExportIndex((ExternalKind)kind, index, offset);
            exports[i] = new Export(name, (ExternalKind)kind, index);
        }

        _module.Exports = exports;
    }

    private void ReadElements(ref ByteReader reader)
    {
        var elements = new ElementSegment[reader.ReadCount("element segments", ModuleLimits.ElementSegmentsMax, ElementSegmentBytesMin)];
        for (int i = 0; i < elements.Length; i++)
        {
            elements[i] = ReadElementSegment(ref reader);
        }

        _module.Elements = elements;
    }

    private ElementSegment ReadElementSegment(ref ByteReader reader)
    {
        int start = reader.Offset;
        uint kind = reader.ReadU32("an element segment's kind");
        if (kind > ElementKindMax)
        {
            throw new WasmFormatException(start, $"malformed elements segment kind {kind}: expected 0 to {ElementKindMax}");
        }

        SegmentMode mode = SegmentMode.Active;
        int tableIndex = 0;
        ConstantExpression offset = default;
        if ((kind & SegmentIsNotActive) != 0)
        {
            mode = (kind & SegmentHasIndex) != 0 ? SegmentMode.Declarative : SegmentMode.Passive;
        }
        else
        {
            tableIndex = (kind & SegmentHasIndex) != 0 ? reader.ReadIndex("table") : 0;
            CheckIndex("table", tableIndex, _tables.Count, start);
            offset = ReadExpression(ref reader);
        }

        // Kinds 0 and 4 leave the type out: it is funcref.
        bool hasExpressions = (kind & SegmentHasExpressions) != 0;
        ValType elementType = ValType.FuncRef;
        if ((kind & (SegmentIsNotActive | SegmentHasIndex)) != 0)
        {
            elementType = hasExpressions ? TypeReader.ReadReferenceType(ref reader) : ReadElementKind(ref reader);
        }

        return hasExpressions
            ? new ElementSegment(mode, elementType, tableIndex, offset, null, ReadExpressions(ref reader))
            : new ElementSegment(mode, elementType, tableIndex, offset, ReadFunctionIndices(ref reader), null);
    }

    private static ValType ReadElementKind(ref ByteReader reader)
    {
        int offset = reader.Offset;
        byte kind = reader.ReadByte("an element kind");
        return kind == 0 ? ValType.FuncRef : throw new WasmFormatException(offset, $"malformed element kind 0x{kind:x2}: expected 0x00");
    }

    private int[] ReadFunctionIndices(ref ByteReader reader)
    {
        int[] functions = new int[reader.ReadCount("elements", ModuleLimits.ElementsMax, 1)];
        for (int i = 0; i < functions.Length; i++)
        {
            int offset = reader.Offset;
            functions[i] = reader.ReadIndex("function");
            CheckIndex("function", functions[i], _functionTypes.Count, offset);
        }

        return functions;
    }

    private static ConstantExpression[] ReadExpressions(ref ByteReader reader)
    {
        var expressions = new ConstantExpression[reader.ReadCount("elements", ModuleLimits.ElementsMax, ExpressionBytesMin)];
        for (int i = 0; i < expressions.Length; i++)
        {
            expressions[i] = ReadExpression(ref reader);
        }

        return expressions;
    }

    /// <summary>Finds the end of a constant expression, which nests no blocks: the first <c>end</c>.</summary>
    private static ConstantExpression ReadExpression(ref ByteReader reader)
    {
        int start = reader.Offset;
        var instructions = new InstructionReader(reader);
        while (instructions.Read(out Instruction instruction))
        {
            switch (instruction.Opcode)
            {
                case Opcode.End:
                    reader.ReadBytes(instructions.Offset - start, "a constant expression");
                    return new ConstantExpression(start, instructions.Offset);
                case Opcode.I32Const or Opcode.I64Const or Opcode.F32Const or Opcode.F64Const
                    or Opcode.GlobalGet or Opcode.RefNull or Opcode.RefFunc:
                    break;
                case Opcode.I32Add or Opcode.I32Sub or Opcode.I32Mul or Opcode.I64Add or Opcode.I64Sub or Opcode.I64Mul:
                    throw Unsupported.Feature(
                        Unsupported.ExtendedConstants, instruction.Offset, $"{OpcodeNames.NameOf(instruction.Opcode)} in a constant expression");
                default:
                    throw new WasmFormatException(
                        instruction.Offset, $"constant expression required: {OpcodeNames.NameOf(instruction.Opcode)} is not constant");
            }
        }

        throw new WasmFormatException(reader.End, "unexpected end, where the end of a constant expression was expected");
    }

    private void ReadCode(ref ByteReader reader)
    {
        int offset = reader.Offset;
        var bodies = new FunctionBody[reader.ReadCount("function bodies", ModuleLimits.FunctionsMax, BodyBytesMin)];
        _bodyCount = bodies.Length;
        if (_bodyCount != _declaredFunctionCount)
        {
            throw new WasmFormatException(
                offset, $"function and code section have inconsistent lengths: {_declaredFunctionCount:N0} functions, {_bodyCount:N0} bodies");
        }

        ReadOnlySpan<byte> bytes = _module.Bytes.Span;
        for (int i = 0; i < bodies.Length; i++)
        {
            offset = reader.Offset;
            int size = reader.ReadByteCount("a function body");
            if (size > ModuleLimits.FunctionBytesMax)
            {
                throw new WasmFormatException(
                    offset, $"the function body is too large: {size:N0} bytes, where at most {ModuleLimits.FunctionBytesMax:N0} are allowed");
            }

            int start = reader.Offset;
            reader.ReadBytes(size, "a function body");
            FunctionType type = _module.Types[_functionTypes[_module.ImportedFunctionCount + i]];
            bodies[i] = ReadBody(new ByteReader(bytes, start, start + size), type);
        }

        _module.Bodies = bodies;
    }

    private FunctionBody ReadBody(ByteReader reader, FunctionType type)
    {
        // Twice over the groups: the sum is checked before anything is allocated for it.
        int offset = reader.Offset;
        int groupCount = reader.ReadCount("groups of locals", int.MaxValue, LocalGroupBytesMin);
        ByteReader groups = reader;
        ulong total = (uint)type.Parameters.Length;
        for (int i = 0; i < groupCount; i++)
        {
            total += reader.ReadU32("a number of locals");
            TypeReader.ReadValueType(ref reader);
        }

        if (total > ModuleLimits.LocalsMax)
        {
            throw new WasmFormatException(
                offset, $"too many locals: the function has {total:N0} with its parameters, where at most {ModuleLimits.LocalsMax:N0} are allowed");
        }

        _localsInModule += (int)total;
        CheckTotal("locals in all functions", _localsInModule, ModuleLimits.LocalsInModuleMax, offset);
        ValType[] locals = total == 0 ? [] : new ValType[total];
        type.Parameters.CopyTo(locals);
        int filled = type.Parameters.Length;
        for (int i = 0; i < groupCount; i++)
        {
            int count = (int)groups.ReadU32("a number of locals");
            locals.AsSpan(filled, count).Fill(TypeReader.ReadValueType(ref groups));
            filled += count;
        }

        return new FunctionBody(locals, reader.Offset, reader.End);
    }

    private void ReadData(ref ByteReader reader)
    {
        var data = new DataSegment[reader.ReadCount("data segments", ModuleLimits.DataSegmentsMax, DataSegmentBytesMin)];
        for (int i = 0; i < data.Length; i++)
        {
            int start = reader.Offset;
            uint kind = reader.ReadU32("a data segment's kind");
            if (kind > DataKindMax)
            {
                throw new WasmFormatException(start, $"malformed data segment kind {kind}: expected 0 to {DataKindMax}");
            }

            SegmentMode mode = kind == SegmentIsNotActive ? SegmentMode.Passive : SegmentMode.Active;
            int memoryIndex = 0;
            ConstantExpression offset = default;
            if (mode == SegmentMode.Active)
            {
                memoryIndex = kind == SegmentHasIndex ? reader.ReadIndex("memory") : 0;
                CheckIndex("memory", memoryIndex, _memories.Count, start);
                offset = ReadExpression(ref reader);
            }

            int length = reader.ReadByteCount("a data segment");
            data[i] = new DataSegment(mode, memoryIndex, offset, reader.Offset, length);
            reader.ReadBytes(length, "a data segment");
        }

        _module.Data = data;
    }

    private int ReadTypeIndex(ref ByteReader reader)
    {
        int offset = reader.Offset;
        int index = reader.ReadIndex("type");
        CheckIndex("type", index, _module.Types.Count, offset);
        return index;
    }

    private void CheckExportIndex(ExternalKind kind, int index, int offset) => CheckIndex(
        NameOf(kind),
        index,
        kind switch
        {
            ExternalKind.Function => _functionTypes.Count,
            ExternalKind.Table => _tables.Count,
            ExternalKind.Memory => _memories.Count,
            _ => _globals.Count,
        },
        offset);

    private static void CheckIndex(string what, int index, int count, int offset)
    {
        if (index >= count)
        {
            throw new WasmFormatException(offset, $"unknown {what} {index}: the module has {count:N0}");
        }
    }

    private static void CheckTotal(string what, int total, int max, int offset)
    {
        if (total > max)
        {
            throw new WasmFormatException(offset, $"too many {what}: {total:N0}, where at most {max:N0} are allowed");
        }
    }

    private static void CheckLimits(Limits limits, uint sizeMax, string owner, int offset)
    {
        if (limits.Minimum > sizeMax || limits.Maximum > sizeMax)
        {
            throw new WasmFormatException(
                offset, $"{owner} size must be at most {sizeMax:N0}: found a minimum of {limits.Minimum:N0} and a maximum of {limits.Maximum ?? sizeMax:N0}");
        }

        if (limits.Minimum > limits.Maximum)
        {
            throw new WasmFormatException(
                offset, $"size minimum must not be greater than maximum: found {limits.Minimum:N0} and {limits.Maximum:N0} for a {owner}");
        }
    }

    private static WasmFormatException UnknownKind(byte kind, int offset, string what) => kind == (byte)Section.Tag - 9
        ? Unsupported.Feature(Unsupported.Exceptions, offset, $"a tag {what}")
        : new WasmFormatException(offset, $"malformed {what} kind 0x{kind:x2}: expected 0x00 (function), 0x01 (table), 0x02 (memory) or 0x03 (global)");

    private static string NameOf(ExternalKind kind) => kind switch
    {
        ExternalKind.Function => "function",
        ExternalKind.Table => "table",
        ExternalKind.Memory => "memory",
        _ => "global",
    };
}
