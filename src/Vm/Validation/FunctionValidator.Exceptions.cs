using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <content>Exceptions (core specification, section 3.4.1), and those before WebAssembly 3.0 (exception handling proposal, legacy).</content>
internal sealed partial class FunctionValidator
{
    private void ValidateException(in Instruction instruction)
    {
        Note(instruction.Opcode is Opcode.Throw or Opcode.ThrowRef or Opcode.TryTable ? WasmFeature.Exceptions : WasmFeature.LegacyExceptions);
        switch (instruction.Opcode)
        {
            case Opcode.Throw:
                Pop(TagParameters(instruction.Index).Parameters);
                _operands.MakeUnreachable();
                break;
            case Opcode.ThrowRef:
                Pop(ValType.ExnRef);
                _operands.MakeUnreachable();
                break;
            case Opcode.TryTable:
                ValidateCatches(instruction.Catches!);
                Pop(ParametersOf(Checked(instruction.BlockType)));
                Open(Opcode.TryTable, instruction.BlockType);
                break;
            case Opcode.Try:
                Pop(ParametersOf(Checked(instruction.BlockType)));
                Open(Opcode.Try, instruction.BlockType);
                break;
            case Opcode.Catch:
                FunctionType tag = TagParameters(instruction.Index);
                NextCatch(Opcode.Catch);
                _operands.Push(tag.Parameters, _offset);
                break;
            case Opcode.CatchAll:
                NextCatch(Opcode.CatchAll);
                break;
            case Opcode.Rethrow:
                LabelTypes(instruction.Index);
                if (_blocks.AtDepth(instruction.Index).Opcode is not (Opcode.Catch or Opcode.CatchAll))
                {
                    throw Invalid($"invalid rethrow label {instruction.Index}: it is no catch");
                }

                _operands.MakeUnreachable();
                break;
            default: // Delegate.
                ValidateDelegate(instruction.Index);
                break;
        }
    }

    /// <summary>Ends what a try, or the catch before, caught nothing in.</summary>
    private void NextCatch(Opcode opcode)
    {
        Block opened = _blocks.AtDepth(0);
        if (opened.Opcode is not (Opcode.Try or Opcode.Catch))
        {
            throw Invalid("END opcode expected, found a catch without a try");
        }

        Close();
        Open(opcode, opened.Type);
    }

    // The label counts from outside of the try, and may be the function's.
    private void ValidateDelegate(int label)
    {
        Block opened = _blocks.AtDepth(0);
        if (opened.Opcode != Opcode.Try)
        {
            throw Invalid("END opcode expected, found a delegate without a try");
        }

        Close();
        LabelTypes(label);
        _operands.Push(ResultsOf(opened.Type), _offset);
    }

    // The labels of the clauses count from outside of the try_table.
    private void ValidateCatches(CatchClause[] clauses)
    {
        foreach (CatchClause clause in clauses)
        {
            ReadOnlySpan<ValType> types = LabelTypes(clause.Label);
            ReadOnlySpan<ValType> values = clause.Tag >= 0 ? TagParameters(clause.Tag).Parameters : [];
            bool sendsReference = clause.Kind is CatchKind.CatchRef or CatchKind.CatchAllRef;
            if (types.Length != values.Length + (sendsReference ? 1 : 0)
                || !context.Subtypes.AreSubtypes(values, types)
                || (sendsReference && !context.Subtypes.IsSubtype(ValType.ExnRef.AsNonNull(), types[^1])))
            {
                string sent = Join(values) + (sendsReference ? " and an exception" : "");
                throw Invalid($"type mismatch: a clause sends {sent} to label {clause.Label}, which takes {Join(types)}");
            }
        }
    }
}
