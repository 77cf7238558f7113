using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>What an atomic read-modify-write instruction does with the value that it found.</summary>
internal enum AtomicKind
{
    Add,
    Subtract,
    And,
    Or,
    Xor,
    Exchange,
    CompareExchange,
}

/// <summary>An atomic read-modify-write instruction.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Type">The type of its operands and result.</param>
/// <param name="Size">Bytes in memory.</param>
internal readonly record struct AtomicOperation(AtomicKind Kind, ValType Type, int Size)
{
    // Each kind has seven instructions: whole i32 and i64, then narrow ones of i32 and of i64.
    private const int OpcodesPerKind = 7;

    /// <summary>The operation of a read-modify-write instruction.</summary>
    public static AtomicOperation Of(Opcode opcode)
    {
        int number = opcode - Opcode.I32AtomicRmwAdd;
        var kind = (AtomicKind)(number / OpcodesPerKind);
        return (number % OpcodesPerKind) switch
        {
            0 => new(kind, ValType.I32, 4),
            1 => new(kind, ValType.I64, 8),
            2 => new(kind, ValType.I32, 1),
            3 => new(kind, ValType.I32, 2),
            4 => new(kind, ValType.I64, 1),
            5 => new(kind, ValType.I64, 2),
            _ => new(kind, ValType.I64, 4),
        };
    }

    /// <summary>Bytes in memory that an atomic instruction that is a call looks at.</summary>
    public static int SizeOf(Opcode opcode) => opcode switch
    {
        Opcode.MemoryAtomicNotify or Opcode.MemoryAtomicWait32 => sizeof(uint),
        Opcode.MemoryAtomicWait64 => sizeof(ulong),
        _ => Of(opcode).Size,
    };

    /// <summary>The type of what an atomic instruction that is a call leaves.</summary>
    public static ValType ResultOf(Opcode opcode) => opcode < Opcode.I32AtomicRmwAdd ? ValType.I32 : Of(opcode).Type;

    /// <summary>The plain access that an atomic load or store is, but for its alignment.</summary>
    public static Opcode PlainOf(Opcode opcode) => opcode switch
    {
        Opcode.I32AtomicLoad => Opcode.I32Load,
        Opcode.I64AtomicLoad => Opcode.I64Load,
        Opcode.I32AtomicLoad8U => Opcode.I32Load8U,
        Opcode.I32AtomicLoad16U => Opcode.I32Load16U,
        Opcode.I64AtomicLoad8U => Opcode.I64Load8U,
        Opcode.I64AtomicLoad16U => Opcode.I64Load16U,
        Opcode.I64AtomicLoad32U => Opcode.I64Load32U,
        Opcode.I32AtomicStore => Opcode.I32Store,
        Opcode.I64AtomicStore => Opcode.I64Store,
        Opcode.I32AtomicStore8 => Opcode.I32Store8,
        Opcode.I32AtomicStore16 => Opcode.I32Store16,
        Opcode.I64AtomicStore8 => Opcode.I64Store8,
        Opcode.I64AtomicStore16 => Opcode.I64Store16,
        Opcode.I64AtomicStore32 => Opcode.I64Store32,
        _ => throw new InvalidOperationException($"{opcode} is no atomic load or store."),
    };
}
