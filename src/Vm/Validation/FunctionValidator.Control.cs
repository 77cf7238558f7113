using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <content>Blocks, branches and calls (core specification, section 3.3.8).</content>
internal sealed partial class FunctionValidator
{
    private void ValidateControl(in Instruction instruction)
    {
        switch (instruction.Opcode)
        {
            case Opcode.Block or Opcode.Loop:
                Pop(ParametersOf(Checked(instruction.BlockType)));
                Open(instruction.Opcode, instruction.BlockType);
                break;
            case Opcode.If:
                BlockType type = Checked(instruction.BlockType);
                Pop(ValType.I32);
                Pop(ParametersOf(type));
                Open(Opcode.If, type);
                break;
            case Opcode.Else:
                Block opened = _blocks.AtDepth(0);
                if (opened.Opcode != Opcode.If)
                {
                    throw Invalid("END opcode expected, found an else without an if");
                }

                Close();
                Open(Opcode.Else, opened.Type);
                break;
            case Opcode.End:
                ValidateEnd();
                break;
            case Opcode.Br:
                Pop(LabelTypes(instruction.Index));
                _operands.MakeUnreachable();
                break;
            case Opcode.BrIf:
                ReadOnlySpan<ValType> types = LabelTypes(instruction.Index);
                Pop(ValType.I32);
                Pop(types);
                _operands.Push(types, _offset);
                break;
            case Opcode.BrTable:
                ValidateBranchTable(instruction.Labels!);
                break;
            case Opcode.Return:
                Pop(LabelTypes(_blocks.Count - 1));
                _operands.MakeUnreachable();
                break;
            case Opcode.Call:
                ValidateCall(FunctionTypeAt(FunctionTypeIndex(instruction.Index)));
                break;
            case Opcode.CallIndirect:
                ValidateCall(PopTableIndex(in instruction));
                break;
            case Opcode.CallRef:
                ValidateCall(PopCallee(instruction.Index));
                break;
            case Opcode.ReturnCall:
                ValidateTailCall(FunctionTypeAt(FunctionTypeIndex(instruction.Index)));
                break;
            case Opcode.ReturnCallIndirect:
                ValidateTailCall(PopTableIndex(in instruction));
                break;
            case Opcode.ReturnCallRef:
                ValidateTailCall(PopCallee(instruction.Index));
                break;
            default: // Unreachable; nop was dealt with.
                _operands.MakeUnreachable();
                break;
        }
    }

    private void ValidateEnd()
    {
        Block opened = _blocks.AtDepth(0);
        ReadOnlySpan<ValType> results = ResultsOf(opened.Type);
        if (opened.Opcode == Opcode.If && !AreSubtypes(ParametersOf(opened.Type), results))
        {
            throw Invalid($"type mismatch: an if without an else must leave what it takes, {Join(ParametersOf(opened.Type))}, not {Join(results)}");
        }

        Close();
        _operands.Push(results, _offset);
    }

    /// <summary>Begins a block whose parameters were taken from the stack.</summary>
    private void Open(Opcode opcode, BlockType type)
    {
        _blocks.Push(new Block(opcode, type, _operands.Floor, _operands.IsUnreachable, _setLocals.Count), _offset);
        _operands.Floor = _operands.Height;
        _operands.IsUnreachable = false;
        if (opcode is not (Opcode.Catch or Opcode.CatchAll))
        {
            _operands.Push(ParametersOf(type), _offset);
        }
    }

    /// <summary>Ends the innermost block: exactly its results must be left. They are taken.</summary>
    private void Close()
    {
        Block opened = _blocks.AtDepth(0);
        Pop(ResultsOf(opened.Type));
        if (_operands.Height != _operands.Floor)
        {
            throw Invalid(
                $"type mismatch: values remaining on stack at end of block, {Join(_operands.InBlock)}, where {Join(ResultsOf(opened.Type))} was expected");
        }

        _blocks.Pop();
        _setLocals.Truncate(opened.SetLocals);
        _operands.Floor = opened.OuterFloor;
        _operands.IsUnreachable = opened.IsOuterUnreachable;
    }

    private void ValidateBranchTable(int[] labels)
    {
        Pop(ValType.I32);
        ReadOnlySpan<ValType> last = LabelTypes(labels[^1]);
        foreach (int label in labels)
        {
            ReadOnlySpan<ValType> types = LabelTypes(label);
            if (types.Length != last.Length)
            {
                throw Invalid(
                    $"type mismatch: label {label} takes {types.Length:N0} values, but the default label takes {last.Length:N0}");
            }

            if (!_operands.IsTop(types))
            {
                throw Mismatch(types);
            }
        }

        Pop(last);
        _operands.MakeUnreachable();
    }

    private void ValidateCall(FunctionType type)
    {
        Pop(type.Parameters);
        _operands.Push(type.Results, _offset);
    }

    private void ValidateTailCall(FunctionType type)
    {
        Note(WasmFeature.TailCalls);
        ReadOnlySpan<ValType> results = LabelTypes(_blocks.Count - 1);
        if (!AreSubtypes(type.Results, results))
        {
            throw Invalid($"type mismatch: the callee returns {Join(type.Results)}, where the function returns {Join(results)}");
        }

        Pop(type.Parameters);
        _operands.MakeUnreachable();
    }

    /// <summary>Takes the index into a table of functions.</summary>
    /// <returns>The type that the function must have.</returns>
    private FunctionType PopTableIndex(in Instruction instruction)
    {
        TableType table = TableAt(instruction.Index2);
        if (!context.Subtypes.IsSubtype(table.ElementType, ValType.FuncRef))
        {
            throw Invalid($"type mismatch: table {instruction.Index2} holds {ValTypes.NameOf(table.ElementType)}, where funcref was expected");
        }

        FunctionType type = FunctionTypeAt(instruction.Index);
        Pop(table.AddressType);
        return type;
    }

    /// <summary>Takes a reference to a function of a type.</summary>
    private FunctionType PopCallee(int typeIndex)
    {
        Note(WasmFeature.FunctionReferences);
        FunctionType type = FunctionTypeAt(typeIndex);
        Pop(ReferenceTo(typeIndex));
        return type;
    }

    private void ValidateNullBranch(in Instruction instruction)
    {
        Note(WasmFeature.FunctionReferences);
        ReadOnlySpan<ValType> types = LabelTypes(instruction.Index);
        if (instruction.Opcode == Opcode.BrOnNull)
        {
            ValType reference = PopReference();
            Pop(types);
            _operands.Push(types, _offset);
            Push(reference.AsNonNull());
            return;
        }

        if (types.IsEmpty || !types[^1].IsReference)
        {
            throw Invalid($"type mismatch: label {instruction.Index} takes {Join(types)}, where a reference was expected last");
        }

        Pop(types[^1].AsNullable());
        Pop(types[..^1]);
        _operands.Push(types[..^1], _offset);
    }

    private bool AreSubtypes(ReadOnlySpan<ValType> types, ReadOnlySpan<ValType> supers) =>
        types.Length == supers.Length && context.Subtypes.AreSubtypes(types, supers);

    /// <summary>What a branch to a label takes: a loop's parameters, any other block's results.</summary>
    private ReadOnlySpan<ValType> LabelTypes(int depth)
    {
        if (depth >= _blocks.Count)
        {
            throw Invalid($"unknown label {depth}: {_blocks.Count:N0} blocks are open");
        }

        ref readonly Block block = ref _blocks.AtDepth(depth);
        return block.Opcode == Opcode.Loop ? ParametersOf(block.Type) : ResultsOf(block.Type);
    }
}
