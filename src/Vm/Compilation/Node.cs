using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>What an entry of the compile-time operand stack is.</summary>
internal enum NodeKind
{
    /// <summary>A constant.</summary>
    Constant,

    /// <summary>A local that has not been assigned since.</summary>
    Local,

    /// <summary>A value in the IL local that belongs to the entry's depth.</summary>
    Slot,

    /// <summary>A global.</summary>
    Global,

    /// <summary>A memory's size.</summary>
    MemorySize,

    /// <summary>A reference to a function of the instance.</summary>
    FunctionReference,

    /// <summary>An operator that cannot trap, over other nodes.</summary>
    Operator,

    /// <summary>The effective address of the memory access at hand.</summary>
    Address,
}

/// <summary>
/// A value on the operand stack that has not been computed yet: a tree without side effects. It is emitted once, where it is consumed, or
/// earlier into its slot, where something that it reads changes or where the frame may be saved.
/// </summary>
internal sealed class Node
{
    /// <summary>Trees deeper than this are computed into their slot, which bounds the recursion over them.</summary>
    public const int DepthMax = 40;

    public NodeKind Kind { get; private init; }

    public ValType Type { get; private init; }

    public Opcode Opcode { get; private init; }

    /// <summary>A constant's bits, its low half; a vector operator's lane; the first eight lanes of a shuffle.</summary>
    public long Bits { get; private init; }

    /// <summary>A vector constant's high half; the last eight lanes of a shuffle.</summary>
    public long HighBits { get; private init; }

    /// <summary>The local's, global's or memory's index, or the slot's depth.</summary>
    public int Index { get; private init; }

    public Node? First { get; private init; }

    public Node? Second { get; private init; }

    public Node? Third { get; private init; }

    public int Depth { get; private init; }

    /// <summary>The highest slot that the tree reads, or -1. It never reads one below its own depth.</summary>
    public int SlotMax { get; private init; } = -1;

    /// <summary>Whether it has to be computed: it is no constant, local or slot.</summary>
    public bool IsPending => Kind is NodeKind.Operator or NodeKind.Global or NodeKind.MemorySize or NodeKind.FunctionReference;

    /// <summary>Whether the value depends on globals or the memory's size.</summary>
    public bool ReadsGlobals { get; private init; }

    /// <summary>Whether the value comes from memory, as far as is known: what is compared with it is hard to foresee.</summary>
    public bool IsFromMemory { get; private init; }

    /// <summary>Whether the tree has a rotation, which is not one of a comparison's operands.</summary>
    public bool HasRotation { get; private init; }

    /// <summary>Whether an operator compares integers.</summary>
    public static bool IsComparison(Opcode opcode) => opcode is >= Opcode.I32Eqz and <= Opcode.I64GeU;

    public static Node Constant(ValType type, long bits, long highBits = 0) => new() { Kind = NodeKind.Constant, Type = type, Bits = bits, HighBits = highBits };

    public static Node Local(ValType type, int index, bool isFromMemory = false) =>
        new() { Kind = NodeKind.Local, Type = type, Index = index, IsFromMemory = isFromMemory };

    public static Node Slot(ValType type, int depth, bool isFromMemory = false) =>
        new() { Kind = NodeKind.Slot, Type = type, Index = depth, SlotMax = depth, IsFromMemory = isFromMemory };

    public static Node Global(ValType type, int index) =>
        new() { Kind = NodeKind.Global, Type = type, Index = index, ReadsGlobals = true };

    public static Node MemorySize(int memory, ValType type) => new() { Kind = NodeKind.MemorySize, Type = type, Index = memory, ReadsGlobals = true };

    public static Node FunctionReference(int function) => new() { Kind = NodeKind.FunctionReference, Type = ValType.FuncRef, Index = function };

    public static Node Address() => new() { Kind = NodeKind.Address, Type = ValType.I64 };

    /// <param name="type">The result's type.</param>
    /// <param name="opcode">The operator.</param>
    /// <param name="first">The first operand.</param>
    /// <param name="second">The second, if there is one.</param>
    /// <param name="third">The third, if there is one.</param>
    /// <param name="bits">The lane, or the first lanes of a shuffle.</param>
    /// <param name="highBits">The last lanes of a shuffle.</param>
    public static Node Operator(ValType type, Opcode opcode, Node first, Node? second, Node? third = null, long bits = 0, long highBits = 0) => new()
    {
        Kind = NodeKind.Operator,
        Type = type,
        Opcode = opcode,
        First = first,
        Second = second,
        Third = third,
        Bits = bits,
        HighBits = highBits,
        Depth = 1 + Math.Max(first.Depth, Math.Max(second?.Depth ?? 0, third?.Depth ?? 0)),
        SlotMax = Math.Max(first.SlotMax, Math.Max(second?.SlotMax ?? -1, third?.SlotMax ?? -1)),
        HasRotation = !IsComparison(opcode)
            && (opcode is Opcode.I32Rotl or Opcode.I32Rotr or Opcode.I64Rotl or Opcode.I64Rotr
                || first.HasRotation || (second?.HasRotation ?? false) || (third?.HasRotation ?? false)),
        ReadsGlobals = first.ReadsGlobals || (second?.ReadsGlobals ?? false) || (third?.ReadsGlobals ?? false),
        IsFromMemory = first.IsFromMemory || (second?.IsFromMemory ?? false),
    };

    public bool ReadsLocal(int index) => Kind switch
    {
        NodeKind.Local => Index == index,
        NodeKind.Operator => First!.ReadsLocal(index) || (Second?.ReadsLocal(index) ?? false) || (Third?.ReadsLocal(index) ?? false),
        _ => false,
    };
}
