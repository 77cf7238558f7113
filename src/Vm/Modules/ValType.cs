using System.Diagnostics.CodeAnalysis;

namespace Everheap.Vm.Modules;

/// <summary>
/// A value type (WebAssembly core specification, sections 2.3 and 5.3). Numbers, vectors and nullable abstract references have the numbers of the binary format; other
/// references are made and looked into with <see cref="ValTypes"/>: flag 0x100 for those that cannot be null, flag 0x200 and the type's index from bit 10 on for those of a module's own type.
/// </summary>
[SuppressMessage("Design", "CA1028", Justification = "The high bits hold a type index.")]
public enum ValType : uint
{
    /// <summary>No value: used where a type is unknown because the code is unreachable.</summary>
    Bottom = 0,

    /// <summary>32-bit integer.</summary>
    I32 = 0x7F,

    /// <summary>64-bit integer.</summary>
    I64 = 0x7E,

    /// <summary>32-bit IEEE 754 number.</summary>
    F32 = 0x7D,

    /// <summary>64-bit IEEE 754 number.</summary>
    F64 = 0x7C,

    /// <summary>128-bit vector.</summary>
    V128 = 0x7B,

    /// <summary>Packed 8-bit integer: in fields of structures and arrays only.</summary>
    I8 = 0x78,

    /// <summary>Packed 16-bit integer: in fields of structures and arrays only.</summary>
    I16 = 0x77,

    /// <summary>Null, of an exception's type.</summary>
    NullExnRef = 0x74,

    /// <summary>Null, of a function's type.</summary>
    NullFuncRef = 0x73,

    /// <summary>Null, of a host object's type.</summary>
    NullExternRef = 0x72,

    /// <summary>Null, of an internal object's type.</summary>
    NullRef = 0x71,

    /// <summary>Reference to a function, or null.</summary>
    FuncRef = 0x70,

    /// <summary>Reference to a host object, or null.</summary>
    ExternRef = 0x6F,

    /// <summary>Reference to any internal object, or null.</summary>
    AnyRef = 0x6E,

    /// <summary>Reference to an internal object that can be compared, or null.</summary>
    EqRef = 0x6D,

    /// <summary>Reference to an unboxed 31-bit integer, or null.</summary>
    I31Ref = 0x6C,

    /// <summary>Reference to any structure, or null.</summary>
    StructRef = 0x6B,

    /// <summary>Reference to any array, or null.</summary>
    ArrayRef = 0x6A,

    /// <summary>Reference to an exception, or null.</summary>
    ExnRef = 0x69,
}
