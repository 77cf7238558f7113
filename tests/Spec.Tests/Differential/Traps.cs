namespace Everheap.Spec.Tests.Differential;

/// <summary>The words in which either machine's traps are compared. Places are not: which one Wasmtime names depends on how well it compiles.</summary>
internal static class Traps
{
    /// <summary>The host's function failed.</summary>
    public const string Host = "the host failed";

    /// <summary>Nobody caught an exception.</summary>
    public const string Uncaught = "uncaught exception";

    private const string NullReference = "null reference";

    /// <summary>A trap of Wasmtime in the official suite's words. It says of an undefined element that the table is too short.</summary>
    public static string Of(Wasmtime.TrapException trap) => trap.Type switch
    {
        Wasmtime.TrapCode.Undefined when IsUncaught(trap) => Uncaught,
        Wasmtime.TrapCode.NullReference => NullReference,
        Wasmtime.TrapCode.HeapMisaligned => "unaligned atomic",
        Wasmtime.TrapCode.MemoryOutOfBounds => "out of bounds memory access",
        Wasmtime.TrapCode.TableOutOfBounds => "out of bounds table access",
        Wasmtime.TrapCode.IndirectCallToNull => "uninitialized element",
        Wasmtime.TrapCode.BadSignature => "indirect call type mismatch",
        Wasmtime.TrapCode.IntegerOverflow => "integer overflow",
        Wasmtime.TrapCode.IntegerDivisionByZero => "integer divide by zero",
        Wasmtime.TrapCode.BadConversionToInteger => "invalid conversion to integer",
        Wasmtime.TrapCode.Unreachable => "unreachable",
        Wasmtime.TrapCode.StackOverflow => "call stack exhausted",
        Wasmtime.TrapCode other => other.ToString(),
    };

    /// <summary>Whether Wasmtime says that nobody caught an exception. It is no trap to it where a start function throws one.</summary>
    public static bool IsUncaught(Wasmtime.WasmtimeException failure) => failure.Message.Contains("thrown Wasm exception", StringComparison.Ordinal);

    /// <summary>A trap of ours in the words that both have.</summary>
    public static string Of(string trap) => trap switch
    {
        "undefined element" => "out of bounds table access",
        "null function reference" or "null exception reference" => NullReference,
        _ => trap,
    };
}
