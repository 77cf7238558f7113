namespace Everheap.Spec.Tests.Differential;

/// <summary>What generated modules may use beyond WebAssembly 2.0 without vectors.</summary>
[Flags]
internal enum Features
{
    None = 0,
    Vectors = 1,
    TailCalls = 2,
    Exceptions = 4,
    FunctionReferences = 8,
    MultipleMemories = 16,

    /// <summary>64-bit addresses of memories and of tables.</summary>
    Memory64 = 32,
    ExtendedConstants = 64,
    Atomics = 128,

    /// <summary>All that the generator can make.</summary>
    All = Vectors | TailCalls | Exceptions | FunctionReferences | MultipleMemories | Memory64 | ExtendedConstants | Atomics,
}
