using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <summary>What code may refer to (the context C of the core specification, section 3.1), in plain arrays.</summary>
internal sealed class ValidationContext
{
    private readonly bool[] _isDeclared;

    public ValidationContext(Module module)
    {
        Module = module;
        Types = [.. module.Types.Select(type => type.Function!)];
        FunctionTypes = [.. module.FunctionTypes];
        Tables = [.. module.Tables];
        Globals = [.. module.Globals];
        Elements = [.. module.Elements];
        HasMemory = module.Memories.Count > 0;
        _isDeclared = new bool[FunctionTypes.Length];
    }

    public Module Module { get; }

    public FunctionType[] Types { get; }

    public int[] FunctionTypes { get; }

    public TableType[] Tables { get; }

    public GlobalType[] Globals { get; }

    public ElementSegment[] Elements { get; }

    public bool HasMemory { get; }

    /// <summary>Adds a function to those that code may make references to (C.refs): it occurs outside of code.</summary>
    public void Declare(int functionIndex) => _isDeclared[functionIndex] = true;

    public bool IsDeclared(int functionIndex) => _isDeclared[functionIndex];
}
