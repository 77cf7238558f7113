namespace Everheap.Vm.Modules;

/// <summary>Reads types as they are written (core specification, section 5.3): indices of types are not looked up yet.</summary>
internal static class TypeReader
{
    private const byte NonNullReference = 0x64;
    private const byte NullableReference = 0x63;
    private const byte TableWithInitializer = 0x40;
    private const byte LimitsHaveMaximum = 0x01;
    private const byte LimitsShared = 0x02;
    private const byte LimitsAre64Bit = 0x04;
    private const byte LimitsHavePageSize = 0x08;

    public static ValType ReadValueType(ref ByteReader reader)
    {
        int offset = reader.Offset;
        byte code = reader.ReadByte("a value type");
        return (ValType)code is >= ValType.V128 and <= ValType.I32
            ? (ValType)code
            : ReadReferenceType(ref reader, code) ?? throw UnknownType(code, offset, "malformed value type", "a value type");
    }

    public static ValType ReadReferenceType(ref ByteReader reader)
    {
        int offset = reader.Offset;
        byte code = reader.ReadByte("a reference type");
        return ReadReferenceType(ref reader, code)
            ?? throw UnknownType(code, offset, "malformed reference type", "funcref (0x70), externref (0x6f) or another reference");
    }

    /// <summary>Reads a value type, or a packed type.</summary>
    public static ValType ReadStorageType(ref ByteReader reader)
    {
        if ((ValType)reader.PeekByte("a storage type") is not (ValType.I8 or ValType.I16))
        {
            return ReadValueType(ref reader);
        }

        return (ValType)reader.ReadByte("a storage type");
    }

    /// <summary>Reads a heap type.</summary>
    /// <returns>The nullable reference to it.</returns>
    public static ValType ReadHeapType(ref ByteReader reader)
    {
        int offset = reader.Offset;
        byte first = reader.PeekByte("a heap type");

        // One byte with bit 6 set is a negative number, which stands for an abstract type.
        if ((first & 0xC0) == 0x40)
        {
            reader.ReadByte("a heap type");
            return IsAbstractReference(first) ? (ValType)first : throw UnknownType(first, offset, "malformed heap type", "a heap type");
        }

        long index = reader.ReadS33("a heap type");
        return index switch
        {
            < 0 => throw new WasmFormatException(offset, $"malformed heap type {index}: expected an abstract type or a type index"),
            >= ModuleLimits.TypesMax => throw new WasmFormatException(offset, $"unknown type {index}: a module has at most {ModuleLimits.TypesMax:N0}"),
            _ => ValTypes.Concrete((int)index),
        };
    }

    public static ValType[] ReadValueTypes(ref ByteReader reader, string what, int max)
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

    /// <summary>Reads whether a field or global may be assigned.</summary>
    public static bool ReadMutability(ref ByteReader reader, string what)
    {
        int offset = reader.Offset;
        byte mutability = reader.ReadByte(what);
        return mutability <= 1
            ? mutability == 1
            : throw new WasmFormatException(offset, $"malformed mutability 0x{mutability:x2}: expected 0x00 (const) or 0x01 (var)");
    }

    /// <summary>Reads a table's type.</summary>
    /// <param name="reader">Where to read.</param>
    /// <param name="hasInitializer">Whether the initial value of its elements follows, an expression; of imports it never does.</param>
    public static TableType ReadTableType(ref ByteReader reader, out bool hasInitializer)
    {
        int offset = reader.Offset;
        hasInitializer = reader.PeekByte("a table type") == TableWithInitializer;
        if (hasInitializer)
        {
            reader.ReadByte("a table type");
            byte reserved = reader.ReadByte("a zero byte");
            if (reserved != 0)
            {
                throw new WasmFormatException(offset + 1, $"malformed table type 0x40 0x{reserved:x2}: expected 0x40 0x00");
            }
        }

        ValType elementType = ReadReferenceType(ref reader);
        Limits limits = ReadLimits(ref reader, "table", out byte flags);
        return new TableType(elementType, limits, (flags & LimitsAre64Bit) != 0);
    }

    public static MemoryType ReadMemoryType(ref ByteReader reader)
    {
        Limits limits = ReadLimits(ref reader, "memory", out byte flags);
        return new MemoryType(limits, (flags & LimitsAre64Bit) != 0, (flags & LimitsShared) != 0);
    }

    public static GlobalType ReadGlobalType(ref ByteReader reader)
    {
        ValType type = ReadValueType(ref reader);
        return new GlobalType(type, ReadMutability(ref reader, "a global's mutability"));
    }

    /// <summary>The error for a byte that begins no type of the kind that is expected.</summary>
    public static WasmFormatException UnknownType(byte code, int offset, string found, string expected)
    {
        string? feature = Unsupported.FeatureOfType(code);
        return feature is null
            ? new WasmFormatException(offset, $"{found} 0x{code:x2}: expected {expected}")
            : Unsupported.Feature(feature, offset, $"type 0x{code:x2}");
    }

    private static bool IsAbstractReference(byte code) => (ValType)code is >= ValType.ExnRef and <= ValType.NullExnRef;

    private static ValType? ReadReferenceType(ref ByteReader reader, byte code) => code switch
    {
        NullableReference => ReadHeapType(ref reader),
        NonNullReference => ReadHeapType(ref reader).AsNonNull(),
        _ => IsAbstractReference(code) ? (ValType)code : null,
    };

    private static Limits ReadLimits(ref ByteReader reader, string owner, out byte flags)
    {
        int offset = reader.Offset;
        flags = reader.ReadByte("a limits flag");
        if (flags >= LimitsHavePageSize)
        {
            string found = $"malformed limits flags 0x{flags:x2} of a {owner}";
            throw flags < 2 * LimitsHavePageSize && owner == "memory"
                ? Unsupported.Feature(Unsupported.CustomPageSizes, offset, found)
                : new WasmFormatException(offset, found + " (integer too large or too long): expected 0x00 to 0x07");
        }

        if ((flags & LimitsShared) != 0 && owner == "table")
        {
            throw new WasmFormatException(offset, $"malformed limits flags 0x{flags:x2} of a table: a table cannot be shared");
        }

        ulong minimum = reader.ReadU64("a minimum size");
        ulong? maximum = (flags & LimitsHaveMaximum) != 0 ? reader.ReadU64("a maximum size") : null;
        return new Limits(minimum, maximum);
    }
}
