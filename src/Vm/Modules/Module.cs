namespace Everheap.Vm.Modules;

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
/// <param name="DeclarationsStart">Offset of the declarations of its locals, from which the offsets in the sections of code metadata count.</param>
public sealed record FunctionBody(ValType[] Locals, int Start, int End, int DeclarationsStart)
{
    /// <summary>How long its code is.</summary>
    internal int Bytes => End - Start;
}

/// <summary>A constant expression, kept as a range of the module's bytes (its <c>end</c> included).</summary>
/// <param name="Start">Offset of its first instruction.</param>
/// <param name="End">Offset just past its <c>end</c>.</param>
public readonly record struct ConstantExpression(int Start, int End);

/// <summary>A declared table.</summary>
/// <param name="Type">Its type.</param>
/// <param name="Initializer">The initial value of every element; null where that is the null reference.</param>
public sealed record TableDeclaration(TableType Type, ConstantExpression? Initializer);

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

    /// <summary>
    /// The type definitions, recursion groups laid out one after the other. Equivalent types (core specification, section 3.1.4) are one object, and types everywhere in the
    /// module name the first of them.
    /// </summary>
    public IReadOnlyList<TypeDefinition> Types { get; internal set; } = [];

    /// <summary>The imports, in order.</summary>
    public IReadOnlyList<Import> Imports { get; internal set; } = [];

    /// <summary>The exports, in order.</summary>
    public IReadOnlyList<Export> Exports { get; internal set; } = [];

    /// <summary>The index, in <see cref="Types"/>, of every function's type, as the module has it; imported functions first.</summary>
    public IReadOnlyList<int> FunctionTypes { get; internal set; } = [];

    /// <summary>The type of every table, imported ones first.</summary>
    public IReadOnlyList<TableType> Tables { get; internal set; } = [];

    /// <summary>The declared tables; entry i is table <see cref="ImportedTableCount"/> + i.</summary>
    public IReadOnlyList<TableDeclaration> TableDeclarations { get; internal set; } = [];

    /// <summary>The type of every memory, imported ones first.</summary>
    public IReadOnlyList<MemoryType> Memories { get; internal set; } = [];

    /// <summary>The type of every tag, imported ones first.</summary>
    public IReadOnlyList<TagType> Tags { get; internal set; } = [];

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

    /// <summary>How many tags are imported.</summary>
    public int ImportedTagCount { get; internal set; }

    /// <summary>
    /// The features beyond WebAssembly 2.0 that the module uses, in the order of <see cref="WasmFeature"/>. Some of them may be decoded and validated, but not run:
    /// <see cref="FeatureNotRunnable"/>.
    /// </summary>
    public IReadOnlyList<FeatureUse> Features => Array.AsReadOnly(FeatureUses.ToArray());

    /// <summary>The first feature that the module uses and that cannot be run, or null where all of it can.</summary>
    public FeatureUse? FeatureNotRunnable => Unsupported.FirstNotRunnable(this);

    /// <summary>The module's own name from its name section, or null.</summary>
    public string? Name => NameSection?.ModuleName;

    /// <summary>
    /// Function names by index, from the name section; empty where there is none, and ending early where it is malformed.
    /// Read when first asked for.
    /// </summary>
    public IReadOnlyDictionary<int, string> FunctionNames => NameSection?.FunctionNames ?? NoFunctionNames;

    /// <summary>Local names by function index and local index, from the name section. Read when first asked for.</summary>
    public IReadOnlyDictionary<(int Function, int Local), string> LocalNames => NameSection?.LocalNames ?? NoLocalNames;

    internal FeatureUses FeatureUses { get; } = new();

    /// <summary>By type index: the first index of an equivalent type.</summary>
    internal int[] CanonicalTypes { get; set; } = [];

    /// <summary>The name section, or null.</summary>
    internal NameSection? NameSection { get; set; }

    /// <summary>What the module says about which way its branches go, or null.</summary>
    internal BranchHints? BranchHints { get; set; }

    /// <summary>The offset of the type section's contents.</summary>
    internal int TypeSectionOffset { get; set; }

    /// <summary>The offset of the table section's contents.</summary>
    internal int TableSectionOffset { get; set; }

    /// <summary>The offset of the start section's contents.</summary>
    internal int StartSectionOffset { get; set; }

    /// <summary>The data count section's number, or null where there is no such section.</summary>
    internal int? DeclaredDataCount { get; set; }

    /// <summary>The type of a function.</summary>
    /// <param name="functionIndex">Its index, imports first.</param>
    /// <returns>The type.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such function.</exception>
    public FunctionType FunctionTypeOf(int functionIndex) => FunctionTypeAt(FunctionTypes[functionIndex]);

    /// <summary>The body of a function that is not imported.</summary>
    internal FunctionBody BodyOf(int functionIndex) => Bodies[functionIndex - ImportedFunctionCount];

    /// <summary>The function type with a type index.</summary>
    /// <param name="typeIndex">The index in <see cref="Types"/>.</param>
    /// <returns>The type.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such type.</exception>
    /// <exception cref="ArgumentException">It is the type of a structure or an array.</exception>
    public FunctionType FunctionTypeAt(int typeIndex) =>
        Types[typeIndex].Function ?? throw new ArgumentException($"type {typeIndex} is no function type", nameof(typeIndex));

    /// <summary>
    /// The first index of a type that is equivalent to one: two types of the module are the same type if and only if this is equal.
    /// Types of the model (locals, parameters, tables, globals, tags) have it already; the immediates of instructions are as written.
    /// </summary>
    /// <param name="typeIndex">An index in <see cref="Types"/>.</param>
    /// <returns>The index, at most <paramref name="typeIndex"/>.</returns>
    public int CanonicalTypeIndex(int typeIndex) => CanonicalTypes[typeIndex];

    /// <summary>A value type as written, with the canonical index of the type that it names, if it names one.</summary>
    /// <param name="type">A type as an instruction has it. Its index must be that of a type.</param>
    internal ValType Canonical(ValType type) => type.IsConcrete ? type.WithTypeIndex(CanonicalTypes[type.TypeIndex]) : type;

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
