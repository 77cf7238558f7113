using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>Structured control. Values cross labels in the slots of their depths.</content>
internal sealed partial class FunctionEmitter
{
    private int EmitControl(int position, in Instruction instruction)
    {
        switch (instruction.Opcode)
        {
            case Opcode.Block or Opcode.TryTable or Opcode.Try:
                MaterialiseAll();
                BeginProtection(Open(position, in instruction, isLoop: false));
                return position + 1;
            case Opcode.Loop:
                MaterialiseAll();
                if (_strips?.TryGetValue(position, out StripLoop? strip) == true && _strip is null)
                {
                    return EmitStripLoop(position, in instruction, strip);
                }

                return OpenLoop(position, in instruction) ? position + 1 : SkipUnreachable(position + 1);
            case Opcode.If:
                Node condition = Pop();
                LocalBuilder flag = Scratch(typeof(int));
                bool isStored = AnyToMaterialise();
                if (isStored)
                {
                    EmitTested(condition);
                    _il.StoreLocal(flag);
                    MaterialiseAll();
                    _il.LoadLocal(flag);
                }
                else
                {
                    EmitTested(condition);
                }

                ControlFrame conditional = Open(position, in instruction, isLoop: false);
                conditional.Else = _il.DefineLabel();
                _il.Emit(OpCodes.Brfalse, conditional.Else);
                return position + 1;
            case Opcode.Else:
                return EmitElse(position);
            case Opcode.Catch or Opcode.CatchAll:
                return EmitCatch(position, in instruction, isReachable: true);
            case Opcode.End or Opcode.Delegate:
                return EmitEnd(position, isReachable: true);
            case Opcode.Throw:
                EmitThrow(in instruction);
                return SkipUnreachable(position + 1);
            case Opcode.ThrowRef:
                EmitThrowReference(Pop(), instruction.Offset);
                return SkipUnreachable(position + 1);
            case Opcode.Rethrow:
                EmitThrowReference(Node.Local(ValType.ExnRef, _code.CaughtLocalOf[position]), instruction.Offset);
                return SkipUnreachable(position + 1);
            case Opcode.ReturnCall:
                EmitReturnCall(in instruction);
                return SkipUnreachable(position + 1);
            case Opcode.ReturnCallIndirect:
                EmitReturnCallIndirect(in instruction);
                return SkipUnreachable(position + 1);
            case Opcode.ReturnCallRef:
                EmitReturnCallReference(in instruction);
                return SkipUnreachable(position + 1);
            case Opcode.BrOnNull:
                EmitBranchOnNull(instruction.Index);
                return position + 1;
            case Opcode.BrOnNonNull:
                EmitBranchOnNonNull(instruction.Index);
                return position + 1;
            case Opcode.Br:
                EmitBranch(instruction.Index);
                return SkipUnreachable(position + 1);
            case Opcode.BrIf:
                EmitBranchIf(instruction.Index);
                return position + 1;
            case Opcode.BrTable:
                EmitBranchTable(instruction.Labels!);
                return SkipUnreachable(position + 1);
            case Opcode.Return:
                EmitReturn();
                return SkipUnreachable(position + 1);
            default:
                EmitTrap(TrapKind.Unreachable, instruction.Offset);
                return SkipUnreachable(position + 1);
        }
    }

    private bool AnyToMaterialise()
    {
        for (int depth = _settled; depth < _stack.Count; depth++)
        {
            if (_stack[depth].Kind is not (NodeKind.Constant or NodeKind.Slot))
            {
                return true;
            }
        }

        return false;
    }

    private ControlFrame Open(int position, in Instruction instruction, bool isLoop)
    {
        ValType[] parameters = instruction.BlockType.ParametersIn(_module).ToArray();
        ValType[] results = instruction.BlockType.ResultsIn(_module).ToArray();
        int height = _stack.Count - parameters.Length;

        // Constants may stay below a block, but its parameters are where other paths to its labels put them.
        for (int depth = height; depth < _stack.Count; depth++)
        {
            Materialise(depth);
        }

        var frame = new ControlFrame(
            instruction.Opcode, position, height, isLoop ? parameters : results, results, _il.DefineLabel())
        { Parameters = parameters };
        _control.Add(frame);
        return frame;
    }

    // Whether its inside is to be emitted as well.
    private bool OpenLoop(int position, in Instruction instruction)
    {
        ControlFrame frame = Open(position, in instruction, isLoop: true);
        Label resumed = _il.DefineLabel();
        bool isEntered = _enteredLoop == position;
        if (isEntered)
        {
            _enteredLoop = -1;
            _il.Emit(OpCodes.Br, resumed);
        }

        _il.MarkLabel(frame.Target);
        if (_form == CodeForm.Twin)
        {
            BeginTwinLoop(frame.Target);
        }

        SavedValues saved = StoredValues(_liveness.AliveAt(position), _stack.Count);
        int site = AddSite(SiteKind.Loop, instruction.Offset, saved.Values, []);
        bool isContinued = (_form == CodeForm.Twin || _isHurried) && ContinuationPoint.IsAtLoop(_code, position, _control[1..^1].Select(frame => frame.Position), _isHurried);
        bool isElsewhere = _isHurried && _form == CodeForm.Continuation && !isEntered && _code.EndOf[position] - position > LoopInHurriedContinuationMax;
        if (isElsewhere || (isContinued && !_isHurried))
        {
            // A twin goes no further than to the head of a loop: its own loops are slow.
            EmitLeave(site, saved, LeftState.AtLoop);
        }
        else
        {
            if (_isHurried)
            {
                EmitCountedRound(site, isContinued ? saved : null);
            }

            EmitPoll(() => EmitSaveAt(site, SiteKind.Loop, 0, saved));
        }

        if (_form == CodeForm.Twin)
        {
            AddEntry(site, resumed, saved.Nodes);
        }

        if (_form == CodeForm.Twin || isEntered)
        {
            _il.MarkLabel(resumed);
        }

        return !isElsewhere;
    }

    private int EmitElse(int position)
    {
        ControlFrame frame = _control[^1];
        if (frame.IsPartial)
        {
            return EndPartialArm(position, isReachable: true);
        }

        MoveTo(frame.Height, frame.Results);
        frame.IsTargetUsed = true;
        _il.Emit(OpCodes.Br, frame.Target);
        BeginElse(frame);
        return position + 1;
    }

    private void BeginElse(ControlFrame frame)
    {
        frame.Opcode = Opcode.Else;
        _il.MarkLabel(frame.Else);
        SetStack(frame.Height, frame.Parameters);
    }

    private int EmitEnd(int position, bool isReachable)
    {
        ControlFrame frame = _control[^1];
        if (_control.Count == 1)
        {
            if (isReachable)
            {
                EmitReturn();
            }

            _control.RemoveAt(_control.Count - 1);
            return position + 1;
        }

        if (frame is { IsPartial: true, Opcode: Opcode.Loop })
        {
            return EndPartialLoop(position, isReachable);
        }

        if (isReachable)
        {
            MoveTo(frame.Height, frame.Results);
        }

        if (frame.Opcode is Opcode.Try or Opcode.TryTable or Opcode.Catch)
        {
            isReachable = EmitHandlers(frame, position, isReachable);
        }

        // An if without an else passes its parameters on as its results.
        if (frame.Opcode == Opcode.If)
        {
            _il.MarkLabel(frame.Else);
            isReachable = true;
        }

        if (frame.Opcode != Opcode.Loop)
        {
            _il.MarkLabel(frame.Target);
            isReachable |= frame.IsTargetUsed;
        }
        else if (_form == CodeForm.Twin)
        {
            EndTwinLoop();
        }

        _control.RemoveAt(_control.Count - 1);
        SetStack(frame.Height, frame.Results);
        if (position == _copyEnd)
        {
            _isCopyEndReached = isReachable;
            return position + 1;
        }

        return isReachable ? position + 1 : SkipUnreachable(position + 1);
    }

    // The way on leads over what handles exceptions.
    private bool EmitHandlers(ControlFrame frame, int position, bool isReachable)
    {
        if (isReachable)
        {
            frame.IsTargetUsed = true;
            _il.Emit(OpCodes.Br, frame.Target);
        }

        _control.RemoveAt(_control.Count - 1);
        if (frame.Opcode == Opcode.TryTable)
        {
            EmitCatchClauses(frame);
        }
        else
        {
            EmitUncaught(frame, in _code.Instructions[position]);
        }

        _control.Add(frame);
        return false;
    }

    /// <summary>Passes over code that cannot be reached, up to the else or end that closes the innermost open block.</summary>
    private int SkipUnreachable(int position)
    {
        int nesting = 0;
        for (; position < _code.Instructions.Length; position++)
        {
            switch (_code.Instructions[position].Opcode)
            {
                case Opcode opcode when opcode.OpensBlock:
                    nesting++;
                    break;
                case Opcode.Catch or Opcode.CatchAll when nesting == 0:
                    return EmitCatch(position, in _code.Instructions[position], isReachable: false);
                case Opcode.Else when nesting == 0 && _control[^1].IsPartial:
                    return EndPartialArm(position, isReachable: false);
                case Opcode.Else when nesting == 0:
                    BeginElse(_control[^1]);
                    return position + 1;
                case Opcode.End or Opcode.Delegate when nesting == 0:
                    return EmitEnd(position, isReachable: false);
                case Opcode.End or Opcode.Delegate:
                    nesting--;
                    break;
            }
        }

        return position;
    }

    private void SetStack(int height, ValType[] types)
    {
        _stack.RemoveRange(height, _stack.Count - height);
        _settled = Math.Min(_settled, height);
        foreach (ValType type in types)
        {
            Push(Node.Slot(type, _stack.Count));
        }
    }

    // Moves the topmost values into the slots from `height` on. Ascending order is safe: a value reads slots of its own depth or above.
    private void MoveTo(int height, ValType[] types)
    {
        int from = _stack.Count - types.Length;
        for (int index = 0; index < types.Length; index++)
        {
            Node node = _stack[from + index];
            if (node.Kind == NodeKind.Slot && node.Index == height + index)
            {
                continue;
            }

            EmitNode(node);
            Store(SlotLocal(height + index, types[index]));
            NoteRotation(node, ~(height + index));
        }
    }

    private ControlFrame FrameAt(int depth) => _control[_control.Count - 1 - depth];

    private bool IsFunctionLevel(int depth) => depth == _control.Count - 1;

    private void EmitBranch(int depth)
    {
        if (IsFunctionLevel(depth))
        {
            EmitReturn();
            return;
        }

        ControlFrame frame = FrameAt(depth);
        MoveTo(frame.Height, frame.BranchTypes);
        frame.IsTargetUsed = true;
        _il.Emit(OpCodes.Br, frame.Target);
    }

    private bool NeedsMove(int depth)
    {
        ControlFrame frame = FrameAt(depth);
        int from = _stack.Count - frame.BranchTypes.Length;
        for (int index = 0; index < frame.BranchTypes.Length; index++)
        {
            if (_stack[from + index] is not { Kind: NodeKind.Slot } node || node.Index != frame.Height + index)
            {
                return true;
            }
        }

        return false;
    }

    private void EmitBranchIf(int depth)
    {
        Node condition = Pop();
        EmitBranchWhere(depth, OpCodes.Brtrue, OpCodes.Brfalse, condition);
    }

    /// <summary>Branches to a label where a condition holds.</summary>
    /// <param name="depth">The label.</param>
    /// <param name="holds">The branch that is taken then.</param>
    /// <param name="fails">The opposite branch.</param>
    /// <param name="condition">What is tested; used once.</param>
    private void EmitBranchWhere(int depth, OpCode holds, OpCode fails, Node condition)
    {
        ControlFrame frame = FrameAt(depth);
        if (!IsFunctionLevel(depth) && !NeedsMove(depth))
        {
            frame.IsTargetUsed = true;
            EmitTested(condition);
            _il.Emit(holds, frame.Target);
            return;
        }

        // The values are used on both ways.
        LocalBuilder flag = Scratch(IlType(condition.Type));
        EmitTested(condition);
        _il.StoreLocal(flag);
        for (int position = _stack.Count - frame.BranchTypes.Length; position < _stack.Count; position++)
        {
            Materialise(position);
        }

        Label skip = _il.DefineLabel();
        _il.LoadLocal(flag);
        _il.Emit(fails, skip);
        EmitBranch(depth);
        _il.MarkLabel(skip);
    }

    private void EmitBranchTable(int[] depths)
    {
        Node index = Pop();
        int carried = FrameAt(depths[^1]).BranchTypes.Length;
        LocalBuilder flag = Scratch(typeof(int));
        EmitTested(index);
        _il.StoreLocal(flag);
        for (int position = _stack.Count - carried; position < _stack.Count; position++)
        {
            Materialise(position);
        }

        var hops = new Dictionary<int, Label>();
        var labels = new Label[depths.Length];
        for (int entry = 0; entry < depths.Length; entry++)
        {
            int depth = depths[entry];
            if (!IsFunctionLevel(depth) && !NeedsMove(depth))
            {
                FrameAt(depth).IsTargetUsed = true;
                labels[entry] = FrameAt(depth).Target;
            }
            else if (!hops.TryGetValue(depth, out labels[entry]))
            {
                labels[entry] = _il.DefineLabel();
                hops.Add(depth, labels[entry]);
            }
        }

        // The writer of assemblies refuses a switch without targets.
        if (labels.Length > 1)
        {
            _il.LoadLocal(flag);
            _il.Emit(OpCodes.Switch, labels[..^1]);
        }

        _il.Emit(OpCodes.Br, labels[^1]);
        foreach ((int depth, Label label) in hops)
        {
            _il.MarkLabel(label);
            EmitBranch(depth);
        }
    }

    // The first result is returned, the others go through the context's slots.
    private void EmitReturn()
    {
        ReadOnlySpan<ValType> results = _code.Type.Results;
        int from = _stack.Count - results.Length;
        int unit = results.Length > 0 ? results[0].Units : 0;
        for (int index = 1; index < results.Length; index++)
        {
            EmitStoreSlot(ref unit, results[index], _stack[from + index]);
        }

        if (results.Length > 0)
        {
            EmitNode(_stack[from]);
        }

        _il.Emit(OpCodes.Ret);
    }

    /// <summary>Traps unless a branch is taken, which it nearly always is.</summary>
    private void EmitTrapUnless(OpCode likely, TrapKind kind, int offset) => EmitUnless(likely, () => EmitTrap(kind, offset));

    private void EmitTrap(TrapKind kind, int offset)
    {
        if (_isHurried)
        {
            EmitSharedTrap(kind, offset);
            return;
        }

        EmitTrap(kind, () => EmitInt(offset));
    }

    private void EmitTrap(TrapKind kind, Action offset)
    {
        _il.Emit(OpCodes.Ldarg_0);
        EmitInt(_code.FunctionIndex);
        offset();
        EmitInt((int)kind);
        _il.Emit(OpCodes.Call, RuntimeMethods.Trap);
        EmitDefaultReturn();
    }
}
