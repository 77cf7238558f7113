using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <summary>A clause of a try_table.</summary>
/// <param name="Kind">What it catches.</param>
/// <param name="Tag">The tag, where it names one.</param>
/// <param name="Target">The block that it branches to.</param>
internal sealed record CatchPlan(CatchKind Kind, int Tag, Node Target);

/// <summary>
/// An instruction together with what computes its operands, and, where it is a block, with its bodies. The operands are a sequence whose values, in order, end with
/// those that the instruction takes; values in front of these stay where they are and are counted among <see cref="Results"/>. So any part of a tree can be replaced by
/// another that leaves the same types, and what comes of it is valid still, which is what shrinking lives on.
/// </summary>
internal sealed class Node
{
    /// <summary>The instruction; null where there is none: a block's arguments, which are on the stack already.</summary>
    public Opcode? Opcode { get; init; }

    /// <summary>What it leaves on the stack. Of an instruction that is never passed (a branch, a trap): what its surroundings want.</summary>
    public ValType[] Results { get; init; } = [];

    /// <summary>What comes before it.</summary>
    public List<Node> Operands { get; init; } = [];

    /// <summary>The immediates in the binary format, but for labels and types of blocks.</summary>
    public byte[] Immediates { get; init; } = [];

    /// <summary>Of a block: the types of its arguments.</summary>
    public ValType[] Parameters { get; init; } = [];

    /// <summary>Of a block: its body, and that of its <c>else</c>.</summary>
    public List<List<Node>> Bodies { get; init; } = [];

    /// <summary>The blocks that it branches to; the root of a function is one.</summary>
    public Node[] Targets { get; init; } = [];

    /// <summary>Of a try_table: its clauses.</summary>
    public CatchPlan[] Catches { get; init; } = [];

    /// <summary>Whether shrinking leaves it alone: what bounds the run time, and what shows results.</summary>
    public bool IsFixed { get; init; }

    /// <summary>Of a block: what a branch to it takes along.</summary>
    public ValType[] LabelTypes => Opcode == Vm.Modules.Opcode.Loop ? Parameters : Results;

    /// <summary>An instruction whose operands are all that it takes.</summary>
    public static Node Of(Opcode opcode, ValType result, params ReadOnlySpan<Node> operands) =>
        new() { Opcode = opcode, Results = [result], Operands = [.. operands] };

    /// <summary>An instruction that leaves nothing.</summary>
    public static Node Statement(Opcode opcode, byte[] immediates, params ReadOnlySpan<Node> operands) =>
        new() { Opcode = opcode, Immediates = immediates, Operands = [.. operands] };
}
