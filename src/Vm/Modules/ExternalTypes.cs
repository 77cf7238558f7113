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

    /// <summary>A tag of exceptions.</summary>
    Tag = 4,
}

/// <summary>Size limits of a memory (in 64 KiB pages) or table (in elements).</summary>
/// <param name="Minimum">The initial size.</param>
/// <param name="Maximum">The largest size, or null where none is declared.</param>
public readonly record struct Limits(ulong Minimum, ulong? Maximum);

/// <summary>A memory's type.</summary>
/// <param name="Limits">Its size, in pages of 64 KiB.</param>
/// <param name="Is64">Whether its addresses are i64; else they are i32.</param>
/// <param name="IsShared">Whether threads may share it; its maximum is declared then.</param>
public readonly record struct MemoryType(Limits Limits, bool Is64 = false, bool IsShared = false)
{
    /// <summary>The type of its addresses and sizes: i32 or i64.</summary>
    public ValType AddressType => Is64 ? ValType.I64 : ValType.I32;
}

/// <summary>A table's type.</summary>
/// <param name="ElementType">The type of its elements.</param>
/// <param name="Limits">Its size, in elements.</param>
/// <param name="Is64">Whether its indices are i64; else they are i32.</param>
public readonly record struct TableType(ValType ElementType, Limits Limits, bool Is64 = false)
{
    /// <summary>The type of its indices and sizes: i32 or i64.</summary>
    public ValType AddressType => Is64 ? ValType.I64 : ValType.I32;
}

/// <summary>A global's type.</summary>
/// <param name="ValueType">The type of its value.</param>
/// <param name="IsMutable">Whether it may be assigned.</param>
public readonly record struct GlobalType(ValType ValueType, bool IsMutable);

/// <summary>A tag's type.</summary>
/// <param name="TypeIndex">The canonical index of its function type in the module.</param>
/// <param name="Type">That type: its parameters are the values that an exception carries; it has no results.</param>
public readonly record struct TagType(int TypeIndex, FunctionType Type);
