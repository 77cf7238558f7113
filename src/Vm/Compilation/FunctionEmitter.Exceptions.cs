using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>
/// Exceptions (core specification, section 4.6.12; and the instructions of the proposal's first version). A thrown exception unwinds as a capture does: the poll is set, and every
/// function returns, up to one that was at a call in a try. That goes to the try's handler, which asks of each clause whether it takes the exception.
/// </content>
internal sealed partial class FunctionEmitter
{
    private ControlFrame? ProtectingFrame() => _control.FindLast(frame => frame.IsProtecting);

    /// <summary>The handler of the innermost try around; null where exceptions leave the function.</summary>
    private Label? UseHandler() => ProtectingFrame()?.Handler;

    private void BeginProtection(ControlFrame frame)
    {
        if (frame.Opcode is Opcode.Try or Opcode.TryTable)
        {
            frame.Handler = _il.DefineLabel();
            frame.IsProtecting = true;
        }
    }

    private void EmitBranchIfThrowing(Label handler)
    {
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldind_I4);
        EmitInt(PollState.Throwing);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Brtrue, handler);
    }

    private void EmitThrow(in Instruction instruction)
    {
        ReadOnlySpan<ValType> types = _module.Tags[instruction.Index].Type.Parameters;
        int from = _stack.Count - types.Length;
        int unit = 0;
        for (int index = 0; index < types.Length; index++)
        {
            EmitStoreSlot(ref unit, types[index], _stack[from + index]);
        }

        _il.Emit(OpCodes.Ldarg_0);
        EmitInt(instruction.Index);
        EmitInt(_code.FunctionIndex);
        EmitInt(instruction.Offset);
        _il.Emit(OpCodes.Call, RuntimeMethods.Throw);
        EmitUnwind(ProtectingFrame());
    }

    private void EmitThrowReference(Node reference, int offset)
    {
        _il.Emit(OpCodes.Ldarg_0);
        EmitNode(reference);
        EmitInt(_code.FunctionIndex);
        EmitInt(offset);
        _il.Emit(OpCodes.Call, RuntimeMethods.ThrowReference);

        // What traps does not go to a handler.
        if (ProtectingFrame() is ControlFrame frame)
        {
            EmitBranchIfThrowing(frame.Handler);
        }

        EmitDefaultReturn();
    }

    // An exception has been thrown: it goes to a handler, or on to the caller.
    private void EmitUnwind(ControlFrame? frame)
    {
        if (frame is not null)
        {
            _il.Emit(OpCodes.Br, frame.Handler);
        }
        else
        {
            EmitDefaultReturn();
        }
    }

    // The exception came from a call in a try of this function, and nothing here takes it: the backtrace is told so.
    private void EmitPassOn(int offset, ControlFrame? frame)
    {
        if (frame is null)
        {
            _il.Emit(OpCodes.Ldarg_0);
            EmitInt(_code.FunctionIndex);
            EmitInt(offset);
            _il.Emit(OpCodes.Call, RuntimeMethods.TraceException);
        }

        EmitUnwind(frame);
    }

    // Behind the body of a try_table: its handler. Its labels are counted from outside of it.
    private void EmitCatchClauses(ControlFrame frame)
    {
        ref readonly Instruction instruction = ref _code.Instructions[frame.Position];
        _il.MarkLabel(frame.Handler);
        SetStack(frame.Height, []);
        foreach (CatchClause clause in instruction.Catches!)
        {
            Label next = _il.DefineLabel();
            EmitCatchTest(clause.Tag, next);
            EmitTake(clause.Tag, clause.Kind is CatchKind.CatchRef or CatchKind.CatchAllRef ? PushCaught : null);
            EmitBranch(clause.Label);
            SetStack(frame.Height, []);
            _il.MarkLabel(next);
        }

        EmitPassOn(instruction.Offset, ProtectingFrame());
    }

    private void PushCaught(LocalBuilder reference)
    {
        _il.LoadLocal(reference);
        Store(SlotLocal(_stack.Count, ValType.ExnRef));
        Push(Node.Slot(ValType.ExnRef, _stack.Count));
    }

    private void EmitCatchTest(int tag, Label next)
    {
        if (tag >= 0)
        {
            _il.Emit(OpCodes.Ldarg_0);
            EmitInt(tag);
            _il.Emit(OpCodes.Call, RuntimeMethods.IsThrown);
            _il.Emit(OpCodes.Brfalse, next);
        }
    }

    // Takes the exception, pushes its values if it is one of a tag, and hands on its reference if that is wanted.
    private void EmitTake(int tag, Action<LocalBuilder>? keep)
    {
        LocalBuilder reference = Scratch(typeof(long));
        _il.Emit(OpCodes.Ldarg_0);
        EmitInt(keep is null ? 0 : 1);
        _il.Emit(OpCodes.Call, RuntimeMethods.Catch);
        _il.StoreLocal(reference);
        int unit = 0;
        foreach (ValType type in tag >= 0 ? _module.Tags[tag].Type.Parameters : [])
        {
            EmitLoadSlot(ref unit, type, SlotLocal(_stack.Count, type));
            Push(Node.Slot(type, _stack.Count));
        }

        keep?.Invoke(reference);
    }

    // The body of a try ends, or one of its catches, and the next begins.
    private int EmitCatch(int position, in Instruction instruction, bool isReachable)
    {
        ControlFrame frame = _control[^1];
        if (frame is { IsPartial: true, Opcode: Opcode.Catch })
        {
            return EndPartialArm(position, isReachable);
        }

        if (isReachable)
        {
            MoveTo(frame.Height, frame.Results);
            frame.IsTargetUsed = true;
            _il.Emit(OpCodes.Br, frame.Target);
        }

        frame.IsProtecting = false;
        _il.MarkLabel(frame.Handler);
        SetStack(frame.Height, []);
        frame.Handler = _il.DefineLabel();
        int tag = instruction.Opcode == Opcode.Catch ? instruction.Index : -1;
        frame.CatchesAll = tag < 0;
        EmitCatchTest(tag, frame.Handler);
        bool isThrownAgain = _code.CaughtLocalOf.TryGetValue(position, out int caught);
        EmitTake(tag, isThrownAgain ? reference =>
        {
            _il.LoadLocal(reference);
            StoreLocal(caught);
        }
        : null);
        return position + 1;
    }

    // A try ends: what no catch took goes on, to where a delegate says, or outwards.
    private void EmitUncaught(ControlFrame frame, in Instruction end)
    {
        if (frame.CatchesAll || frame is { IsPartial: true, Opcode: Opcode.Catch })
        {
            return;
        }

        _il.MarkLabel(frame.Handler);
        int depth = end.Opcode == Opcode.Delegate ? end.Index : 0;
        ControlFrame? outer = _control.GetRange(0, Math.Max(_control.Count - depth, 0)).FindLast(around => around.IsProtecting);
        EmitPassOn(end.Offset, outer);
    }
}
