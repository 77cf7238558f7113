using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <summary>A function that is being made.</summary>
internal sealed class FunctionPlan
{
    public required FunctionType Type { get; init; }

    /// <summary>Its index, imports counted.</summary>
    public required int Index { get; init; }

    /// <summary>The types of its locals, parameters first.</summary>
    public required List<ValType> Locals { get; init; }

    /// <summary>A block, which is not written as one: branches to it return.</summary>
    public required Node Root { get; init; }

    /// <summary>The name that it is exported under, or null.</summary>
    public string? ExportName { get; init; }
}

/// <summary>A table; each has a maximum, as the two machines' own would differ.</summary>
internal sealed record TablePlan(ValType ElementType, int Minimum, int Maximum, bool Is64 = false)
{
    /// <summary>The type of its indices.</summary>
    public ValType IndexType => Is64 ? ValType.I64 : ValType.I32;
}

/// <summary>A memory in pages; each has a maximum, as the two machines' own would differ.</summary>
internal sealed record MemoryPlan(int Minimum, int Maximum, bool Is64 = false)
{
    /// <summary>The type of its addresses.</summary>
    public ValType AddressType => Is64 ? ValType.I64 : ValType.I32;

    /// <summary>Its initial length in bytes.</summary>
    public long Bytes => (long)Minimum * 65536;
}

/// <summary>A global that the module declares itself.</summary>
internal sealed record GlobalPlan(ValType Type, bool IsMutable, Node Initializer);

/// <summary>A segment of functions; null is a null reference.</summary>
internal sealed record ElementPlan(SegmentMode Mode, int Table, Node? Offset, int?[] Functions);

/// <summary>A segment of bytes.</summary>
internal sealed record DataPlan(SegmentMode Mode, int Memory, Node? Offset, byte[] Bytes);

/// <summary>A module that is being made, and what is to be done with it.</summary>
internal sealed class ModulePlan
{
    private readonly List<FunctionType> _types = [];

    /// <summary>The function types, each once.</summary>
    public IReadOnlyList<FunctionType> Types => _types;

    /// <summary>The declared functions; the host's come before them.</summary>
    public List<FunctionPlan> Functions { get; } = [];

    public List<TablePlan> Tables { get; } = [];

    public List<MemoryPlan> Memories { get; } = [];

    /// <summary>The declared globals; the host's come before them.</summary>
    public List<GlobalPlan> Globals { get; } = [];

    public List<ElementPlan> Elements { get; } = [];

    public List<DataPlan> Data { get; } = [];

    /// <summary>The exported functions to be called, in order.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>The index of a function type, which is added where it is not there yet.</summary>
    public int TypeIndexOf(FunctionType type)
    {
        int index = _types.IndexOf(type);
        if (index < 0)
        {
            index = _types.Count;
            _types.Add(type);
        }

        return index;
    }

    /// <summary>The type of a function, imports first.</summary>
    public FunctionType FunctionTypeOf(int function) => function < HostInterface.Functions.Count
        ? HostInterface.Functions[function].Type
        : Functions[function - HostInterface.Functions.Count].Type;

    /// <summary>The types of values to choose from, the likelier ones several times.</summary>
    public required List<ValType> ValueTypes { get; init; }

    /// <summary>What the module uses.</summary>
    public required Features Features { get; init; }

    /// <summary>The types of the values of its exceptions, by tag.</summary>
    public List<ValType[]> Tags { get; } = [];

    /// <summary>The concrete types of references to functions to choose from.</summary>
    public List<ValType> FunctionReferenceTypes { get; } = [];

    /// <summary>The start function, or null.</summary>
    public int? Start { get; set; }

    /// <summary>Whether generated code may call a function: not those that are called from outside, which give themselves new fuel, and not the one in which the host fails.</summary>
    public bool IsForCalls(int function) =>
        function != HostInterface.Fail && (function < HostInterface.Functions.Count || Functions[function - HostInterface.Functions.Count].ExportName is null);

    /// <summary>How many functions there are, imports counted.</summary>
    public int FunctionCount => HostInterface.Functions.Count + Functions.Count;

    /// <summary>The type of a global, imports first.</summary>
    public GlobalType GlobalTypeOf(int global)
    {
        if (global < HostInterface.Globals.Count)
        {
            return new GlobalType(HostInterface.Globals[global].Type, IsMutable: false);
        }

        GlobalPlan plan = Globals[global - HostInterface.Globals.Count];
        return new GlobalType(plan.Type, plan.IsMutable);
    }

    /// <summary>How many globals there are, imports counted.</summary>
    public int GlobalCount => HostInterface.Globals.Count + Globals.Count;
}
