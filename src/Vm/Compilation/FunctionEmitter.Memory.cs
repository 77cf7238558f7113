using System.Reflection;
using System.Reflection.Emit;
using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>
/// Loads and stores through the translation tables. The effective address is a 64-bit sum, so that it cannot wrap; the tables reach as far as
/// the largest sum, and have no entry where the memory ends. An aligned access cannot straddle two pages, so alignment is what is tested.
/// </content>
internal sealed partial class FunctionEmitter
{
    private const int PageSize = 1 << TranslationWindow.PageShift;
    private const int PageMask = PageSize - 1;

    private LocalBuilder? _address;
    private LocalBuilder? _entry;

    private LocalBuilder AddressLocal => _address ??= _il.DeclareLocal(typeof(long));

    private LocalBuilder EntryLocal => _entry ??= _il.DeclareLocal(typeof(long));

    private void EmitLoad(int position, in Instruction instruction)
    {
        MemoryAccess access = MemoryAccess.Of(instruction.Opcode);
        Node address = Pop();
        MaterialiseTrees();
        int depth = _stack.Count;
        LocalBuilder result = SlotLocal(depth, access.Type);
        int offset = instruction.Offset;
        long instructionOffset = instruction.Immediate;
        if (_style == AccessStyle.Called)
        {
            EmitLoadCall(() => EmitEffectiveAddress(address, instructionOffset), access, result, offset);
            Push(Node.Slot(access.Type, depth));
            return;
        }

        Label loaded = _il.DefineLabel();
        Label miss = _il.DefineLabel();
        if (GroupAt(position, address) is AccessGroup group)
        {
            EmitGrouped(
                group,
                instruction.Immediate,
                () => EmitIndirectLoad(access, result),
                () =>
                {
                    EmitEffectiveAddress(address, instructionOffset);
                    _il.Emit(OpCodes.Stloc, AddressLocal);
                    EmitTranslation(0, miss, access.Size);
                    EmitIndirectLoad(access, result);
                    _il.Emit(OpCodes.Br, loaded);
                });
        }
        else
        {
            EmitEffectiveAddress(address, instructionOffset);
            _il.Emit(OpCodes.Stloc, AddressLocal);
            bool isAligned = 1 << instruction.AlignmentExponent >= access.Size;
            if (!isAligned)
            {
                EmitStraddleTest(access.Size, RejoiningLoad(access, result, offset, loaded));
            }

            EmitTranslation(0, miss, isAligned ? access.Size : 1);
            EmitIndirectLoad(access, result);
        }

        if (_style == AccessStyle.Rejoining)
        {
            MarkRejoiningLoad(miss, access, result, offset, loaded);
        }
        else
        {
            LeaveAtLoad(position, offset, access, result, miss, loaded);
        }

        _il.MarkLabel(loaded);
        Push(Node.Slot(access.Type, depth));
    }

    private void EmitStore(int position, in Instruction instruction)
    {
        MemoryAccess access = MemoryAccess.Of(instruction.Opcode);
        Node value = Pop();
        Node address = Pop();
        MaterialiseTrees();
        int offset = instruction.Offset;
        if (_style == AccessStyle.Called)
        {
            _il.Emit(OpCodes.Ldarg_0);
            EmitEffectiveAddress(address, instruction.Immediate);
            EmitNode(value);
            EmitToBits(access.Type);
            EmitInt(_code.FunctionIndex);
            EmitInt(offset);
            _il.Emit(OpCodes.Call, RuntimeMethods.StoreOf(access.Size));
            EmitTrapCheck();
            return;
        }

        Label stored = _il.DefineLabel();
        Label miss = _il.DefineLabel();
        if (GroupAt(position, address) is AccessGroup group)
        {
            long instructionOffset = instruction.Immediate;
            Node kept = value = Reusable(value, _stack.Count + 1);
            EmitGrouped(
                group,
                instructionOffset,
                () =>
                {
                    EmitNode(kept);
                    _il.Emit(access.Indirect);
                },
                () =>
                {
                    EmitEffectiveAddress(address, instructionOffset);
                    _il.Emit(OpCodes.Stloc, AddressLocal);
                    EmitTranslation(TranslationWindow.StoreTableDistance, miss, access.Size);
                    EmitNode(kept);
                    _il.Emit(access.Indirect);
                    _il.Emit(OpCodes.Br, stored);
                });
        }
        else
        {
            // The address may read the slot that the value is about to be computed into, so the address comes first.
            EmitEffectiveAddress(address, instruction.Immediate);
            _il.Emit(OpCodes.Stloc, AddressLocal);
            value = Reusable(value, _stack.Count + 1);
            bool isAligned = 1 << instruction.AlignmentExponent >= access.Size;
            if (!isAligned)
            {
                EmitStraddleTest(access.Size, RejoiningStore(access, value, offset, stored));
            }

            EmitTranslation(TranslationWindow.StoreTableDistance, miss, isAligned ? access.Size : 1);
            EmitNode(value);
            _il.Emit(access.Indirect);
        }

        if (_style == AccessStyle.Rejoining)
        {
            MarkRejoiningStore(miss, access, value, offset, stored);
        }
        else
        {
            LeaveAtStore(position, offset, access, value, miss, stored);
        }

        _il.MarkLabel(stored);
    }

    private void EmitIndirectLoad(MemoryAccess access, LocalBuilder result)
    {
        _il.Emit(access.Indirect);
        if (access.Extension is OpCode extension)
        {
            _il.Emit(extension);
        }

        _il.Emit(OpCodes.Stloc, result);
    }

    private void EmitEffectiveAddress(Node address, long offset)
    {
        if (address.Kind == NodeKind.Constant)
        {
            EmitLong((uint)address.Bits + offset);
            return;
        }

        EmitNode(address);
        _il.Emit(OpCodes.Conv_U8);
        if (offset != 0)
        {
            EmitLong(offset);
            _il.Emit(OpCodes.Add);
        }
    }

    // Leaves the address of the bytes on the evaluation stack.
    private void EmitTranslation(long tableDistance, Label miss, int alignedSize)
    {
        _il.Emit(OpCodes.Ldloc, _table!);
        _il.Emit(OpCodes.Ldloc, AddressLocal);
        EmitInt(TranslationWindow.PageShift);
        _il.Emit(OpCodes.Shr_Un);
        EmitInt(3);
        _il.Emit(OpCodes.Shl);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        if (tableDistance != 0)
        {
            EmitInt((int)tableDistance);
            _il.Emit(OpCodes.Add);
        }

        _il.Emit(OpCodes.Ldind_I8);
        _il.Emit(OpCodes.Stloc, EntryLocal);
        _il.Emit(OpCodes.Ldloc, EntryLocal);
        _il.Emit(OpCodes.Brfalse, miss);
        if (alignedSize > 1)
        {
            _il.Emit(OpCodes.Ldloc, AddressLocal);
            _il.Emit(OpCodes.Conv_I4);
            EmitInt(alignedSize - 1);
            _il.Emit(OpCodes.And);
            _il.Emit(OpCodes.Brtrue, miss);
        }

        _il.Emit(OpCodes.Ldloc, EntryLocal);
        _il.Emit(OpCodes.Ldloc, AddressLocal);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Conv_I);
    }

    private void EmitStraddleTest(int size, Label straddles)
    {
        _il.Emit(OpCodes.Ldloc, AddressLocal);
        _il.Emit(OpCodes.Conv_I4);
        EmitInt(PageMask);
        _il.Emit(OpCodes.And);
        EmitInt(PageSize - size);
        _il.Emit(OpCodes.Bgt, straddles);
    }

    // A load that misses: the fast form saves and goes on in the twin; the twin saves, and is entered again by the driver.
    private void LeaveAtLoad(int position, int offset, MemoryAccess access, LocalBuilder result, Label miss, Label loaded)
    {
        List<(SiteValue Value, Node Node)> saved = PassingValues(_liveness.AliveAt(position), _stack.Count);
        int site = AddSite(SiteKind.Access, offset, [.. saved.Select(entry => entry.Value)], []);
        Leave(site, miss, saved, null);
        if (_form == CodeForm.Twin)
        {
            AddEntry(site, loaded, saved.Select(entry => Restored(entry)), () =>
            {
                EmitLoadCall(() => EmitRecordValue(0, ValType.I64), access, result, offset);
                ForgetGroupsAcross(position);
            }, skipped: 1);
        }
    }

    private void LeaveAtStore(int position, int offset, MemoryAccess access, Node value, Label miss, Label stored)
    {
        List<(SiteValue Value, Node Node)> saved = PassingValues(_liveness.AliveAt(position), _stack.Count);
        int site = AddSite(SiteKind.Access, offset, [.. saved.Select(entry => entry.Value)], []);
        Leave(site, miss, saved, value);
        if (_form == CodeForm.Twin)
        {
            AddEntry(site, stored, saved.Select(entry => Restored(entry)), () =>
            {
                _il.Emit(OpCodes.Ldarg_0);
                EmitRecordValue(0, ValType.I64);
                EmitRecordValue(1, value.Type);
                EmitToBits(value.Type);
                EmitInt(_code.FunctionIndex);
                EmitInt(offset);
                _il.Emit(OpCodes.Call, RuntimeMethods.StoreOf(access.Size));
                EmitTrapCheck();
                ForgetGroupsAcross(position);
            }, skipped: 2);
        }
    }

    // The whole access as a call, whatever stands in its way; leaves the function if it trapped.
    private void EmitLoadCall(Action address, MemoryAccess access, LocalBuilder result, int offset)
    {
        _il.Emit(OpCodes.Ldarg_0);
        address();
        EmitInt(_code.FunctionIndex);
        EmitInt(offset);
        _il.Emit(OpCodes.Call, RuntimeMethods.LoadOf(access.Size));
        EmitFromBits(access);
        _il.Emit(OpCodes.Stloc, result);
        EmitTrapCheck();
    }

    private void Leave(int site, Label miss, List<(SiteValue Value, Node Node)> saved, Node? value)
    {
        _coldBlocks.Add(() =>
        {
            _il.MarkLabel(miss);
            var nodes = new List<Node>(saved.Count + 2) { Node.Address() };
            if (value is not null)
            {
                nodes.Add(value);
            }

            nodes.AddRange(saved.Select(entry => entry.Node));
            EmitSave(site, SiteKind.Access, 0, nodes);
            _il.Emit(OpCodes.Ldarg_0);
            if (_form == CodeForm.Fast)
            {
                EmitInt(_code.FunctionIndex);
                _il.Emit(OpCodes.Call, RuntimeMethods.ContinueInTwin(_code.Type));
                _il.Emit(OpCodes.Ret);
            }
            else
            {
                EmitInt(1);
                _il.Emit(OpCodes.Stfld, LeftField);
                _il.Emit(OpCodes.Br, ReturnDefault());
            }
        });
    }

    private Label RejoiningLoad(MemoryAccess access, LocalBuilder result, int offset, Label loaded)
    {
        Label label = _il.DefineLabel();
        MarkRejoiningLoad(label, access, result, offset, loaded);
        return label;
    }

    private Label RejoiningStore(MemoryAccess access, Node value, int offset, Label stored)
    {
        Label label = _il.DefineLabel();
        MarkRejoiningStore(label, access, value, offset, stored);
        return label;
    }

    private void MarkRejoiningLoad(Label label, MemoryAccess access, LocalBuilder result, int offset, Label loaded) =>
        _coldBlocks.Add(() =>
        {
            _il.MarkLabel(label);
            EmitLoadCall(() => _il.Emit(OpCodes.Ldloc, AddressLocal), access, result, offset);
            _il.Emit(OpCodes.Br, loaded);
        });

    private void MarkRejoiningStore(Label label, MemoryAccess access, Node value, int offset, Label stored) =>
        _coldBlocks.Add(() =>
        {
            _il.MarkLabel(label);
            _il.Emit(OpCodes.Ldarg_0);
            _il.Emit(OpCodes.Ldloc, AddressLocal);
            EmitNode(value);
            EmitToBits(value.Type);
            EmitInt(_code.FunctionIndex);
            EmitInt(offset);
            _il.Emit(OpCodes.Call, RuntimeMethods.StoreOf(access.Size));
            EmitTrapCheck();
            _il.Emit(OpCodes.Br, stored);
        });

    /// <summary>After a call that may have trapped: leaves if it did. A mere request for a capture is left to the next safepoint.</summary>
    private void EmitTrapCheck()
    {
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldind_I4);
        EmitInt(PollState.Unwinding);
        _il.Emit(OpCodes.Beq, ReturnDefault());
    }

    // The raw bytes, zero-extended to 64 bits, as the instruction's value.
    private void EmitFromBits(MemoryAccess access)
    {
        switch (access.Type)
        {
            case ValType.F32:
                _il.Emit(OpCodes.Conv_I4);
                NumericInstructions.Emit(_il, Opcode.F32ReinterpretI32);
                return;
            case ValType.F64:
                NumericInstructions.Emit(_il, Opcode.F64ReinterpretI64);
                return;
        }

        if (access.Indirect == OpCodes.Ldind_I1)
        {
            _il.Emit(OpCodes.Conv_I1);
        }
        else if (access.Indirect == OpCodes.Ldind_I2)
        {
            _il.Emit(OpCodes.Conv_I2);
        }
        else if (access.Size <= 4)
        {
            _il.Emit(OpCodes.Conv_I4);
        }

        if (access.Type == ValType.I64 && access.Size < 8)
        {
            _il.Emit(access.Extension!.Value);
        }
    }

    private void EmitToBits(ValType type)
    {
        switch (type)
        {
            case ValType.I32:
                _il.Emit(OpCodes.Conv_U8);
                break;
            case ValType.F32:
                NumericInstructions.Emit(_il, Opcode.I32ReinterpretF32);
                _il.Emit(OpCodes.Conv_U8);
                break;
            case ValType.F64:
                NumericInstructions.Emit(_il, Opcode.I64ReinterpretF64);
                break;
        }
    }

    // Instructions on whole ranges, memory and table sizes: a call that answers with a trap or the result.
    private void EmitBulk(in Instruction instruction)
    {
        (MethodInfo method, int operandCount, ValType result) = RuntimeMethods.BulkOf(instruction.Opcode, in instruction, _module);
        var operands = new Node[operandCount];
        for (int index = operandCount - 1; index >= 0; index--)
        {
            operands[index] = Pop();
        }

        MaterialiseTrees();
        _il.Emit(OpCodes.Ldarg_0);
        foreach (Node operand in operands)
        {
            EmitNode(operand);
        }

        EmitInt(instruction.Index);
        EmitInt(instruction.Index2);
        EmitInt(_code.FunctionIndex);
        EmitInt(instruction.Offset);
        _il.Emit(OpCodes.Call, method);
        if (result != ValType.Bottom)
        {
            _il.Emit(OpCodes.Stloc, SlotLocal(_stack.Count, result));
            Push(Node.Slot(result, _stack.Count));
        }

        if (instruction.Opcode is not (Opcode.MemoryGrow or Opcode.TableGrow or Opcode.TableSize))
        {
            EmitTrapCheck();
        }
    }
}
