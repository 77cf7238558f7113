namespace Everheap.Vm.Modules;

/// <summary>
/// The words for features that are refused by name, so that the answer to a module that needs one is not a bare "unknown opcode". Some are recognised and refused when a module
/// is decoded; others are decoded and validated, and refused when the module is to be instantiated.
/// </summary>
internal static class Unsupported
{
    public const string CustomPageSizes = "custom-page-sizes";
    public const string StackSwitching = "stack-switching";
    public const string WideArithmetic = "wide-arithmetic";
    public const string ComponentModel = "component-model";

    /// <summary>What is decoded and validated, but cannot be run.</summary>
    private static readonly WasmFeature[] NotRunnable =
    [
        WasmFeature.GarbageCollection,
    ];

    /// <summary>The error for a feature that is not decoded, found at a place.</summary>
    /// <param name="feature">One of the constants of this class.</param>
    /// <param name="offset">Where it is used.</param>
    /// <param name="found">What was found there.</param>
    public static WasmFormatException Feature(string feature, int offset, string found) =>
        new(offset, $"{found}: the module uses {DescriptionOf(feature)}, which is not supported yet; {AdviceOn(feature)}", feature);

    /// <summary>The first feature that a module uses and that cannot be run, or null.</summary>
    public static FeatureUse? FirstNotRunnable(Module module) => UsesNotRunnable(module).Cast<FeatureUse?>().FirstOrDefault();

    /// <summary>The features that a module uses and that cannot be run, each in a line.</summary>
    public static IEnumerable<string> DescribeNotRunnable(Module module) => UsesNotRunnable(module).Select(static use =>
    {
        (string description, string advice) = WordsFor(use.Feature);
        return $"the module uses {description}, first at byte 0x{use.Offset:x}, which is not supported yet; {advice}";
    });

    /// <summary>Refuses a module that cannot be run.</summary>
    /// <exception cref="WasmFormatException">It uses a feature that cannot be run; its name is in the exception.</exception>
    public static void ThrowIfNotRunnable(Module module)
    {
        if (FirstNotRunnable(module) is not FeatureUse use)
        {
            return;
        }

        (string description, string advice) = WordsFor(use.Feature);
        throw new WasmFormatException(
            use.Offset, $"the module uses {description}: it is valid, but cannot be run, as this is not supported yet; {advice}", NameOf(use.Feature));
    }

    /// <summary>A feature's short name.</summary>
    public static string NameOf(WasmFeature feature) => feature switch
    {
        WasmFeature.Simd => "simd",
        WasmFeature.RelaxedSimd => "relaxed-simd",
        WasmFeature.Threads => "threads",
        WasmFeature.Exceptions => "exceptions",
        WasmFeature.LegacyExceptions => "legacy-exceptions",
        WasmFeature.TailCalls => "tail-calls",
        WasmFeature.FunctionReferences => "function-references",
        WasmFeature.MultipleMemories => "multi-memory",
        WasmFeature.Memory64 => "memory64",
        WasmFeature.ExtendedConstants => "extended-const",
        _ => "gc",
    };

    /// <summary>The feature that a one-byte opcode belongs to, or null where the byte is no known opcode.</summary>
    public static string? FeatureOfOpcode(byte opcode) => opcode is >= 0xE0 and <= 0xE6 ? StackSwitching : null;

    /// <summary>The feature that a type's first byte belongs to, or null where the byte is no known type.</summary>
    public static string? FeatureOfType(byte type) => type is 0x68 or 0x75 or 0x5D ? StackSwitching : null;

    private static IEnumerable<FeatureUse> UsesNotRunnable(Module module) => module.Features.Where(static use => NotRunnable.Contains(use.Feature));

    private static string DescriptionOf(string feature) => feature switch
    {
        CustomPageSizes => "custom memory page sizes",
        StackSwitching => "stack switching",
        WideArithmetic => "128-bit arithmetic (wide-arithmetic)",
        _ => "the component model",
    };

    private static string AdviceOn(string feature) => feature == ComponentModel
        ? "compile it as a core module for WASI preview 1 (for example, rustc's target wasm32-wasip1), or take the core modules out of it (wasm-tools component unbundle FILE --module-dir FOLDER)"
        : "compile it for WebAssembly 3.0";

    private static (string Description, string Advice) WordsFor(WasmFeature feature) => feature switch
    {
        WasmFeature.Simd => ("128-bit vectors (SIMD)", "compile it without them (clang: -mno-simd128; rustc: -C target-feature=-simd128)"),
        WasmFeature.RelaxedSimd => ("relaxed vector instructions", "compile it without them (clang: -mno-relaxed-simd)"),
        WasmFeature.Threads => (
            "shared memories or atomic instructions (threads)", "compile it for a single thread (clang: --target=wasm32-wasi without -pthread)"),
        WasmFeature.Exceptions => ("exception handling", "compile it without exceptions (clang: -fno-exceptions)"),
        WasmFeature.LegacyExceptions => ("the exception handling from before WebAssembly 3.0", "compile it without exceptions (clang: -fno-exceptions)"),
        WasmFeature.TailCalls => ("tail calls", "compile it without them (clang: -mno-tail-call)"),
        WasmFeature.FunctionReferences => ("typed function references", "compile it for WebAssembly 2.0"),
        WasmFeature.MultipleMemories => ("more than one memory (multi-memory)", "compile it for WebAssembly 2.0"),
        WasmFeature.Memory64 => ("64-bit addresses (memory64)", "compile it for wasm32"),
        WasmFeature.ExtendedConstants => ("extended constant expressions", "compile it without them (clang: -mno-extended-const)"),
        _ => ("structures, arrays, i31, casts or recursive types (garbage-collected types)", "compile it for a target that manages its memory itself"),
    };
}
