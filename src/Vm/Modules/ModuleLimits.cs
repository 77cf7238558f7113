namespace Everheap.Vm.Modules;

/// <summary>
/// The largest modules that are accepted. Most values are those of the WebAssembly JavaScript interface ("implementation-defined
/// limits"), which compilers keep to; the others bound what a hostile module can make the decoder allocate.
/// </summary>
public static class ModuleLimits
{
    /// <summary>The largest module, in bytes.</summary>
    public const int ModuleBytesMax = 1 << 30;

    /// <summary>The most types, those of all recursion groups together.</summary>
    public const int TypesMax = 1_000_000;

    /// <summary>How many supertypes may be above a type.</summary>
    public const int SubtypeDepthMax = 63;

    /// <summary>The most fields of a structure.</summary>
    public const int StructFieldsMax = 10_000;

    /// <summary>The most elements that <c>array.new_fixed</c> takes from the operand stack.</summary>
    public const int ArrayNewFixedElementsMax = 10_000;

    /// <summary>The most functions, imported ones included.</summary>
    public const int FunctionsMax = 1_000_000;

    /// <summary>The most imports.</summary>
    public const int ImportsMax = 1_000_000;

    /// <summary>The most exports.</summary>
    public const int ExportsMax = 1_000_000;

    /// <summary>The most globals, imported ones included.</summary>
    public const int GlobalsMax = 1_000_000;

    /// <summary>The most tables, imported ones included.</summary>
    public const int TablesMax = 100_000;

    /// <summary>The most linear memories, imported ones included.</summary>
    public const int MemoriesMax = 100;

    /// <summary>The most tags, imported ones included.</summary>
    public const int TagsMax = 1_000_000;

    /// <summary>The most element segments.</summary>
    public const int ElementSegmentsMax = 100_000;

    /// <summary>The most elements of one element segment.</summary>
    public const int ElementsMax = 10_000_000;

    /// <summary>The most data segments.</summary>
    public const int DataSegmentsMax = 100_000;

    /// <summary>The most parameters of a function or block.</summary>
    public const int ParametersMax = 1_000;

    /// <summary>The most results of a function or block.</summary>
    public const int ResultsMax = 1_000;

    /// <summary>The largest function body, in bytes.</summary>
    public const int FunctionBytesMax = 7_654_321;

    /// <summary>The most locals of one function, its parameters included.</summary>
    public const int LocalsMax = 50_000;

    /// <summary>The most locals of all functions together: a few bytes declare 50,000, so their sum needs a bound of its own.</summary>
    public const int LocalsInModuleMax = 50_000_000;

    /// <summary>The most labels of one <c>br_table</c>, its default not counted.</summary>
    public const int BranchTableLabelsMax = 65_520;

    /// <summary>The most clauses of one <c>try_table</c>.</summary>
    public const int CatchClausesMax = 10_000;

    /// <summary>How deep blocks may nest in a function.</summary>
    public const int NestingMax = 65_536;

    /// <summary>How many values a function may have on its operand stack at once.</summary>
    public const int OperandsMax = 65_536;

    /// <summary>The longest name of an import, export or section, in bytes of UTF-8.</summary>
    public const int NameBytesMax = 100_000;

    /// <summary>The most names of one kind that are taken from the name section; the rest is ignored.</summary>
    public const int DebugNamesMax = 1_000_000;

    /// <summary>The largest linear memory with 32-bit addresses, in pages of 64 KiB.</summary>
    public const uint MemoryPagesMax = 65_536;

    /// <summary>The largest linear memory with 64-bit addresses that may be declared, in pages of 64 KiB.</summary>
    public const ulong Memory64PagesMax = 1UL << 48;
}
