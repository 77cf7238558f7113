using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <content>References to functions of known types.</content>
internal sealed partial class FunctionGenerator
{
    private ValType? AnyFunctionType() => _plan.FunctionReferenceTypes.Count > 0 ? OneOf(_plan.FunctionReferenceTypes) : null;

    /// <summary>A function of a concrete type, or null, where the type or chance wants it.</summary>
    private Node FunctionLeaf(ValType type)
    {
        int[] found = [.. Enumerable.Range(0, _plan.FunctionCount).Where(function => _plan.IsForCalls(function) && _plan.TypeIndexOf(_plan.FunctionTypeOf(function)) == type.TypeIndex)];
        return found.Length > 0 && Chance(85)
            ? new Node { Opcode = Opcode.RefFunc, Results = [type], Immediates = Index(OneOf(found)) }
            : EdgeValues.Default(type);
    }

    /// <summary>Branches where a reference is null, or where it is not; or traps where it is null.</summary>
    private Node? NullBranch()
    {
        if (AnyFunctionType() is not ValType type)
        {
            return null;
        }

        Node target = OneOf(_labels);
        if (target.LabelTypes.Length > 0 && target.LabelTypes[^1] is var last && last.IsConcrete && Chance(60))
        {
            return DropAll(new Node { Opcode = Opcode.BrOnNonNull, Results = target.LabelTypes[..^1], Operands = Sequence(target.LabelTypes), Targets = [target] });
        }

        return Chance(15)
            ? Drop(new Node { Opcode = Opcode.RefAsNonNull, Results = [type], Operands = [Value(type)] })
            : DropAll(new Node { Opcode = Opcode.BrOnNull, Results = [.. target.LabelTypes, type], Operands = Sequence([.. target.LabelTypes, type]), Targets = [target] });
    }

    private Node CallReference(FunctionType type, List<Node> arguments)
    {
        ValType reference = ValTypes.Concrete(_plan.TypeIndexOf(type));
        return new Node
        {
            Opcode = Opcode.CallRef,
            Results = type.Results.ToArray(),
            Operands = [.. arguments, Chance(60) ? FunctionLeaf(reference) : Value(reference)],
            Immediates = Index(_plan.TypeIndexOf(type)),
        };
    }
}
