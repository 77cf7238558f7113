namespace Everheap.Vm.Modules;

/// <summary>The kinds of section, numbered as in the binary format (core specification, section 5.5.2).</summary>
public enum SectionKind : byte
{
    /// <summary>What is no part of the format itself, under a name.</summary>
    Custom = 0,

    /// <summary>Types.</summary>
    Type = 1,

    /// <summary>Imports.</summary>
    Import = 2,

    /// <summary>The types of the declared functions.</summary>
    Function = 3,

    /// <summary>Tables.</summary>
    Table = 4,

    /// <summary>Memories.</summary>
    Memory = 5,

    /// <summary>Globals.</summary>
    Global = 6,

    /// <summary>Exports.</summary>
    Export = 7,

    /// <summary>The start function.</summary>
    Start = 8,

    /// <summary>Element segments.</summary>
    Element = 9,

    /// <summary>The bodies of the declared functions.</summary>
    Code = 10,

    /// <summary>Data segments.</summary>
    Data = 11,

    /// <summary>How many data segments follow.</summary>
    DataCount = 12,

    /// <summary>Tags of exceptions.</summary>
    Tag = 13,
}

/// <summary>A section, as it lies in a module's bytes.</summary>
/// <param name="Kind">What it holds.</param>
/// <param name="CustomName">The name of a custom section; else null.</param>
/// <param name="Offset">Offset of its contents; of a custom section, of what follows its name.</param>
/// <param name="Length">How many bytes these are.</param>
public readonly record struct ModuleSection(SectionKind Kind, string? CustomName, int Offset, int Length)
{
    /// <summary>A custom section's name, or the kind's as the specification has it, such as <c>data count</c>.</summary>
    public string Name => CustomName ?? (Kind == SectionKind.DataCount ? "data count" : Kind.ToString().ToLowerInvariant());
}
