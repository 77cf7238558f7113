using System.Buffers.Binary;

namespace Everheap.Vm.Modules;

/// <summary>
/// Decodes a module's sections (core specification, section 5.5). What is written is checked here; what it means is checked by
/// <see cref="Validation.ModuleValidator"/>.
/// </summary>
/// <remarks>
/// Invariants: sections come at most once and in order; each is read to its exact end; memory allocated is proportional to the
/// module's bytes (the sum of locals, which is not, has a limit of its own).
/// </remarks>
internal sealed partial class ModuleDecoder
{
    private const uint Magic = 0x6D736100;
    private const uint Version = 1;
    private const uint LayerMask = 0xFFFF_0000;
    private const uint ComponentLayer = 0x0001_0000;
    private const int HeaderBytes = 8;
    private const string NameSectionName = "name";

    private readonly Module _module;
    private readonly List<Import> _imports = [];
    private readonly List<int> _functionTypes = [];
    private readonly List<TableType> _tables = [];
    private readonly List<MemoryType> _memories = [];
    private readonly List<GlobalType> _globals = [];
    private readonly List<TagType> _tags = [];
    private readonly FeatureUses _features;
    private int _declaredFunctionCount;
    private int _bodyCount;
    private int _dataCountOffset = -1;
    private int _localsInModule;

    private ModuleDecoder(ReadOnlyMemory<byte> bytes)
    {
        _module = new Module(bytes);
        _features = _module.FeatureUses;
    }

    /// <summary>Decodes a module. It is not validated yet.</summary>
    /// <param name="bytes">The module's bytes.</param>
    /// <returns>The module.</returns>
    /// <exception cref="WasmFormatException">The bytes are no module, or one that needs an unsupported feature.</exception>
    public static Module Decode(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length > ModuleLimits.ModuleBytesMax)
        {
            throw TooLarge();
        }

        var decoder = new ModuleDecoder(bytes);
        decoder.ReadHeader();
        decoder.ReadSections();
        decoder.Finish();
        return decoder._module;
    }

    /// <summary>The error for a module over <see cref="ModuleLimits.ModuleBytesMax"/>.</summary>
    public static WasmFormatException TooLarge() =>
        new(ModuleLimits.ModuleBytesMax, $"the module is too large: at most {ModuleLimits.ModuleBytesMax:N0} bytes are allowed");

    private void ReadHeader()
    {
        ReadOnlySpan<byte> bytes = _module.Bytes.Span;
        if (bytes.Length < sizeof(uint) || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic)
        {
            string hint = bytes.StartsWith("(module"u8) || bytes.StartsWith(";;"u8)
                ? " (this looks like the text format: convert it first, with wat2wasm or wasm-tools parse)"
                : "";
            throw new WasmFormatException(
                0, $"magic header not detected: a WebAssembly module starts with the bytes 00 61 73 6d (unexpected end if it is empty){hint}");
        }

        if (bytes.Length < HeaderBytes)
        {
            throw new WasmFormatException(bytes.Length, "unexpected end, where the version was expected");
        }

        uint version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[sizeof(uint)..]);
        if (version != Version)
        {
            throw (version & LayerMask) == ComponentLayer && (version & ~LayerMask) != 0
                ? Unsupported.Feature(Unsupported.ComponentModel, sizeof(uint), $"a component (version 0x{version:x8})")
                : new WasmFormatException(sizeof(uint), $"unknown binary version 0x{version:x8}: expected 0x00000001");
        }
    }

    private void ReadSections()
    {
        ReadOnlySpan<byte> bytes = _module.Bytes.Span;
        var reader = new ByteReader(bytes, HeaderBytes, bytes.Length);
        SectionKind last = SectionKind.Custom;
        while (!reader.IsAtEnd)
        {
            int offset = reader.Offset;
            var section = (SectionKind)reader.ReadByte("a section");
            if (section > SectionKind.Tag)
            {
                throw new WasmFormatException(offset, $"malformed section id {(byte)section}: expected 0 to {(byte)SectionKind.Tag}");
            }

            int size = reader.ReadByteCount($"a {section} section");
            int start = reader.Offset;
            reader.ReadBytes(size, "a section");
            var contents = new ByteReader(bytes, start, start + size);
            if (section != SectionKind.Custom)
            {
                if (PlaceOf(section) <= PlaceOf(last))
                {
                    throw new WasmFormatException(
                        offset, $"unexpected content after last section: a {section} section may not follow {(section == last ? "another one" : $"the {last} section")}");
                }

                last = section;
            }

            ReadSection(section, ref contents);
            if (!contents.IsAtEnd)
            {
                throw new WasmFormatException(
                    contents.Offset, $"section size mismatch: {contents.Remaining:N0} bytes are left over at the end of the {section} section");
            }
        }
    }

    /// <summary>The sections that came last to the format stand before older ones: tags before globals, the data count before code.</summary>
    private static int PlaceOf(SectionKind section) => section switch
    {
        SectionKind.Tag => (2 * (int)SectionKind.Memory) + 1,
        SectionKind.DataCount => (2 * (int)SectionKind.Element) + 1,
        _ => 2 * (int)section,
    };

    private void ReadSection(SectionKind section, ref ByteReader reader)
    {
        switch (section)
        {
            case SectionKind.Custom:
                ReadCustom(ref reader);
                break;
            case SectionKind.Type:
                ReadTypes(ref reader);
                break;
            case SectionKind.Import:
                ReadImports(ref reader);
                break;
            case SectionKind.Function:
                ReadFunctions(ref reader);
                break;
            case SectionKind.Table:
                ReadTables(ref reader);
                break;
            case SectionKind.Memory:
                ReadMemories(ref reader);
                break;
            case SectionKind.Tag:
                ReadTags(ref reader);
                break;
            case SectionKind.Global:
                ReadGlobals(ref reader);
                break;
            case SectionKind.Export:
                ReadExports(ref reader);
                break;
            case SectionKind.Start:
                _module.StartSectionOffset = reader.Offset;
                _module.StartFunction = reader.ReadIndex("start function");
                break;
            case SectionKind.Element:
                ReadElements(ref reader);
                break;
            case SectionKind.DataCount:
                _dataCountOffset = reader.Offset;
                _module.DeclaredDataCount = reader.ReadIndex("data segment count");
                break;
            case SectionKind.Code:
                ReadCode(ref reader);
                break;
            default:
                ReadData(ref reader);
                break;
        }
    }

    private void ReadCustom(ref ByteReader reader)
    {
        string name = reader.ReadName("a custom section's name");
        if (name == NameSectionName && _module.NameSection is null)
        {
            _module.NameSection = new NameSection(_module.Bytes, reader.Offset, reader.End);
        }

        if (name == BranchHints.SectionName && _module.BranchHints is null)
        {
            _module.BranchHints = new BranchHints(_module, reader.Offset, reader.End);
        }

        reader.ReadBytes(reader.Remaining, "a custom section");
    }

    private void Finish()
    {
        int end = _module.Bytes.Length;
        if (_bodyCount != _declaredFunctionCount)
        {
            throw new WasmFormatException(
                end, $"function and code section have inconsistent lengths: {_declaredFunctionCount:N0} functions, {_bodyCount:N0} bodies");
        }

        if (_module.DeclaredDataCount is int declared && declared != _module.Data.Count)
        {
            throw new WasmFormatException(
                _dataCountOffset, $"data count and data section have inconsistent lengths: {declared:N0} declared, {_module.Data.Count:N0} present");
        }

        _module.Imports = _imports.ToArray();
        _module.FunctionTypes = _functionTypes.ToArray();
        _module.Tables = _tables.ToArray();
        _module.Memories = _memories.ToArray();
        _module.Globals = _globals.ToArray();
        _module.Tags = _tags.ToArray();
    }
}
