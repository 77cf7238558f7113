using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>
/// Modules of one definition, which they export under <see cref="ExportName"/>. A memory, table, global or function reference that a host makes belongs to an instance of one of these, so that everything in a
/// group has an instance for its owner, and lies in the heap as that instance's.
/// </summary>
internal static class DefinedModules
{
    /// <summary>The name of their one export.</summary>
    public const string ExportName = "";

    private const byte TypeSection = 1;
    private const byte ImportSection = 2;
    private const byte TableSection = 4;
    private const byte MemorySection = 5;
    private const byte GlobalSection = 6;
    private const byte ExportSection = 7;
    private const byte FunctionForm = 0x60;
    private const byte EndCode = 0x0B;
    private const int MaximumFlag = 1;
    private const int SharedFlag = 2;
    private const int Is64Flag = 4;

    private static readonly byte[] Preamble = [0, 0x61, 0x73, 0x6D, 1, 0, 0, 0];

    /// <summary>A module with a memory.</summary>
    public static Module OfMemory(MemoryType type) =>
        Build(ExternalKind.Memory, (MemorySection, content => WriteLimits(content, type.Limits, (type.Is64 ? Is64Flag : 0) | (type.IsShared ? SharedFlag : 0))));

    /// <summary>A module with a table of nulls.</summary>
    public static Module OfTable(TableType type) => Build(ExternalKind.Table, (TableSection, content =>
    {
        content.AddRange([(byte)type.ElementType]);
        WriteLimits(content, type.Limits, type.Is64 ? Is64Flag : 0);
    }
    ));

    /// <summary>A module with a global that is zero or null.</summary>
    public static Module OfGlobal(GlobalType type) => Build(ExternalKind.Global, (GlobalSection, content =>
    {
        content.AddRange([(byte)type.ValueType]);
        content.AddRange([type.IsMutable ? (byte)1 : (byte)0]);
        content.AddRange(type.ValueType switch
        {
            ValType.I32 => (byte[])[0x41, 0],
            ValType.I64 => [0x42, 0],
            ValType.F32 => [0x43, 0, 0, 0, 0],
            ValType.F64 => [0x44, 0, 0, 0, 0, 0, 0, 0, 0],
            ValType.V128 => [0xFD, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            _ => [0xD0, (byte)type.ValueType],
        });
        content.AddRange([EndCode]);
    }
    ));

    /// <summary>A module that imports a function and passes it on, so that there is a reference to it.</summary>
    public static Module OfFunction(FunctionType type) => Build(
        ExternalKind.Function,
        (TypeSection, content =>
        {
            content.AddRange([FunctionForm]);
            WriteTypes(content, type.Parameters);
            WriteTypes(content, type.Results);
        }
    ),
        (ImportSection, content => content.AddRange([0, 0, (byte)ExternalKind.Function, 0])));

    private static Module Build(ExternalKind kind, params ReadOnlySpan<(byte Id, Action<List<byte>> Write)> sections)
    {
        var module = new List<byte>();
        module.AddRange(Preamble);
        foreach ((byte id, Action<List<byte>> write) in sections)
        {
            WriteSection(module, id, write);
        }

        WriteSection(module, ExportSection, content => content.AddRange([0, (byte)kind, 0]));
        return Module.Decode(module.ToArray());
    }

    // A section of one entry.
    private static void WriteSection(List<byte> module, byte id, Action<List<byte>> write)
    {
        var content = new List<byte>();
        content.AddRange([1]);
        write(content);
        module.AddRange([id]);
        WriteNumber(module, (uint)content.Count);
        module.AddRange(content);
    }

    private static void WriteTypes(List<byte> content, ReadOnlySpan<ValType> types)
    {
        WriteNumber(content, (uint)types.Length);
        foreach (ValType type in types)
        {
            content.AddRange([(byte)type]);
        }
    }

    private static void WriteLimits(List<byte> content, Limits limits, int flags)
    {
        content.Add((byte)(flags | (limits.Maximum is null ? 0 : MaximumFlag)));
        WriteNumber(content, limits.Minimum);
        if (limits.Maximum is ulong maximum)
        {
            WriteNumber(content, maximum);
        }
    }

    // Unsigned LEB128 (core specification, section 5.2.2).
    private static void WriteNumber(List<byte> content, ulong value)
    {
        while (value >= 0x80)
        {
            content.AddRange([(byte)(value | 0x80)]);
            value >>= 7;
        }

        content.AddRange([(byte)value]);
    }
}
