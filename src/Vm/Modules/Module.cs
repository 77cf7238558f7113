namespace Everheap.Vm.Modules;

/// <summary>What an import or export names.</summary>
public enum ExternalKind : byte
{
    /// <summary>A function.</summary>
    Function = 0,

    /// <summary>A table.</summary>
    Table = 1,

    /// <summary>A linear memory.</summary>
    Memory = 2,

    /// <summary>A global.</summary>
    Global = 3,
}

/// <summary>Size limits of a memory (in 64 KiB pages) or table (in elements).</summary>
/// <param name="Minimum">The initial size.</param>
/// <param name="Maximum">The largest size, or null where none is declared.</param>
public readonly record struct Limits(uint Minimum, uint? Maximum);

/// <summary>A table's type.</summary>
/// <param name="ElementType">The type of its elements.</param>
/// <param name="Limits">Its size, in elements.</param>
public readonly record struct TableType(ValType ElementType, Limits Limits);

/// <summary>A global's type.</summary>
/// <param name="ValueType">The type of its value.</param>
/// <param name="IsMutable">Whether it may be assigned.</param>
public readonly record struct GlobalType(ValType ValueType, bool IsMutable);

/// <summary>An import.</summary>
/// <param name="ModuleName">The first name.</param>
/// <param name="Name">The second name.</param>
/// <param name="Kind">What is imported.</param>
/// <param name="Index">Its index in the index space of its kind.</param>
public sealed record Import(string ModuleName, string Name, ExternalKind Kind, int Index);

/// <summary>An export.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Kind">What is exported.</param>
/// <param name="Index">Its index in the index space of its kind.</param>
public sealed record Export(string Name, ExternalKind Kind, int Index);

/// <summary>A declared (not imported) function's code.</summary>
/// <param name="Locals">The types of its locals, parameters first.</param>
/// <param name="Start">Offset in the module's bytes of its first instruction.</param>
/// <param name="End">Offset just past its final <c>end</c>.</param>
public sealed record FunctionBody(ValType[] Locals, int Start, int End);

/// <summary>A constant expression, kept as a range of the module's bytes (its <c>end</c> included).</summary>
/// <param name="Start">Offset of its first instruction.</param>
/// <param name="End">Offset just past its <c>end</c>.</param>
public readonly record struct ConstantExpression(int Start, int End);

/// <summary>A declared global.</summary>
/// <param name="Type">Its type.</param>
/// <param name="Initializer">Its initial value.</param>
public sealed record GlobalDeclaration(GlobalType Type, ConstantExpression Initializer);

/// <summary>How a segment is used.</summary>
public enum SegmentMode
{
    /// <summary>Copied at instantiation, then dropped.</summary>
    Active,

    /// <summary>Copied by <c>memory.init</c> or <c>table.init</c>.</summary>
    Passive,

    /// <summary>Elements only: declares functions that may be referenced.</summary>
    Declarative,
}

/// <summary>An element segment.</summary>
/// <param name="Mode">How it is used.</param>
/// <param name="ElementType">The type of its elements.</param>
/// <param name="TableIndex">The table, where active.</param>
/// <param name="Offset">Where in the table, where active.</param>
/// <param name="Functions">Function indices, where the segment lists these; else null.</param>
/// <param name="Expressions">Constant expressions, where the segment lists these; else null.</param>
public sealed record ElementSegment(
    SegmentMode Mode,
    ValType ElementType,
    int TableIndex,
    ConstantExpression Offset,
    int[]? Functions,
    ConstantExpression[]? Expressions);

/// <summary>A data segment; its bytes are a range of the module's bytes.</summary>
/// <param name="Mode">How it is used.</param>
/// <param name="MemoryIndex">The memory, where active.</param>
/// <param name="Offset">Where in the memory, where active.</param>
/// <param name="Start">Offset of its bytes in the module's bytes.</param>
/// <param name="Length">How many bytes.</param>
public sealed record DataSegment(SegmentMode Mode, int MemoryIndex, ConstantExpression Offset, int Start, int Length);

/// <summary>
/// A decoded and validated WebAssembly module. Index spaces list imports first, as the specification does
/// (core specification, section 2.5). Immutable, and safe to share between threads.
/// </summary>
public sealed partial class Module
{
    private static readonly Dictionary<int, string> NoFunctionNames = [];
    private static readonly Dictionary<(int Function, int Local), string> NoLocalNames = [];

    internal Module(ReadOnlyMemory<byte> bytes) => Bytes = bytes;

    /// <summary>The module in the binary format, whole.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>The function types.</summary>
    public IReadOnlyList<FunctionType> Types { get; internal set; } = [];

    /// <summary>The imports, in order.</summary>
    public IReadOnlyList<Import> Imports { get; internal set; } = [];

    /// <summary>The exports, in order.</summary>
    public IReadOnlyList<Export> Exports { get; internal set; } = [];

    /// <summary>The type index of every function, imported ones first.</summary>
    public IReadOnlyList<int> FunctionTypes { get; internal set; } = [];

    /// <summary>The type of every table, imported ones first.</summary>
    public IReadOnlyList<TableType> Tables { get; internal set; } = [];

    /// <summary>The limits of every memory in 64 KiB pages, imported ones first.</summary>
    public IReadOnlyList<Limits> Memories { get; internal set; } = [];

    /// <summary>The type of every global, imported ones first.</summary>
    public IReadOnlyList<GlobalType> Globals { get; internal set; } = [];

    /// <summary>The bodies of the declared functions; entry i is function <see cref="ImportedFunctionCount"/> + i.</summary>
    public IReadOnlyList<FunctionBody> Bodies { get; internal set; } = [];

    /// <summary>The declared globals; entry i is global <see cref="ImportedGlobalCount"/> + i.</summary>
    public IReadOnlyList<GlobalDeclaration> GlobalDeclarations { get; internal set; } = [];

    /// <summary>The element segments.</summary>
    public IReadOnlyList<ElementSegment> Elements { get; internal set; } = [];

    /// <summary>The data segments.</summary>
    public IReadOnlyList<DataSegment> Data { get; internal set; } = [];

    /// <summary>The start function, or null.</summary>
    public int? StartFunction { get; internal set; }

    /// <summary>How many functions are imported.</summary>
    public int ImportedFunctionCount { get; internal set; }

    /// <summary>How many tables are imported.</summary>
    public int ImportedTableCount { get; internal set; }

    /// <summary>How many memories are imported.</summary>
    public int ImportedMemoryCount { get; internal set; }

    /// <summary>How many globals are imported.</summary>
    public int ImportedGlobalCount { get; internal set; }

    /// <summary>The module's own name from its name section, or null.</summary>
    public string? Name => NameSection?.ModuleName;

    /// <summary>
    /// Function names by index, from the name section; empty where there is none, and ending early where it is malformed.
    /// Read when first asked for.
    /// </summary>
    public IReadOnlyDictionary<int, string> FunctionNames => NameSection?.FunctionNames ?? NoFunctionNames;

    /// <summary>Local names by function index and local index, from the name section. Read when first asked for.</summary>
    public IReadOnlyDictionary<(int Function, int Local), string> LocalNames => NameSection?.LocalNames ?? NoLocalNames;

    /// <summary>The name section, or null.</summary>
    internal NameSection? NameSection { get; set; }

    /// <summary>The offset of the start section's contents.</summary>
    internal int StartSectionOffset { get; set; }

    /// <summary>The data count section's number, or null where there is no such section.</summary>
    internal int? DeclaredDataCount { get; set; }

    /// <summary>The type of a function.</summary>
    /// <param name="functionIndex">Its index, imports first.</param>
    /// <returns>The type.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such function.</exception>
    public FunctionType FunctionTypeOf(int functionIndex) => Types[FunctionTypes[functionIndex]];

    /// <summary>The function's name from the name section, an import's or export's name, or <c>func[N]</c>.</summary>
    /// <param name="functionIndex">Its index, imports first.</param>
    /// <returns>A name for people.</returns>
    public string DisplayNameOf(int functionIndex)
    {
        if (FunctionNames.TryGetValue(functionIndex, out string? name))
        {
            return name;
        }

        foreach (Import import in Imports)
        {
            if (import.Kind == ExternalKind.Function && import.Index == functionIndex)
            {
                return import.ModuleName + "." + import.Name;
            }
        }

        foreach (Export export in Exports)
        {
            if (export.Kind == ExternalKind.Function && export.Index == functionIndex)
            {
                return export.Name;
            }
        }

        return $"func[{functionIndex}]";
    }
}
