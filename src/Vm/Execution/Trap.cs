namespace Everheap.Vm.Execution;

/// <summary>The reasons for which WebAssembly code traps.</summary>
internal enum TrapKind
{
    None,
    Unreachable,
    OutOfBoundsMemory,
    OutOfBoundsTable,
    UndefinedElement,
    UninitializedElement,
    IndirectCallTypeMismatch,
    IntegerDivideByZero,
    IntegerOverflow,
    InvalidConversionToInteger,
    CallStackExhausted,
    NullReference,
    NullFunctionReference,
    NullExceptionReference,
    UncaughtException,
    TooManyExceptions,
    UnalignedAtomic,
    NotSharedMemory,
    WaitsForEver,
}

/// <summary>The traps' names, as the official test suite spells them.</summary>
internal static class TrapKinds
{
    public static string Describe(this TrapKind kind) => kind switch
    {
        TrapKind.Unreachable => "unreachable",
        TrapKind.OutOfBoundsMemory => "out of bounds memory access",
        TrapKind.OutOfBoundsTable => "out of bounds table access",
        TrapKind.UndefinedElement => "undefined element",
        TrapKind.UninitializedElement => "uninitialized element",
        TrapKind.IndirectCallTypeMismatch => "indirect call type mismatch",
        TrapKind.IntegerDivideByZero => "integer divide by zero",
        TrapKind.IntegerOverflow => "integer overflow",
        TrapKind.InvalidConversionToInteger => "invalid conversion to integer",
        TrapKind.CallStackExhausted => "call stack exhausted",
        TrapKind.NullReference => "null reference",
        TrapKind.NullFunctionReference => "null function reference",
        TrapKind.NullExceptionReference => "null exception reference",
        TrapKind.UncaughtException => "uncaught exception",
        TrapKind.TooManyExceptions => "too many exceptions that the program still refers to",
        TrapKind.UnalignedAtomic => "unaligned atomic",
        TrapKind.NotSharedMemory => "expected shared memory",
        TrapKind.WaitsForEver => "deadlock: the only thread waits without a time limit",
        _ => "no trap",
    };
}
