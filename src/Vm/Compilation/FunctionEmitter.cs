using System.Reflection.Emit;
using Everheap.Vm.Modules;
using Module = Everheap.Vm.Modules.Module;

namespace Everheap.Vm.Compilation;

/// <summary>Which compilation of a function is made.</summary>
internal enum CodeForm
{
    /// <summary>Entered by calls; leaves for good where something slow must be done.</summary>
    Fast,

    /// <summary>The twin: entered by the driver at any site, with the values of a saved record.</summary>
    Twin,

    /// <summary>A continuation: entered by the driver at one site.</summary>
    Continuation,
}

/// <summary>
/// Compiles one function to IL, in one pass over its instructions.
/// <para>
/// Invariants. (1) The IL evaluation stack is empty at every label. (2) A cold block never rejoins hot code after a call, but for the few
/// shapes that say so: it saves the values that are alive and returns; the program goes on in the twin. (3) All forms number their sites
/// alike, and save the same values at each; the fast form and the twin also keep the same compile-time operand stack. (4) A translated address is used at once: no call lies between translation
/// and access.
/// </para>
/// </summary>
internal sealed partial class FunctionEmitter
{
    private readonly ModuleCompiler _compiler;
    private readonly CodeType _target;
    private readonly Module _module;
    private readonly FunctionCode _code;
    private readonly Liveness _liveness;
    private readonly CodeForm _form;
    private readonly AccessStyle _style;
    private readonly bool _isHurried;
    private readonly bool _isInShell;

    // Whether the JIT may compile it with its minimal optimisation.
    private readonly bool _mayBeMinimal;
    private readonly ILGenerator _il;
    private readonly List<Node> _stack = [];
    private readonly List<ControlFrame> _control = [];
    private readonly List<Action> _coldBlocks = [];
    private readonly Dictionary<(int Depth, Type Type), Variable> _slots = [];
    private readonly Variable?[] _locals;
    private readonly HashSet<int> _localsFromMemory = [];
    private LocalBuilder? _table;

    private FunctionEmitter(ModuleCompiler compiler, CodeType target, FunctionCode code, Liveness liveness, CodeForm form, AccessStyle style, ILGenerator il, bool isHurried, bool isInShell)
    {
        _compiler = compiler;
        _target = target;
        _module = compiler.Module;
        _code = code;
        _liveness = liveness;
        _form = form;
        _style = style;
        _il = il;
        _isHurried = isHurried;
        _isInShell = isInShell;
        _mayBeMinimal = isHurried || (!isInShell && (form == CodeForm.Twin || compiler.IsLarge(code.FunctionIndex)));
        _locals = new Variable?[code.Locals.Length];
        _localNodes = new Node?[code.Locals.Length];
        bool isPaged = compiler.Addressing == Addressing.Paged;

        // A miss that comes back may have moved pages that a strip has found.
        bool hasStrips = form != CodeForm.Twin && !isHurried && style != AccessStyle.Rejoining;
        AddressWalk? walk = style != AccessStyle.Called && code.AccessCount > 0 ? AddressWalk.Over(code, isPaged, hasStrips) : null;
        _groups = style == AccessStyle.Grouped && walk is not null ? AddressGroups.Of(code, walk.Events, PageRules) : null;
        _plan = style == AccessStyle.Contiguous && code.AccessCount > 0 ? ContiguousPlan.Of(code, walk?.Events) : null;
        _strips = hasStrips ? walk?.Strips : null;
    }

    /// <summary>Compiles a function.</summary>
    /// <param name="compiler">The module's compiler.</param>
    /// <param name="target">The type that it becomes part of.</param>
    /// <param name="code">The function.</param>
    /// <param name="form">Which form of it.</param>
    /// <param name="il">Where to.</param>
    /// <param name="isHurried">Whether it is compiled in a hurry, and counts (<see cref="Tiering"/>).</param>
    /// <param name="isInShell">Whether it is a body in a <see cref="Shell"/>.</param>
    /// <returns>Its sites, by number; the same for both forms.</returns>
    public static Site[] Emit(ModuleCompiler compiler, CodeType target, FunctionCode code, CodeForm form, ILGenerator il, bool isHurried, bool isInShell = false)
    {
        Liveness liveness = Liveness.Of(code);
        var emitter = new FunctionEmitter(compiler, target, code, liveness, form, AccessStyles.Choose(code, liveness, compiler.Addressing), il, isHurried, isInShell);
        emitter.EmitFunction();
        return [.. emitter._sites];
    }

    private void EmitFunction()
    {
        EmitPrologue();
        if (_form == CodeForm.Twin)
        {
            EmitDispatch();
        }

        EmitEntry();
        OpenFunction();
        EmitTo(_code.Instructions.Length, 0);
        EmitColdBlocks();
        EmitSharedBlocks();
        if (_form == CodeForm.Twin)
        {
            EmitDispatchTable();
        }
    }

    private void OpenFunction()
    {
        ValType[] results = _code.Type.Results.ToArray();
        _control.Add(new ControlFrame(Opcode.Block, -1, 0, results, results, _il.DefineLabel()));
    }

    private void EmitTo(int end, int position)
    {
        while (position < end)
        {
            position = EmitInstruction(position);
        }
    }

    private void EmitColdBlocks()
    {
        // A cold block may ask for further ones.
        for (int index = 0; index < _coldBlocks.Count; index++)
        {
            _coldBlocks[index]();
        }
    }

    private void EmitPrologue()
    {
        if (_code.AccessCount > 0 && IsContiguous)
        {
            EmitContiguousPrologue();
        }
        else if (_code.AccessCount > 0 && _style != AccessStyle.Called)
        {
            _table = _il.DeclareLocal(typeof(nint));
            _il.Emit(OpCodes.Ldarg_0);
            ContextFields.LoadTable.EmitLoad(_il);
            _il.StoreLocal(_table);
        }
    }

    // Parameters are arguments of the fast form; locals that are alive at the start are zero there.
    private void EmitEntry()
    {
        int parameterCount = _code.Type.Parameters.Length;
        var values = new SiteValue[parameterCount];
        for (int index = 0; index < parameterCount; index++)
        {
            values[index] = new SiteValue(false, index, _code.Locals[index].Stored);
        }

        int site = AddSite(SiteKind.Entry, _code.BodyStart, values, []);
        if (_form == CodeForm.Fast && _code.CallCount > 0)
        {
            EmitStackCheck(site, values);
        }

        if (_form == CodeForm.Fast && _isHurried)
        {
            _il.Emit(OpCodes.Ldarg_0);
            EmitInt(_code.FunctionIndex);
            _il.Emit(OpCodes.Call, RuntimeMethods.CountCall);
        }

        if (_form == CodeForm.Twin)
        {
            Label start = _il.DefineLabel();
            AddEntry(site, start, values.Select(value => Node.Local(value.Type, value.Index)));
            _il.MarkLabel(start);
        }

        foreach (int local in _liveness.AliveAtEntry)
        {
            if (local >= parameterCount)
            {
                EmitZero(_il, _code.Locals[local]);
                StoreLocal(local);
            }
        }
    }

    private void EmitStackCheck(int site, SiteValue[] values)
    {
        LocalBuilder marker = _il.DeclareLocal(typeof(int));
        _il.Emit(OpCodes.Ldloca, marker);
        _il.Emit(OpCodes.Conv_U);
        _il.Emit(OpCodes.Ldarg_0);
        ContextFields.StackLimit.EmitLoad(_il);
        EmitUnless(OpCodes.Bge_Un, () =>
        {
            EmitSave(site, SiteKind.Entry, 0, [.. values.Select(value => Node.Local(value.Type, value.Index))]);
            EmitDefaultReturn();
        });
    }

    /// <summary>
    /// Branches over a cold block. The JIT lays a branch's target right behind it, and what it falls through to farther away; and it takes a block that returns for
    /// unlikely. So the likely way is the branch, the cold block stands at its place, and ends with a return of its own.
    /// </summary>
    /// <param name="likely">A branch that is nearly always taken; its operands are on the evaluation stack.</param>
    /// <param name="cold">Emits the cold block.</param>
    private void EmitUnless(OpCode likely, Action cold)
    {
        Label over = _il.DefineLabel();
        _il.Emit(likely, over);
        cold();
        _il.MarkLabel(over);
    }

    /// <summary>
    /// Goes to a cold block that comes back. It stands behind all else: inside a loop, the JIT would leave it where it is.
    /// </summary>
    /// <param name="unlikely">A branch that is hardly ever taken; its operands are on the evaluation stack.</param>
    /// <param name="cold">Emits the cold block, with its way back at the end.</param>
    private void EmitAside(OpCode unlikely, Action cold)
    {
        Label label = _il.DefineLabel();
        _il.Emit(unlikely, label);
        _coldBlocks.Add(() =>
        {
            _il.MarkLabel(label);
            cold();
        });
    }

    private void EmitDefaultReturn()
    {
        if (_code.Type.Results.Length > 0)
        {
            EmitZero(_il, _code.Type.Results[0]);
        }

        _il.Emit(OpCodes.Ret);
    }

    private int EmitInstruction(int position)
    {
        ref readonly Instruction instruction = ref _code.Instructions[position];
        Opcode opcode = instruction.Opcode;
        switch (opcode)
        {
            case Opcode.Nop:
                return position + 1;
            case Opcode.Else or Opcode.Catch or Opcode.CatchAll or Opcode.BrIf or Opcode.BrOnNull or Opcode.BrOnNonNull:
            case Opcode _ when opcode.OpensBlock || opcode.ClosesBlock || opcode.NeverFallsThrough:
                return EmitControl(position, in instruction);
            case Opcode.Call:
                EmitCall(position, in instruction);
                break;
            case Opcode.CallIndirect:
                EmitCallIndirect(position, in instruction);
                break;
            case Opcode.CallRef:
                EmitCallReference(position, in instruction);
                break;
            case Opcode.RefAsNonNull:
                EmitAsNonNull(instruction.Offset);
                break;
            case Opcode.Drop:
                Pop();
                break;
            case Opcode.Select or Opcode.SelectT:
                EmitSelect();
                break;
            case Opcode.LocalGet:
                Push(LocalNode(instruction.Index));
                break;
            case Opcode.LocalSet or Opcode.LocalTee:
                EmitLocalSet(in instruction);
                break;
            case Opcode.GlobalGet:
                Push(Node.Global(_module.Globals[instruction.Index].ValueType, instruction.Index));
                break;
            case Opcode.GlobalSet:
                EmitGlobalSet(instruction.Index);
                break;
            case Opcode.I32Const or Opcode.I64Const or Opcode.F32Const or Opcode.F64Const:
                Push(Node.Constant(TypeOfConstant(opcode), instruction.Immediate));
                break;
            case Opcode.V128Const:
                Push(Node.Constant(ValType.V128, instruction.Immediate, instruction.Immediate2));
                break;
            case Opcode.I8x16Shuffle:
                PushShuffle(in instruction);
                break;
            case Opcode.RefNull:
                Push(Node.Constant(instruction.Type, 0));
                break;
            case Opcode.RefFunc:
                Push(Node.FunctionReference(instruction.Index));
                break;
            case Opcode when MemoryAccess.IsLaneLoad(opcode):
                EmitLaneLoad(position, in instruction);
                break;
            case Opcode when MemoryAccess.IsLoad(opcode):
                EmitLoad(position, in instruction);
                break;
            case Opcode when MemoryAccess.IsLaneStore(opcode):
                EmitLaneStore(position, in instruction);
                break;
            case Opcode when MemoryAccess.IsStore(opcode):
                EmitStore(position, in instruction);
                break;
            case Opcode _ when opcode.IsAtomic:
                EmitAtomic(position, in instruction);
                break;
            case Opcode.MemorySize:
                Push(Node.MemorySize(instruction.Index, IsWide(instruction.Index) ? ValType.I64 : ValType.I32));
                break;
            case >= Opcode.MemoryInit and <= Opcode.TableFill or Opcode.MemoryGrow or Opcode.TableGet or Opcode.TableSet:
                EmitBulk(position, in instruction);
                break;
            case (>= Opcode.I32DivS and <= Opcode.I32RemU) or (>= Opcode.I64DivS and <= Opcode.I64RemU):
                EmitDivision(in instruction);
                break;
            case (>= Opcode.I32TruncF32S and <= Opcode.I32TruncF64U) or (>= Opcode.I64TruncF32S and <= Opcode.I64TruncF64U):
                EmitTruncation(in instruction);
                break;
            default:
                PushOperator(in instruction);
                break;
        }

        return position + 1;
    }

    private static ValType TypeOfConstant(Opcode opcode) => opcode switch
    {
        Opcode.I32Const => ValType.I32,
        Opcode.I64Const => ValType.I64,
        Opcode.F32Const => ValType.F32,
        _ => ValType.F64,
    };

    private void PushOperator(in Instruction instruction)
    {
        Opcode opcode = instruction.Opcode;
        if (VectorOperators.Find(opcode) is VectorOperator vectorOperator)
        {
            PushVectorOperator(opcode, vectorOperator, instruction.Lane);
            return;
        }

        if (!NumericInstructions.TryGetType(opcode, out _, out ValType second, out ValType result))
        {
            throw new InvalidOperationException($"The compiler does not know {opcode}.");
        }

        Node? right = second == ValType.Bottom ? null : Pop();
        Node left = Pop();
        PushTree(Node.Operator(result, opcode, left, right));
    }

    private void PushTree(Node node)
    {
        Push(node);
        if (node.Depth > Node.DepthMax)
        {
            Materialise(_stack.Count - 1);
        }
    }

    private void EmitLocalSet(in Instruction instruction)
    {
        int local = instruction.Index;
        Node value = Pop();
        for (int depth = _settled; depth < _stack.Count; depth++)
        {
            if (_stack[depth].ReadsLocal(local))
            {
                Materialise(depth);
            }
        }

        EmitNode(value);
        StoreLocal(local);
        NoteRotation(value, local);
        if (value.IsFromMemory)
        {
            _localsFromMemory.Add(local);
        }
        else
        {
            _localsFromMemory.Remove(local);
        }

        if (instruction.Opcode == Opcode.LocalTee)
        {
            Push(LocalNode(local));
        }
    }

    private Node LocalNode(int local) => Node.Local(_code.Locals[local], local, _localsFromMemory.Contains(local));

    private void EmitGlobalSet(int global)
    {
        Node value = Pop();
        MaterialiseGlobalReaders();
        EmitGlobalAddress(global);
        EmitNode(value);
        EmitStoreIndirect(_il, _module.Globals[global].ValueType);
    }

    private void EmitSelect()
    {
        Node condition = Pop();
        Node second = Pop();
        Node first = Pop();
        int depth = _stack.Count;
        SaveReadersOf(depth);
        Variable slot = SlotLocal(depth, first.Type);

        // The trees may read the slot that is about to be assigned: the condition is computed first, and the second operand, which lies
        // deeper in the stack than the slot, reads other slots.
        LocalBuilder flag = Scratch(typeof(int));
        EmitTested(condition);
        _il.StoreLocal(flag);
        if (condition is { Kind: not NodeKind.Constant, IsFromMemory: true } && first.Type is ValType.I32 or ValType.I64 && first.SlotMax <= depth)
        {
            EmitSelectByMask(flag, first, Reusable(second, depth + 1));
            Store(slot);
        }
        else
        {
            Label done = _il.DefineLabel();
            EmitNode(first);
            Store(slot);
            _il.LoadLocal(flag);
            _il.Emit(OpCodes.Brtrue, done);
            EmitNode(second);
            Store(slot);
            _il.MarkLabel(done);
        }

        NoteRotation(first, ~depth);
        NoteRotation(second, ~depth);
        Push(Node.Slot(first.Type, depth, condition.IsFromMemory || first.IsFromMemory || second.IsFromMemory));
    }

    // Without a branch: in loops, the JIT makes no conditional moves, and a comparison with what was just loaded is often mispredicted.
    private void EmitSelectByMask(LocalBuilder flag, Node first, Node second)
    {
        EmitNode(first);
        EmitNode(second);
        _il.Emit(OpCodes.Xor);
        _il.LoadLocal(flag);
        EmitInt(0);
        _il.Emit(OpCodes.Cgt_Un);
        _il.Emit(OpCodes.Neg);
        if (first.Type == ValType.I64)
        {
            _il.Emit(OpCodes.Conv_I8);
        }

        _il.Emit(OpCodes.And);
        EmitNode(second);
        _il.Emit(OpCodes.Xor);
    }
}
