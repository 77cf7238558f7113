using System.Runtime.InteropServices;

namespace Everheap.Vm.Modules;

/// <summary>
/// Reads the type section (core specification, section 5.5.4): recursion groups of types with their supertypes. Equivalent groups become one, so that types can be told apart by
/// index from then on (section 3.1.4).
/// </summary>
/// <remarks>
/// Invariants: <see cref="_canonical"/>[i] &lt;= i; what lies before the group that is being read has canonical indices only, and what refers into the group itself has its own.
/// </remarks>
internal sealed class TypeSectionReader
{
    private const byte FunctionForm = 0x60;
    private const byte StructForm = 0x5F;
    private const byte ArrayForm = 0x5E;
    private const byte SubtypeForm = 0x50;
    private const byte FinalSubtypeForm = 0x4F;
    private const byte GroupForm = 0x4E;
    private const int GroupBytesMin = 2;
    private const int TypeBytesMin = 2;
    private const int FieldBytesMin = 2;

    private readonly FeatureUses _features;
    private readonly List<TypeDefinition> _types = [];
    private readonly List<int> _canonical = [];
    private readonly HashSet<int> _groups;
    private int _groupStart;
    private int _groupLength;

    public TypeSectionReader(FeatureUses features)
    {
        _features = features;
        _groups = new HashSet<int>(new GroupComparer(_types));
    }

    /// <summary>The definitions; equivalent ones are one object.</summary>
    public TypeDefinition[] Types => [.. _types];

    /// <summary>By index: the first index of an equivalent type.</summary>
    public int[] Canonical => [.. _canonical];

    public void Read(ref ByteReader reader)
    {
        int groupCount = reader.ReadCount("types", ModuleLimits.TypesMax, GroupBytesMin);
        for (int i = 0; i < groupCount; i++)
        {
            ReadGroup(ref reader);
        }
    }

    private void ReadGroup(ref ByteReader reader)
    {
        int offset = reader.Offset;
        _groupStart = _types.Count;
        _groupLength = 1;
        if (reader.PeekByte("a type") == GroupForm)
        {
            reader.ReadByte("a recursion group");
            _features.Note(WasmFeature.GarbageCollection, offset);
            _groupLength = reader.ReadCount("types of a recursion group", ModuleLimits.TypesMax, TypeBytesMin);
        }

        if (_groupLength > ModuleLimits.TypesMax - _groupStart)
        {
            throw new WasmFormatException(
                offset, $"too many types: {(long)_groupStart + _groupLength:N0} in all recursion groups, where at most {ModuleLimits.TypesMax:N0} are allowed");
        }

        for (int i = 0; i < _groupLength; i++)
        {
            _types.Add(ReadDefinition(ref reader));
        }

        Canonicalize();
    }

    // A group that an earlier one is equivalent to takes over that one's definitions.
    private void Canonicalize()
    {
        if (_groupLength == 0)
        {
            return;
        }

        int first = _groups.TryGetValue(_groupStart, out int earlier) ? earlier : _groupStart;
        if (first == _groupStart)
        {
            _groups.Add(first);
        }

        Span<TypeDefinition> types = CollectionsMarshal.AsSpan(_types);
        for (int i = 0; i < _groupLength; i++)
        {
            types[_groupStart + i] = types[first + i];
            _canonical.Add(first + i);
        }
    }

    private TypeDefinition ReadDefinition(ref ByteReader reader)
    {
        int offset = reader.Offset;
        byte form = reader.ReadByte("a type");
        if (form is not (SubtypeForm or FinalSubtypeForm))
        {
            return new TypeDefinition(ReadComposite(ref reader, form, offset), null, IsFinal: true, 0, _groupStart, _groupLength);
        }

        _features.Note(WasmFeature.GarbageCollection, offset);
        int? supertype = null;
        int depth = 0;
        int supertypesOffset = reader.Offset;
        uint supertypes = reader.ReadU32("the number of supertypes");
        if (supertypes > 1)
        {
            throw new WasmFormatException(supertypesOffset, $"sub type with {supertypes:N0} supertypes, where at most one is allowed");
        }

        if (supertypes == 1)
        {
            supertypesOffset = reader.Offset;
            int index = reader.ReadIndex("type");
            if (index >= _types.Count)
            {
                throw new WasmFormatException(supertypesOffset, $"unknown type {index} as supertype, where one before type {_types.Count:N0} was expected");
            }

            supertype = CanonicalOf(index);
            depth = _types[index].Depth + 1;
            if (depth > ModuleLimits.SubtypeDepthMax)
            {
                throw new WasmFormatException(
                    supertypesOffset, $"the type hierarchy is too deep: type {_types.Count:N0} has {depth:N0} supertypes, where at most {ModuleLimits.SubtypeDepthMax} are allowed");
            }
        }

        int compositeOffset = reader.Offset;
        CompositeType composite = ReadComposite(ref reader, reader.ReadByte("a type"), compositeOffset);
        return new TypeDefinition(composite, supertype, form == FinalSubtypeForm, depth, _groupStart, _groupLength);
    }

    private CompositeType ReadComposite(ref ByteReader reader, byte form, int offset)
    {
        switch (form)
        {
            case FunctionForm:
                return new FunctionType(
                    ReadValueTypes(ref reader, "parameters", ModuleLimits.ParametersMax), ReadValueTypes(ref reader, "results", ModuleLimits.ResultsMax));
            case StructForm:
                _features.Note(WasmFeature.GarbageCollection, offset);
                var fields = new FieldType[reader.ReadCount("fields of a structure", ModuleLimits.StructFieldsMax, FieldBytesMin)];
                for (int i = 0; i < fields.Length; i++)
                {
                    fields[i] = ReadField(ref reader);
                }

                return new StructType(fields);
            case ArrayForm:
                _features.Note(WasmFeature.GarbageCollection, offset);
                return new ArrayType(ReadField(ref reader));
            default:
                throw TypeReader.UnknownType(
                    form, offset, "malformed type definition (integer representation too long)", "a function type (0x60), a structure (0x5f) or an array (0x5e)");
        }
    }

    private ValType[] ReadValueTypes(ref ByteReader reader, string what, int max)
    {
        int offset = reader.Offset;
        ValType[] types = TypeReader.ReadValueTypes(ref reader, what, max);
        foreach (ref ValType type in types.AsSpan())
        {
            type = Resolve(type, offset);
        }

        return types;
    }

    private FieldType ReadField(ref ByteReader reader)
    {
        int offset = reader.Offset;
        ValType type = Resolve(TypeReader.ReadStorageType(ref reader), offset);
        return new FieldType(type, TypeReader.ReadMutability(ref reader, "a field's mutability"));
    }

    private ValType Resolve(ValType type, int offset)
    {
        _features.Note(type, offset);
        if (!type.IsConcrete)
        {
            return type;
        }

        int end = _groupStart + _groupLength;
        return type.TypeIndex < end
            ? type.WithTypeIndex(CanonicalOf(type.TypeIndex))
            : throw new WasmFormatException(offset, $"unknown type {type.TypeIndex}, where one before {end:N0}, the end of its recursion group, was expected");
    }

    private int CanonicalOf(int index) => index < _groupStart ? _canonical[index] : index;
}
