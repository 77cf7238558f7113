using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>
/// Continuations: a function from one site on. What is open at the site is emitted from there to its end; a branch back to the head of an open loop goes to a whole copy
/// of the loop, behind the rest of its iteration.
/// </content>
internal sealed partial class FunctionEmitter
{
    // While a whole copy of an open loop is emitted: the position of its end, and whether that was reached.
    private int _copyEnd = -1;
    private bool _isCopyEndReached;

    /// <summary>Compiles a function from a site on.</summary>
    /// <param name="compiler">The module's compiler.</param>
    /// <param name="point">The site.</param>
    /// <param name="sites">The function's sites.</param>
    /// <param name="il">Where to.</param>
    public static void EmitContinuation(ModuleCompiler compiler, ContinuationPoint point, Site[] sites, ILGenerator il)
    {
        Liveness liveness = Liveness.Of(point.Code);
        var emitter = new FunctionEmitter(
            compiler, point.Code, liveness, CodeForm.Continuation, AccessStyles.Choose(point.Code, liveness, compiler.Addressing), il);
        emitter._sites.AddRange(sites);
        emitter.EmitFrom(point);
    }

    // A twin goes no further than to the head of a loop: its own loops are slow.
    private void EmitLeaveForContinuation(int site, List<Node> values)
    {
        EmitSave(site, SiteKind.Access, 0, values);
        _il.Emit(OpCodes.Ldarg_0);
        EmitInt(LeftState.AtLoop);
        _il.Emit(OpCodes.Stfld, LeftField);
        EmitDefaultReturn();
    }

    private void EmitFrom(ContinuationPoint point)
    {
        EmitPrologue();
        OpenFunction();
        RestoreAt(point);
        OpenAround(point);
        EmitTo(_code.Instructions.Length, point.Position + 1);
        EmitColdBlocks();
    }

    // The values come from the record that the continuation is entered with; the results of a call, from the context.
    private void RestoreAt(ContinuationPoint point)
    {
        _record = _il.DeclareLocal(typeof(nint));
        EmitRecordAddress(_il);
        _il.Emit(OpCodes.Stloc, _record);
        for (int index = 0; index < point.Site.Values.Length; index++)
        {
            SiteValue value = point.Site.Values[index];
            if (value.IsHighHalf)
            {
                continue;
            }

            EmitRecordValue(index, value.Type);
            if (value.IsStack)
            {
                _il.Emit(OpCodes.Stloc, SlotLocal(value.Index, value.Type));
                Push(Node.Slot(value.Type, value.Index));
            }
            else
            {
                StoreLocal(value.Index);
            }
        }

        for (int index = 0; index < point.Site.Results.Length; index++)
        {
            ValType type = point.Site.Results[index];
            EmitSlotAddress(point.Site.Results, index);
            EmitLoadIndirect(_il, type);
            _il.Emit(OpCodes.Stloc, SlotLocal(_stack.Count, type));
            Push(Node.Slot(type, _stack.Count));
        }
    }

    private void OpenAround(ContinuationPoint point)
    {
        for (int index = 0; index < point.Open.Length; index++)
        {
            int start = point.Open[index];
            ref readonly Instruction instruction = ref _code.Instructions[start];
            ValType[] parameters = instruction.BlockType.ParametersIn(_module).ToArray();
            ValType[] results = instruction.BlockType.ResultsIn(_module).ToArray();
            bool isLoop = instruction.Opcode == Opcode.Loop;

            // Nothing goes to the other arm of an if that is open.
            Opcode opcode = instruction.Opcode == Opcode.If ? Opcode.Else : instruction.Opcode;
            _control.Add(new ControlFrame(opcode, start, point.Site.Heights?[index] ?? 0, isLoop ? parameters : results, results, _il.DefineLabel())
            {
                Parameters = parameters,
                IsPartial = true,
            });
        }
    }

    // The first arm of an open if ends: its other arm is passed over.
    private int EndPartialArm(int position, bool isReachable)
    {
        ControlFrame frame = _control[^1];
        if (isReachable)
        {
            MoveTo(frame.Height, frame.Results);
            frame.IsTargetUsed = true;
        }

        return EmitEnd(_code.EndOf[position], isReachable: false);
    }

    // The iteration of an open loop ends. The loop itself is emitted, if there was a branch to it, and both go on behind it.
    private int EndPartialLoop(int position, bool isReachable)
    {
        ControlFrame frame = _control[^1];
        if (isReachable)
        {
            MoveTo(frame.Height, frame.Results);
        }

        _control.RemoveAt(_control.Count - 1);
        if (frame.IsTargetUsed)
        {
            Label behind = _il.DefineLabel();
            if (isReachable)
            {
                _il.Emit(OpCodes.Br, behind);
            }

            _il.MarkLabel(frame.Target);
            SetStack(frame.Height, frame.Parameters);
            _begunGroups.Clear();
            _copyEnd = position;
            _isCopyEndReached = false;
            EmitTo(position + 1, frame.Position);
            _copyEnd = -1;
            isReachable |= _isCopyEndReached;
            _il.MarkLabel(behind);
        }

        SetStack(frame.Height, frame.Results);
        return isReachable ? position + 1 : SkipUnreachable(position + 1);
    }
}
