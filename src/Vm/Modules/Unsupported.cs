namespace Everheap.Vm.Modules;

/// <summary>
/// The features beyond WebAssembly 2.0 (and its vectors) that are recognised in order to be refused by name, so that the
/// answer to a module that needs one is not a bare "unknown opcode".
/// </summary>
internal static class Unsupported
{
    public const string Simd = "simd";
    public const string Threads = "threads";
    public const string Exceptions = "exceptions";
    public const string TailCalls = "tail-calls";
    public const string GarbageCollection = "gc";
    public const string FunctionReferences = "function-references";
    public const string MultipleMemories = "multi-memory";
    public const string Memory64 = "memory64";
    public const string CustomPageSizes = "custom-page-sizes";
    public const string ExtendedConstants = "extended-const";
    public const string StackSwitching = "stack-switching";
    public const string WideArithmetic = "wide-arithmetic";
    public const string ComponentModel = "component-model";

    /// <summary>The error for a feature, found at a place.</summary>
    /// <param name="feature">One of the constants of this class.</param>
    /// <param name="offset">Where it is used.</param>
    /// <param name="found">What was found there.</param>
    public static WasmFormatException Feature(string feature, int offset, string found) =>
        new(offset, $"{found}: the module uses {DescriptionOf(feature)}, which {VerbOf(feature)} not supported yet; {AdviceOn(feature)}", feature);

    private static string DescriptionOf(string feature) => feature switch
    {
        Simd => "128-bit vectors (SIMD)",
        Threads => "threads (shared memories and atomic instructions)",
        Exceptions => "exception handling",
        TailCalls => "tail calls",
        GarbageCollection => "garbage-collected types (GC)",
        FunctionReferences => "typed function references",
        MultipleMemories => "more than one memory (multi-memory)",
        Memory64 => "64-bit addresses (memory64)",
        CustomPageSizes => "custom memory page sizes",
        ExtendedConstants => "extended constant expressions",
        StackSwitching => "stack switching",
        WideArithmetic => "128-bit arithmetic (wide-arithmetic)",
        _ => "the component model",
    };

    private static string VerbOf(string feature) => feature switch
    {
        Exceptions or CustomPageSizes or MultipleMemories or Memory64 or GarbageCollection or StackSwitching or WideArithmetic or ComponentModel => "is",
        _ => "are",
    };

    private static string AdviceOn(string feature) => feature switch
    {
        Simd => "compile it without them (clang: -mno-simd128; rustc: -C target-feature=-simd128)",
        Threads => "compile it for a single thread (clang: --target=wasm32-wasi without -pthread)",
        Exceptions => "compile it without them (clang: -fno-exceptions)",
        TailCalls => "compile it without them (clang: -mno-tail-call)",
        Memory64 => "compile it for wasm32",
        ExtendedConstants => "compile it without them (clang: -mno-extended-const)",
        ComponentModel => "compile it as a core module for WASI preview 1 (for example, the target wasm32-wasip1)",
        _ => "compile it for WebAssembly 2.0",
    };

    /// <summary>The feature that a one-byte opcode belongs to, or null where the byte is no known opcode.</summary>
    public static string? FeatureOfOpcode(byte opcode) => opcode switch
    {
        0x06 or 0x07 or 0x08 or 0x09 or 0x0A or 0x18 or 0x19 or 0x1F => Exceptions,
        0x12 or 0x13 => TailCalls,
        0x14 or 0x15 or 0xD4 or 0xD5 or 0xD6 => FunctionReferences,
        0xD3 or 0xFB => GarbageCollection,
        >= 0xE0 and <= 0xE6 => StackSwitching,
        0xFD => Simd,
        0xFE => Threads,
        _ => null,
    };

    /// <summary>The feature that a type's first byte belongs to, or null where the byte is no known type.</summary>
    public static string? FeatureOfType(byte type) => type switch
    {
        0x7B => Simd,
        0x63 or 0x64 => FunctionReferences,
        0x78 or 0x77 or 0x6E or 0x6D or 0x6C or 0x6B or 0x6A or 0x71 or 0x72 or 0x73 => GarbageCollection,
        0x5F or 0x5E or 0x50 or 0x4F or 0x4E => GarbageCollection,
        0x69 or 0x74 => Exceptions,
        0x68 or 0x75 or 0x5D => StackSwitching,
        _ => null,
    };
}
