namespace Everheap.Vm.Modules;

/// <content>Element and data segments (core specification, sections 5.5.12 and 5.5.14), and constant expressions.</content>
internal sealed partial class ModuleDecoder
{
    private const int ElementSegmentBytesMin = 2;
    private const int ExpressionBytesMin = 1;
    private const int DataSegmentBytesMin = 2;

    // Bits of a segment's kind.
    private const uint SegmentIsNotActive = 1;
    private const uint SegmentHasIndex = 2;
    private const uint SegmentHasExpressions = 4;
    private const uint ElementKindMax = 7;
    private const uint DataKindMax = 2;

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

        // Kinds 0 and 4 leave the type out. What is listed by index is never null.
        bool hasExpressions = (kind & SegmentHasExpressions) != 0;
        ValType elementType = hasExpressions ? ValType.FuncRef : ValType.FuncRef.AsNonNull();
        if ((kind & (SegmentIsNotActive | SegmentHasIndex)) != 0)
        {
            int typeOffset = reader.Offset;
            elementType = hasExpressions ? Resolve(TypeReader.ReadReferenceType(ref reader), typeOffset) : ReadElementKind(ref reader);
        }

        return hasExpressions
            ? new ElementSegment(mode, elementType, tableIndex, offset, null, ReadExpressions(ref reader))
            : new ElementSegment(mode, elementType, tableIndex, offset, ReadFunctionIndices(ref reader), null);
    }

    private static ValType ReadElementKind(ref ByteReader reader)
    {
        int offset = reader.Offset;
        byte kind = reader.ReadByte("an element kind");
        return kind == 0 ? ValType.FuncRef.AsNonNull() : throw new WasmFormatException(offset, $"malformed element kind 0x{kind:x2}: expected 0x00");
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
            if (instruction.Opcode == Opcode.End)
            {
                reader.ReadBytes(instructions.Offset - start, "a constant expression");
                return new ConstantExpression(start, reader.Offset);
            }

            if (!ConstantInstructions.Contains(instruction.Opcode))
            {
                throw new WasmFormatException(
                    instruction.Offset, $"constant expression required: {OpcodeNames.NameOf(instruction.Opcode)} is not constant");
            }
        }

        throw new WasmFormatException(reader.End, "unexpected end, where the end of a constant expression was expected");
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
}
