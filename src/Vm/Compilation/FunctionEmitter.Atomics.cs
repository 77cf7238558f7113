using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>
/// Atomic instructions (threads proposal). One thread runs a program, so that an atomic access is a plain one that traps where it is misaligned, and a read-modify-write operation is a call.
/// </content>
internal sealed partial class FunctionEmitter
{
    private void EmitAtomic(int position, in Instruction instruction)
    {
        switch (instruction.Opcode)
        {
            case Opcode.AtomicFence:
                break;
            case Opcode.MemoryAtomicNotify:
                EmitAtomicCall(in instruction, 1);
                break;
            case Opcode.MemoryAtomicWait32 or Opcode.MemoryAtomicWait64:
                EmitAtomicWait(position, in instruction);
                break;
            case <= Opcode.I64AtomicLoad32U:
                EmitAtomicLoad(position, in instruction);
                break;
            case <= Opcode.I64AtomicStore32:
                EmitAtomicStore(position, in instruction);
                break;
            default:
                EmitAtomicCall(in instruction, AtomicOperation.Of(instruction.Opcode).Kind == AtomicKind.CompareExchange ? 2 : 1);
                break;
        }
    }

    private void EmitAtomicLoad(int position, in Instruction instruction)
    {
        Instruction plain = instruction;
        plain.Opcode = AtomicOperation.PlainOf(instruction.Opcode);
        EmitAlignmentTrap(_stack.Count - 1, in plain);
        EmitLoad(position, in plain);
    }

    private void EmitAtomicStore(int position, in Instruction instruction)
    {
        Instruction plain = instruction;
        plain.Opcode = AtomicOperation.PlainOf(instruction.Opcode);
        EmitAlignmentTrap(_stack.Count - 2, in plain);
        EmitStore(position, in plain);
    }

    // A misaligned atomic access traps before it is found out whether it lies inside.
    private void EmitAlignmentTrap(int depth, in Instruction instruction)
    {
        int size = MemoryAccess.Of(instruction.Opcode).Size;
        if (size > 1 && _stack[depth].Kind is not (NodeKind.Local or NodeKind.Constant))
        {
            Materialise(depth);
        }

        EmitAlignmentTrap(_stack[depth], size, in instruction);
    }

    private void EmitAlignmentTrap(Node address, int size, in Instruction instruction)
    {
        if (size == 1)
        {
            return;
        }

        EmitNode(address);
        if (address.Type == ValType.I64)
        {
            _il.Emit(OpCodes.Conv_I4);
        }

        EmitInt((int)instruction.Immediate & (size - 1));
        _il.Emit(OpCodes.Add);
        EmitInt(size - 1);
        _il.Emit(OpCodes.And);
        EmitTrapUnless(OpCodes.Brfalse, TrapKind.UnalignedAtomic, instruction.Offset);
    }

    // A wait ends early where the stack is to be captured: it is a safepoint like a loop's head, with its operands on the stack, and then waits for the rest of the time.
    private void EmitAtomicWait(int position, in Instruction instruction)
    {
        int depth = _stack.Count - 3;
        for (int operand = depth; operand < _stack.Count; operand++)
        {
            Materialise(operand);
        }

        MaterialiseTrees();
        Label again = _il.DefineLabel();
        _il.MarkLabel(again);
        SavedValues saved = StoredValues(_liveness.AliveAt(position), _stack.Count);
        int site = AddSite(SiteKind.Loop, instruction.Offset, saved.Values, []);
        EmitPoll(() => EmitSaveAt(site, SiteKind.Loop, 0, saved));
        if (_form == CodeForm.Twin)
        {
            Label resumed = _il.DefineLabel();
            AddEntry(site, resumed, saved.Nodes);
            _il.MarkLabel(resumed);
        }

        int time = _stack.Count - 1;
        LocalBuilder result = Scratch(typeof(int));
        EmitAtomicOperation(in instruction, 2);
        _il.StoreLocal(result);
        EmitTrapCheck();
        _il.LoadLocal(result);
        EmitInt(0);
        EmitAside(OpCodes.Blt, () =>
        {
            // What is left of the time is in the context's slots.
            EmitSlotAddress(0);
            _il.Emit(OpCodes.Ldind_I8);
            Store(SlotLocal(time, ValType.I64));
            _il.Emit(OpCodes.Br, again);
        });
        _il.LoadLocal(result);
        Store(SlotLocal(depth, ValType.I32));
        Push(Node.Slot(ValType.I32, depth));
    }

    private void EmitAtomicCall(in Instruction instruction, int operandCount)
    {
        ValType result = AtomicOperation.ResultOf(instruction.Opcode);
        EmitAtomicOperation(in instruction, operandCount);
        int depth = _stack.Count;
        Store(SlotLocal(depth, result));
        EmitTrapCheck();
        Push(Node.Slot(result, depth));
    }

    // Operands behind the address, as bits: one, or two. The result, which comes as bits, too, is left on the evaluation stack.
    private void EmitAtomicOperation(in Instruction instruction, int operandCount)
    {
        Node second = operandCount == 2 ? Pop() : Node.Constant(ValType.I64, 0);
        Node first = Pop();
        Node address = Pop();
        MaterialiseTrees();
        int depth = _stack.Count;
        address = Reusable(address, depth);
        first = Reusable(first, depth + 1);
        second = Reusable(second, depth + 2);
        if (IsWide(instruction.Index))
        {
            // The call looks at the alignment first, too; but an address or offset that is far outside does not come so far.
            EmitAlignmentTrap(address, AtomicOperation.SizeOf(instruction.Opcode), in instruction);
        }

        EmitAddress(address, in instruction);
        EmitFarHead(in instruction);
        EmitInt((int)instruction.Opcode);
        EmitNode(first);
        EmitToBits(first.Type);
        EmitNode(second);
        EmitToBits(second.Type);
        EmitFarTail(instruction.Offset);
        _il.Emit(OpCodes.Call, RuntimeMethods.Atomic);
        if (AtomicOperation.ResultOf(instruction.Opcode) == ValType.I32)
        {
            _il.Emit(OpCodes.Conv_I4);
        }
    }
}
