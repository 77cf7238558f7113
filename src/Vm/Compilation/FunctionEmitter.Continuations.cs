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
    /// <summary>Instructions of a loop that are compiled with a continuation that is compiled in a hurry. A larger one has a continuation of its own, which several lead to.</summary>
    private const int LoopInHurriedContinuationMax = 300;

    // While a whole copy of an open loop is emitted: the position of its end, and whether that was reached.
    private int _copyEnd = -1;
    private bool _isCopyEndReached;

    // The loop that a continuation begins with: it is entered behind its safepoint, which lies behind the program.
    private int _enteredLoop = -1;

    /// <summary>Compiles a function from a site on.</summary>
    /// <param name="compiler">The module's compiler.</param>
    /// <param name="target">The type that it becomes part of.</param>
    /// <param name="point">The site.</param>
    /// <param name="sites">The function's sites.</param>
    /// <param name="il">Where to.</param>
    /// <param name="isHurried">Whether it is compiled in a hurry, and counts (<see cref="Tiering"/>): then it ends at the heads of the loops that are open at the site, each of which has a continuation of its own.</param>
    /// <param name="isInShell">Whether it is a body in a <see cref="Shell"/>.</param>
    public static void EmitContinuation(ModuleCompiler compiler, CodeType target, ContinuationPoint point, Site[] sites, ILGenerator il, bool isHurried, bool isInShell = false)
    {
        Liveness liveness = Liveness.Of(point.Code);
        var emitter = new FunctionEmitter(
            compiler, target, point.Code, liveness, CodeForm.Continuation, AccessStyles.Choose(point.Code, liveness, compiler.Addressing), il, isHurried, isInShell);
        emitter._sites.AddRange(sites);
        emitter.EmitFrom(point);
    }

    // Counts a round of a loop, and goes on in the continuation that there may be for it.
    private void EmitCountedRound(int site, SavedValues? values)
    {
        _il.Emit(OpCodes.Ldarg_0);
        EmitInt(_code.FunctionIndex);
        if (values is null)
        {
            _il.Emit(OpCodes.Call, RuntimeMethods.CountCall);
            return;
        }

        EmitInt(site);
        _il.Emit(OpCodes.Call, RuntimeMethods.CountLoop);
        EmitUnless(OpCodes.Brfalse, () => EmitLeave(site, values, LeftState.AtLoop));
    }

    private void EmitFrom(ContinuationPoint point)
    {
        EmitPrologue();
        OpenFunction();
        RestoreAt(point);
        OpenAround(point);
        if (point.Site.HasHandler)
        {
            EmitBranchIfThrowing(UseHandler()!.Value);
        }

        if (point.Site.Kind == SiteKind.Loop)
        {
            _enteredLoop = point.Position;
            EmitTo(_code.Instructions.Length, point.Position);
        }
        else
        {
            EmitTo(_code.Instructions.Length, point.Position + 1);
        }

        EmitColdBlocks();
        EmitSharedBlocks();
    }

    // The values come from the record that the continuation is entered with; the results of a call, from the context.
    private void RestoreAt(ContinuationPoint point)
    {
        _record = _il.DeclareLocal(typeof(nint));
        EmitRecordAddress(_il);
        _il.StoreLocal(_record);
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
                Store(SlotLocal(value.Index, value.Type));
                Push(Node.Slot(value.Type, value.Index));
            }
            else
            {
                StoreLocal(value.Index);
            }
        }

        int unit = 0;
        foreach (ValType type in point.Site.Results)
        {
            EmitLoadSlot(ref unit, type, SlotLocal(_stack.Count, type));
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

            // Nothing goes to the other arm of an if that is open, nor to the other catches of a try one of whose catches is.
            Opcode opcode = instruction.Opcode switch
            {
                Opcode.If => Opcode.Else,
                Opcode.Try when _code.CatchesOf.TryGetValue(start, out List<int>? catches) && catches[0] <= point.Position => Opcode.Catch,
                _ => instruction.Opcode,
            };
            var frame = new ControlFrame(opcode, start, point.Site.Heights?[index] ?? 0, isLoop ? parameters : results, results, _il.DefineLabel())
            {
                Parameters = parameters,
                IsPartial = true,
            };
            BeginProtection(frame);
            _control.Add(frame);
        }
    }

    // The first arm of an open if ends, or an open catch: the other arms are passed over.
    private int EndPartialArm(int position, bool isReachable)
    {
        ControlFrame frame = _control[^1];
        if (isReachable)
        {
            MoveTo(frame.Height, frame.Results);
            frame.IsTargetUsed = true;
        }

        return EmitEnd(_code.EndOf[frame.Position], isReachable: false);
    }

    // The iteration of an open loop ends. The loop itself is emitted, if there was a branch to it, and both go on behind it. In a hurry, the loop is left to its own continuation.
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
            if (_isHurried)
            {
                SavedValues saved = StoredValues(_liveness.AliveAt(frame.Position), _stack.Count);
                int site = AddSite(SiteKind.Loop, _code.Instructions[frame.Position].Offset, saved.Values, []);
                EmitLeave(site, saved, LeftState.AtLoop);
            }
            else
            {
                isReachable |= EmitCopy(frame.Position, position);
            }

            _il.MarkLabel(behind);
        }

        SetStack(frame.Height, frame.Results);
        return isReachable ? position + 1 : SkipUnreachable(position + 1);
    }

    // Whether the loop's end is reached.
    private bool EmitCopy(int start, int end)
    {
        _begunGroups.Clear();
        _testedGroups.Clear();
        _markedGroups.Clear();
        _copyEnd = end;
        _isCopyEndReached = false;
        EmitTo(end + 1, start);
        _copyEnd = -1;
        return _isCopyEndReached;
    }
}
