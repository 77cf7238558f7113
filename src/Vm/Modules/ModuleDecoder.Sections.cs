namespace Everheap.Vm.Modules;

/// <content>The contents of each section.</content>
internal sealed partial class ModuleDecoder
{
    // The fewest bytes that one entry of each kind takes, to hold counts against the bytes that are left.
    private const int ImportBytesMin = 4;
    private const int TableBytesMin = 3;
    private const int MemoryBytesMin = 2;
    private const int TagBytesMin = 2;
    private const int GlobalBytesMin = 3;
    private const int ExportBytesMin = 3;

    private void ReadTypes(ref ByteReader reader)
    {
        _module.TypeSectionOffset = reader.Offset;
        var types = new TypeSectionReader(_features);
        types.Read(ref reader);
        _module.Types = types.Types;
        _module.CanonicalTypes = types.Canonical;
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
                    _functionTypes.Add(ReadFunctionTypeIndex(ref reader));
                    break;
                case ExternalKind.Table:
                    index = _tables.Count;
                    ReadTable(ref reader, isImported: true);
                    break;
                case ExternalKind.Memory:
                    index = _memories.Count;
                    AddMemory(ref reader);
                    break;
                case ExternalKind.Global:
                    index = _globals.Count;
                    _globals.Add(ReadGlobalType(ref reader));
                    break;
                case ExternalKind.Tag:
                    index = _tags.Count;
                    ReadTag(ref reader);
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
        _module.ImportedTagCount = _tags.Count;
    }

    private void ReadFunctions(ref ByteReader reader)
    {
        int offset = reader.Offset;
        int count = reader.ReadCount("functions", ModuleLimits.FunctionsMax, 1);
        CheckTotal("functions", _functionTypes.Count + count, ModuleLimits.FunctionsMax, offset);
        _functionTypes.EnsureCapacity(_functionTypes.Count + count);
        for (int i = 0; i < count; i++)
        {
            _functionTypes.Add(ReadFunctionTypeIndex(ref reader));
        }

        _declaredFunctionCount = count;
    }

    private void ReadTables(ref ByteReader reader)
    {
        int offset = reader.Offset;
        _module.TableSectionOffset = offset;
        int count = reader.ReadCount("tables", ModuleLimits.TablesMax, TableBytesMin);
        CheckTotal("tables", _tables.Count + count, ModuleLimits.TablesMax, offset);
        var tables = new TableDeclaration[count];
        for (int i = 0; i < count; i++)
        {
            tables[i] = ReadTable(ref reader, isImported: false);
        }

        _module.TableDeclarations = tables;
    }

    private TableDeclaration ReadTable(ref ByteReader reader, bool isImported)
    {
        int offset = reader.Offset;
        TableType table = TypeReader.ReadTableType(ref reader, out bool hasInitializer);
        table = table with { ElementType = Resolve(table.ElementType, offset) };
        CheckLimits(table.Limits, table.Is64 ? ulong.MaxValue : uint.MaxValue, "table", offset);
        if (table.Is64)
        {
            _features.Note(WasmFeature.Memory64, offset);
        }

        _tables.Add(table);
        if (!hasInitializer)
        {
            return new TableDeclaration(table, null);
        }

        if (isImported)
        {
            throw new WasmFormatException(offset, "malformed import: an imported table has no initial value of its own (0x40)");
        }

        _features.Note(WasmFeature.FunctionReferences, offset);
        return new TableDeclaration(table, ReadExpression(ref reader));
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
        MemoryType memory = TypeReader.ReadMemoryType(ref reader);
        CheckLimits(memory.Limits, memory.Is64 ? ModuleLimits.Memory64PagesMax : ModuleLimits.MemoryPagesMax, "memory", offset);
        if (memory.IsShared && memory.Limits.Maximum is null)
        {
            throw new WasmFormatException(offset, "shared memory must have maximum: none is declared");
        }

        if (memory.Is64)
        {
            _features.Note(WasmFeature.Memory64, offset);
        }

        if (memory.IsShared)
        {
            _features.Note(WasmFeature.Threads, offset);
        }

        if (_memories.Count > 0)
        {
            _features.Note(WasmFeature.MultipleMemories, offset);
        }

        _memories.Add(memory);
        CheckTotal("memories", _memories.Count, ModuleLimits.MemoriesMax, offset);
    }

    private void ReadTags(ref ByteReader reader)
    {
        int offset = reader.Offset;
        int count = reader.ReadCount("tags", ModuleLimits.TagsMax, TagBytesMin);
        CheckTotal("tags", _tags.Count + count, ModuleLimits.TagsMax, offset);
        for (int i = 0; i < count; i++)
        {
            ReadTag(ref reader);
        }
    }

    private void ReadTag(ref ByteReader reader)
    {
        int offset = reader.Offset;
        _features.Note(WasmFeature.Exceptions, offset);
        byte attribute = reader.ReadByte("a tag's attribute, a zero byte,");
        if (attribute != 0)
        {
            throw new WasmFormatException(offset, $"malformed tag attribute 0x{attribute:x2}: expected 0x00 (exception)");
        }

        offset = reader.Offset;
        int index = _module.CanonicalTypeIndex(ReadFunctionTypeIndex(ref reader));
        FunctionType type = _module.FunctionTypeAt(index);
        if (type.Results.Length != 0)
        {
            throw new WasmFormatException(offset, $"non-empty tag result type: type {index} is {type}, where no results were expected");
        }

        _tags.Add(new TagType(index, type));
    }

    private GlobalType ReadGlobalType(ref ByteReader reader)
    {
        int offset = reader.Offset;
        GlobalType type = TypeReader.ReadGlobalType(ref reader);
        return type with { ValueType = Resolve(type.ValueType, offset) };
    }

    private void ReadGlobals(ref ByteReader reader)
    {
        int offset = reader.Offset;
        var globals = new GlobalDeclaration[reader.ReadCount("globals", ModuleLimits.GlobalsMax, GlobalBytesMin)];
        CheckTotal("globals", _globals.Count + globals.Length, ModuleLimits.GlobalsMax, offset);
        for (int i = 0; i < globals.Length; i++)
        {
            GlobalType type = ReadGlobalType(ref reader);
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
            if (kind > (byte)ExternalKind.Tag)
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

    private int ReadFunctionTypeIndex(ref ByteReader reader)
    {
        int offset = reader.Offset;
        int index = reader.ReadIndex("type");
        CheckIndex("type", index, _module.Types.Count, offset);
        return _module.Types[index].Function is not null
            ? index
            : throw new WasmFormatException(offset, $"type mismatch: type {index} is {_module.Types[index].Type}, where a function type was expected");
    }

    /// <summary>Looks a type that was read up, and notes the features that it belongs to.</summary>
    private ValType Resolve(ValType type, int offset)
    {
        _features.Note(type, offset);
        if (type.IsConcrete)
        {
            CheckIndex("type", type.TypeIndex, _module.Types.Count, offset);
        }

        return _module.Canonical(type);
    }

    private void CheckExportIndex(ExternalKind kind, int index, int offset) => CheckIndex(
        NameOf(kind),
        index,
        kind switch
        {
            ExternalKind.Function => _functionTypes.Count,
            ExternalKind.Table => _tables.Count,
            ExternalKind.Memory => _memories.Count,
            ExternalKind.Global => _globals.Count,
            _ => _tags.Count,
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

    private static void CheckLimits(Limits limits, ulong sizeMax, string owner, int offset)
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

    private static WasmFormatException UnknownKind(byte kind, int offset, string what) => new(
        offset, $"malformed {what} kind 0x{kind:x2}: expected 0x00 (function), 0x01 (table), 0x02 (memory), 0x03 (global) or 0x04 (tag)");

    private static string NameOf(ExternalKind kind) => kind switch
    {
        ExternalKind.Function => "function",
        ExternalKind.Table => "table",
        ExternalKind.Memory => "memory",
        ExternalKind.Global => "global",
        _ => "tag",
    };
}
