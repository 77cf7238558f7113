using System.Reflection.Emit;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>An open block, loop, if or the function itself, while its code is emitted.</summary>
/// <param name="opcode">What opened it.</param>
/// <param name="position">Where it was opened; -1 for the function.</param>
/// <param name="height">The operand stack's height below its parameters.</param>
/// <param name="branchTypes">The types of the values that a branch to it carries.</param>
/// <param name="results">The types of the values that it leaves.</param>
/// <param name="target">Where a branch to it goes.</param>
internal sealed class ControlFrame(
    Opcode opcode, int position, int height, ValType[] branchTypes, ValType[] results, Label target)
{
    public Opcode Opcode { get; set; } = opcode;

    public int Position { get; } = position;

    public int Height { get; } = height;

    public ValType[] BranchTypes { get; } = branchTypes;

    public ValType[] Results { get; } = results;

    public Label Target { get; } = target;

    /// <summary>Whether anything branches to its end, or falls out of one of its arms.</summary>
    public bool IsTargetUsed { get; set; }

    /// <summary>Where an if without a true condition goes on.</summary>
    public Label Else { get; set; }

    /// <summary>
    /// Of a try or try_table: where an exception goes that is thrown in its body. Behind the body of a try, where one goes that the catches so far did not take.
    /// </summary>
    public Label Handler { get; set; }

    /// <summary>Whether exceptions go to its handler: it is a try_table, or a try whose body is still open.</summary>
    public bool IsProtecting { get; set; }

    /// <summary>Whether it is a try that has a catch for all exceptions.</summary>
    public bool CatchesAll { get; set; }

    /// <summary>Whether it was open already where the continuation begins.</summary>
    public bool IsPartial { get; init; }

    /// <summary>The types of its parameters.</summary>
    public ValType[] Parameters { get; init; } = [];
}
