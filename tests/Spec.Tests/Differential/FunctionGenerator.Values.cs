using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <content>Operators, locals and globals.</content>
internal sealed partial class FunctionGenerator
{
    private const int CanonicalNan32 = 0x7FC00000;
    private const long CanonicalNan64 = 0x7FF8000000000000;

    private int SingleScratch => _function.Locals.Count - ScratchOf(_plan.Features).Length;

    private int DoubleScratch => SingleScratch + 1;

    private int VectorScratch => SingleScratch + 2;

    /// <summary>The locals at the end of a function's list that serve to replace NaNs and to show values, and nothing else.</summary>
    public static ValType[] ScratchOf(Features features) =>
        (features & Features.Vectors) != 0 ? [ValType.F32, ValType.F64, ValType.V128] : [ValType.F32, ValType.F64];

    private int? LocalOf(ValType type)
    {
        var found = new List<int>();
        for (int local = 0; local < SingleScratch; local++)
        {
            if (_function.Locals[local] == type)
            {
                found.Add(local);
            }
        }

        return found.Count > 0 ? OneOf(found) : null;
    }

    private int? GlobalOf(ValType type, bool mutable)
    {
        var found = new List<int>();
        for (int global = 0; global < _plan.GlobalCount; global++)
        {
            if (global != ModuleGenerator.FuelGlobal && _plan.GlobalTypeOf(global) is var candidate && candidate.ValueType == type && (candidate.IsMutable || !mutable))
            {
                found.Add(global);
            }
        }

        return found.Count > 0 ? OneOf(found) : null;
    }

    private Node LocalGet(int local) => new() { Opcode = Opcode.LocalGet, Results = [_function.Locals[local]], Immediates = Index(local) };

    private Node? SetLocal(ValType type) =>
        LocalOf(type) is int local ? Node.Statement(Opcode.LocalSet, Index(local), Value(type)) : null;

    private Node? Tee(ValType type) => LocalOf(type) is int local
        ? new Node { Opcode = Opcode.LocalTee, Results = [type], Operands = [Value(type)], Immediates = Index(local) }
        : null;

    private Node? SetGlobal()
    {
        ValType type = AnyType();
        return GlobalOf(type, mutable: true) is int global ? Node.Statement(Opcode.GlobalSet, Index(global), Value(type)) : null;
    }

    private Node Select(ValType type) => type.IsReference || Chance(20)
        ? new Node { Opcode = Opcode.SelectT, Results = [type], Operands = Sequence(type, type, ValType.I32), Immediates = BinaryWriter.BytesOf(writer => writer.Unsigned(1).Type(type)) }
        : new Node { Opcode = Opcode.Select, Results = [type], Operands = Sequence(type, type, ValType.I32) };

    /// <summary>An operator with its operands; those that may trap get operands that mostly do not let them.</summary>
    private Node Compute(ValType type)
    {
        if (type == ValType.I32 && Chance(4))
        {
            ValType reference = OneOf([.. _plan.ValueTypes.Where(candidate => candidate.IsReference)]);
            return new Node { Opcode = Opcode.RefIsNull, Results = [ValType.I32], Operands = [Value(reference)] };
        }

        Operator chosen = OneOf(Operators.Giving(type, Has(Features.Vectors)));
        List<Node> operands = Sequence(chosen.Parameters);
        switch (chosen.Opcode)
        {
            case Opcode.I32DivS or Opcode.I32DivU or Opcode.I32RemS or Opcode.I32RemU when Chance(85):
                operands[^1] = new Node { Opcode = Opcode.I32Or, Results = operands[^1].Results, Operands = [operands[^1], EdgeValues.I32(OneOf<int>([1, 2, 3, 8, 16]))] };
                break;
            case Opcode.I64DivS or Opcode.I64DivU or Opcode.I64RemS or Opcode.I64RemU when Chance(85):
                operands[^1] = new Node { Opcode = Opcode.I64Or, Results = operands[^1].Results, Operands = [operands[^1], EdgeValues.I64(OneOf<long>([1, 2, 3, 8, 1L << 40]))] };
                break;
            case (>= Opcode.I32TruncF32S and <= Opcode.I32TruncF64U) or (>= Opcode.I64TruncF32S and <= Opcode.I64TruncF64U) when Chance(80):
                // A number that was a small integer fits.
                Node word = Node.Of(Opcode.I32And, ValType.I32, Value(ValType.I32), EdgeValues.I32(0xFFFFFF));
                operands = [Node.Of(chosen.Parameters[0] == ValType.F32 ? Opcode.F32ConvertI32S : Opcode.F64ConvertI32U, chosen.Parameters[0], word)];
                break;
            case Opcode.I32ReinterpretF32 or Opcode.I64ReinterpretF64:
                operands = [Canonical(Value(chosen.Parameters[0]))];
                break;
            case Opcode.F32Copysign or Opcode.F64Copysign:
                operands = [Value(type), Canonical(Value(type))];
                break;
            case Opcode.F32x4Splat or Opcode.F64x2Splat:
                operands = [Canonical(Value(chosen.Parameters[0]))];
                break;
            case Opcode.F32x4ReplaceLane or Opcode.F64x2ReplaceLane:
                operands = [Value(ValType.V128), Canonical(Value(chosen.Parameters[1]))];
                break;
        }

        var node = new Node { Opcode = chosen.Opcode, Results = [type], Operands = operands, Immediates = ImmediatesOf(chosen) };
        return type == ValType.V128 ? CanonicalLanes(node) : node;
    }

    /// <summary>A number, or the canonical NaN in place of any that an operator has made: its bits are the machine's choice, and must not be seen.</summary>
    private Node Canonical(Node value)
    {
        ValType type = value.Results[^1];
        if (value.Opcode is Opcode.F32Const or Opcode.F64Const or Opcode.F32Load or Opcode.F64Load || (value.Opcode >= Opcode.F32ConvertI32S && value.Opcode <= Opcode.F64ConvertI64U))
        {
            return value;
        }

        bool isSingle = type == ValType.F32;
        int scratch = isSingle ? SingleScratch : DoubleScratch;
        return Node.Of(
            Opcode.Select,
            type,
            new Node { Opcode = Opcode.LocalTee, Results = [type], Operands = [value], Immediates = Index(scratch) },
            isSingle ? EdgeValues.F32(CanonicalNan32) : EdgeValues.F64((ulong)CanonicalNan64),
            Node.Of(isSingle ? Opcode.F32Eq : Opcode.F64Eq, ValType.I32, LocalGet(scratch), LocalGet(scratch)));
    }
}
