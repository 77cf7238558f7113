namespace Everheap.Vm.Modules;

/// <summary>A value type, numbered as in the binary format (WebAssembly core specification, section 5.3).</summary>
public enum ValType : byte
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

    /// <summary>Reference to a function, or null.</summary>
    FuncRef = 0x70,

    /// <summary>Reference to a host object, or null.</summary>
    ExternRef = 0x6F,
}
