using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <content>Atomic accesses. They are of naturally aligned addresses, and trap at others.</content>
internal sealed partial class FunctionGenerator
{
    // Their groups have seven members each: i32, i64, i32 8 bits, i32 16 bits, i64 8 bits, i64 16 bits, i64 32 bits.
    private const int AtomicGroup = 7;

    private static readonly int[] AtomicAlignments = [2, 3, 0, 1, 0, 1, 2];

    private static ValType AtomicType(int member) => member is 0 or 2 or 3 ? ValType.I32 : ValType.I64;

    private Node AtomicAddress(int memory, int alignment, out long offset)
    {
        Node address = Address(memory, out offset);
        if (Chance(4))
        {
            return address;
        }

        offset &= -(1L << alignment);
        return _plan.Memories[memory].Is64
            ? Node.Of(Opcode.I64And, ValType.I64, address, EdgeValues.I64(-(1L << alignment)))
            : Node.Of(Opcode.I32And, ValType.I32, address, EdgeValues.I32(-(1 << alignment)));
    }

    /// <summary>An atomic instruction that leaves a value: a load, an exchange, a compare and exchange, or one that wakes nobody.</summary>
    private Node? Atomic(ValType type)
    {
        if (!Has(Features.Atomics) || _plan.Memories.Count == 0 || type is not (ValType.I32 or ValType.I64))
        {
            return null;
        }

        int memory = _random.Next(_plan.Memories.Count);
        if (type == ValType.I32 && Chance(5))
        {
            // Without an offset: where the sum with one does not fit the address's type, Wasmtime traps before it looks at the alignment, here alone.
            Node at = AtomicAddress(memory, 2, out _);
            return new Node
            {
                Opcode = Opcode.MemoryAtomicNotify,
                Results = [type],
                Operands = [at, Value(ValType.I32)],
                Immediates = MemoryImmediates(2, memory, 0),
            };
        }

        int member;
        do
        {
            member = _random.Next(AtomicGroup);
        }
        while (AtomicType(member) != type);
        Opcode first = OneOf<Opcode>(
        [
            Opcode.I32AtomicLoad, Opcode.I32AtomicRmwAdd, Opcode.I32AtomicRmwSub, Opcode.I32AtomicRmwAnd, Opcode.I32AtomicRmwOr, Opcode.I32AtomicRmwXor,
            Opcode.I32AtomicRmwXchg, Opcode.I32AtomicRmwCmpxchg,
        ]);
        int alignment = AtomicAlignments[member];
        Node address = AtomicAddress(memory, alignment, out long offset);
        List<Node> operands = first == Opcode.I32AtomicLoad ? [address] : first == Opcode.I32AtomicRmwCmpxchg ? [address, Value(type), Value(type)] : [address, Value(type)];
        return new Node { Opcode = first + member, Results = [type], Operands = operands, Immediates = MemoryImmediates(alignment, memory, offset) };
    }

    private Node? AtomicStore()
    {
        if (!Has(Features.Atomics) || _plan.Memories.Count == 0)
        {
            return null;
        }

        if (Chance(10))
        {
            return Node.Statement(Opcode.AtomicFence, [0]);
        }

        int memory = _random.Next(_plan.Memories.Count);
        int member = _random.Next(AtomicGroup);
        Node address = AtomicAddress(memory, AtomicAlignments[member], out long offset);
        return Node.Statement(Opcode.I32AtomicStore + member, MemoryImmediates(AtomicAlignments[member], memory, offset), address, Value(AtomicType(member)));
    }
}
