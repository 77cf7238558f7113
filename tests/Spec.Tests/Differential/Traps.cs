namespace Everheap.Spec.Tests.Differential;

/// <summary>The words in which either machine's traps are compared.</summary>
internal static class Traps
{
    /// <summary>The host's function failed.</summary>
    public const string Host = "the host failed";

    /// <summary>A trap of Wasmtime in the official suite's words. It says of an undefined element that the table is too short.</summary>
    public static string Of(Wasmtime.TrapCode code) => code switch
    {
        Wasmtime.TrapCode.MemoryOutOfBounds => "out of bounds memory access",
        Wasmtime.TrapCode.TableOutOfBounds => "out of bounds table access",
        Wasmtime.TrapCode.IndirectCallToNull => "uninitialized element",
        Wasmtime.TrapCode.BadSignature => "indirect call type mismatch",
        Wasmtime.TrapCode.IntegerOverflow => "integer overflow",
        Wasmtime.TrapCode.IntegerDivisionByZero => "integer divide by zero",
        Wasmtime.TrapCode.BadConversionToInteger => "invalid conversion to integer",
        Wasmtime.TrapCode.Unreachable => "unreachable",
        Wasmtime.TrapCode.StackOverflow => "call stack exhausted",
        _ => code.ToString(),
    };

    /// <summary>A trap of ours in the words that both have.</summary>
    public static string Of(string trap) => trap == "undefined element" ? "out of bounds table access" : trap;
}
