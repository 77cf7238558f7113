using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <summary>What code may refer to (the context C of the core specification, section 3.1), in plain arrays.</summary>
internal sealed class ValidationContext
{
    private readonly bool[] _isDeclared;

    public ValidationContext(Module module)
    {
        Module = module;
        Types = [.. module.Types];
        FunctionTypes = [.. module.FunctionTypes];
        Tables = [.. module.Tables];
        Memories = [.. module.Memories];
        Globals = [.. module.Globals];
        Tags = [.. module.Tags];
        Elements = [.. module.Elements];
        Subtypes = new Subtypes(Types);
        _isDeclared = new bool[FunctionTypes.Length];
    }

    public Module Module { get; }

    public TypeDefinition[] Types { get; }

    public int[] FunctionTypes { get; }

    public TableType[] Tables { get; }

    public MemoryType[] Memories { get; }

    public GlobalType[] Globals { get; }

    public TagType[] Tags { get; }

    public ElementSegment[] Elements { get; }

    public Subtypes Subtypes { get; }

    public FeatureUses Features => Module.FeatureUses;

    /// <summary>Adds a function to those that code may make references to (C.refs): it occurs outside of code.</summary>
    public void Declare(int functionIndex) => _isDeclared[functionIndex] = true;

    public bool IsDeclared(int functionIndex) => _isDeclared[functionIndex];
}
