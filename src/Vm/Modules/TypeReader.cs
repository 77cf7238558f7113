namespace Everheap.Vm.Modules;

/// <summary>Reads types (core specification, section 5.3).</summary>
internal static class TypeReader
{
    private const byte FunctionTypeForm = 0x60;
    private const byte TableWithInitializer = 0x40;
    private const byte LimitsHaveMaximum = 0x01;
    private const byte LimitsShared = 0x02;
    private const byte LimitsAre64Bit = 0x04;
    private const byte LimitsHavePageSize = 0x08;

    public static ValType ReadValueType(ref ByteReader reader)
    {
        int offset = reader.Offset;
        byte code = reader.ReadByte("a value type");
        return (ValType)code is ValType.I32 or ValType.I64 or ValType.F32 or ValType.F64 or ValType.FuncRef or ValType.ExternRef
            ? (ValType)code
            : throw UnknownType(code, offset, "malformed value type", "a value type");
    }

    public static ValType ReadReferenceType(ref ByteReader reader)
    {
        int offset = reader.Offset;
        byte code = reader.ReadByte("a reference type");
        return (ValType)code is ValType.FuncRef or ValType.ExternRef
            ? (ValType)code
            : throw UnknownType(code, offset, "malformed reference type", "funcref (0x70) or externref (0x6f)");
    }

    public static FunctionType ReadFunctionType(ref ByteReader reader)
    {
        int offset = reader.Offset;
        byte form = reader.ReadByte("a function type");
        if (form != FunctionTypeForm)
        {
            throw UnknownType(form, offset, "malformed type definition (integer representation too long)", "a function type (0x60)");
        }

        ValType[] parameters = ReadValueTypes(ref reader, "parameters", ModuleLimits.ParametersMax);
        ValType[] results = ReadValueTypes(ref reader, "results", ModuleLimits.ResultsMax);
        return new FunctionType(parameters, results);
    }

    public static TableType ReadTableType(ref ByteReader reader)
    {
        int offset = reader.Offset;
        if (reader.PeekByte("a table type") == TableWithInitializer)
        {
            throw Unsupported.Feature(Unsupported.FunctionReferences, offset, "a table with an initial value");
        }

        ValType elementType = ReadReferenceType(ref reader);
        return new TableType(elementType, ReadLimits(ref reader, "table"));
    }

    public static Limits ReadMemoryType(ref ByteReader reader) => ReadLimits(ref reader, "memory");

    public static GlobalType ReadGlobalType(ref ByteReader reader)
    {
        ValType type = ReadValueType(ref reader);
        int offset = reader.Offset;
        byte mutability = reader.ReadByte("a global's mutability");
        return mutability <= 1
            ? new GlobalType(type, mutability == 1)
            : throw new WasmFormatException(offset, $"malformed mutability 0x{mutability:x2}: expected 0x00 (const) or 0x01 (var)");
    }

    private static ValType[] ReadValueTypes(ref ByteReader reader, string what, int max)
    {
        int count = reader.ReadCount(what, max, 1);
        if (count == 0)
        {
            return [];
        }

        var types = new ValType[count];
        for (int i = 0; i < types.Length; i++)
        {
            types[i] = ReadValueType(ref reader);
        }

        return types;
    }

    private static Limits ReadLimits(ref ByteReader reader, string owner)
    {
        int offset = reader.Offset;
        byte flags = reader.ReadByte("a limits flag");
        if (flags > LimitsHaveMaximum)
        {
            string found = $"malformed limits flags 0x{flags:x2} of a {owner}";
            throw flags switch
            {
                <= (LimitsShared | LimitsHaveMaximum) => Unsupported.Feature(Unsupported.Threads, offset, found),
                < 2 * LimitsAre64Bit => Unsupported.Feature(Unsupported.Memory64, offset, found),
                < 2 * LimitsHavePageSize => Unsupported.Feature(Unsupported.CustomPageSizes, offset, found),
                _ => new WasmFormatException(offset, found + " (integer too large or too long): expected 0x00 or 0x01"),
            };
        }

        uint minimum = reader.ReadU32("a minimum size");
        uint? maximum = flags == LimitsHaveMaximum ? reader.ReadU32("a maximum size") : null;
        return new Limits(minimum, maximum);
    }

    private static WasmFormatException UnknownType(byte code, int offset, string found, string expected)
    {
        string? feature = Unsupported.FeatureOfType(code);
        return feature is null
            ? new WasmFormatException(offset, $"{found} 0x{code:x2}: expected {expected}")
            : Unsupported.Feature(feature, offset, $"type 0x{code:x2}");
    }
}
