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
    private const int VectorBytes = 16;

    /// <summary>An address in memory 0, in two parts.</summary>
    /// <param name="Base">A local of 64 bits.</param>
    /// <param name="Offset">What is added to it.</param>
    private readonly record struct EffectiveAddress(LocalBuilder Base, long Offset)
    {
        public EffectiveAddress At(long distance) => this with { Offset = Offset + distance };
    }

    private LocalBuilder? _address;
    private LocalBuilder? _entry;

    private LocalBuilder AddressLocal => _address ??= _il.DeclareLocal(typeof(long));

    private LocalBuilder EntryLocal => _entry ??= _il.DeclareLocal(typeof(long));

    private void EmitLoad(int position, in Instruction instruction)
    {
        MemoryAccess access = MemoryAccess.Of(instruction.Opcode);
        if (StreamAt(position) is StripMember stream)
        {
            EmitStreamLoad(stream, in instruction, access);
            return;
        }

        if (IsContiguous && !IsFar(in instruction))
        {
            EmitContiguousLoad(position, in instruction, access);
            return;
        }

        Node address = Pop();
        MaterialiseTrees();
        int depth = _stack.Count;
        Variable result = SlotLocal(depth, access.Type);
        int offset = instruction.Offset;
        long instructionOffset = instruction.Immediate;
        if (GroupAt(position) is AddressGroup group)
        {
            Label loaded = _il.DefineLabel();
            Action miss = MissingLoad(position, offset, access, result, loaded);
            EmitGrouped(
                group,
                position,
                address,
                () => EmitIndirectLoad(access, result),
                () =>
                {
                    EmitEffectiveAddress(address, instructionOffset);
                    _il.Emit(OpCodes.Stloc, AddressLocal);
                    EmitTranslation(0, miss, access.Size);
                    EmitIndirectLoad(access, result);
                    _il.Emit(OpCodes.Br, loaded);
                });
            _il.MarkLabel(loaded);
            Push(Node.Slot(access.Type, depth, isFromMemory: true));
        }
        else
        {
            EmitAddress(address, in instruction);
            EmitLoadAtAddress(position, in instruction, access);
        }
    }

    // The effective address has been computed.
    private void EmitLoadAtAddress(int position, in Instruction instruction, MemoryAccess access)
    {
        int depth = _stack.Count;
        Variable result = SlotLocal(depth, access.Type);
        int offset = instruction.Offset;
        if (IsFar(in instruction))
        {
            EmitFarLoad(in instruction, access, result);
        }
        else if (_style == AccessStyle.Called)
        {
            EmitLoadCall(() => _il.Emit(OpCodes.Ldloc, AddressLocal), access, result, offset);
        }
        else if (IsContiguous)
        {
            var place = new EffectiveAddress(AddressLocal, 0);
            EmitBoundsCheck(place, access.Size, offset);
            EmitContiguousAddress(place);
            EmitIndirectLoad(access, result);
        }
        else
        {
            Label loaded = _il.DefineLabel();
            Action miss = MissingLoad(position, offset, access, result, loaded);
            bool isAligned = 1 << instruction.AlignmentExponent >= access.Size;
            if (!isAligned)
            {
                EmitStraddleTest(access.Size, () => EmitRejoiningLoad(access, result, offset, loaded));
            }

            EmitTranslation(0, miss, isAligned ? access.Size : 1);
            EmitIndirectLoad(access, result);
            _il.MarkLabel(loaded);
        }

        Push(Node.Slot(access.Type, depth, isFromMemory: true));
    }

    private void EmitStore(int position, in Instruction instruction)
    {
        MemoryAccess access = MemoryAccess.Of(instruction.Opcode);
        if (StreamAt(position) is StripMember stream)
        {
            EmitStreamStore(stream, in instruction, access);
            return;
        }

        if (IsContiguous && !IsFar(in instruction))
        {
            EmitContiguousStore(position, in instruction, access);
            return;
        }

        Node value = Pop();
        Node address = Pop();
        MaterialiseTrees();
        int offset = instruction.Offset;
        if (IsFar(in instruction))
        {
            EmitFarStore(address, value, in instruction, access);
            return;
        }

        if (_style == AccessStyle.Called)
        {
            long effectiveOffset = instruction.Immediate;
            EmitStoreCall(() => EmitEffectiveAddress(address, effectiveOffset), () => EmitNode(value), access, offset);
            return;
        }

        Label stored = _il.DefineLabel();
        if (GroupAt(position) is AddressGroup group)
        {
            long instructionOffset = instruction.Immediate;
            value = Reusable(value, _stack.Count + 1);
            Action miss = MissingStore(position, offset, access, value, stored);
            EmitGrouped(
                group,
                position,
                address,
                () =>
                {
                    EmitNode(value);
                    EmitIndirectStore(access);
                },
                () =>
                {
                    EmitEffectiveAddress(address, instructionOffset);
                    _il.Emit(OpCodes.Stloc, AddressLocal);
                    EmitTranslation(TranslationWindow.StoreTableDistance, miss, access.Size);
                    EmitNode(value);
                    EmitIndirectStore(access);
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
                EmitStraddleTest(access.Size, () => EmitRejoiningStore(access, value, offset, stored));
            }

            EmitTranslation(
                TranslationWindow.StoreTableDistance, MissingStore(position, offset, access, value, stored), isAligned ? access.Size : 1);
            EmitNode(value);
            EmitIndirectStore(access);
        }

        _il.MarkLabel(stored);
    }

    private void EmitIndirectLoad(MemoryAccess access, Variable result)
    {
        if (access.Size == VectorBytes)
        {
            EmitLoadIndirect(_il, ValType.V128);
        }
        else
        {
            _il.Emit(access.Indirect);
        }

        if (access.Extension is OpCode extension)
        {
            _il.Emit(extension);
        }

        access.Vector?.Emit(_il);
        Store(result);
    }

    private void EmitIndirectStore(MemoryAccess access)
    {
        if (access.Size == VectorBytes)
        {
            EmitStoreIndirect(_il, ValType.V128);
        }
        else
        {
            _il.Emit(access.Indirect);
        }
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
        EmitOffset(offset);
    }

    // Leaves the address of the bytes on the evaluation stack.
    private void EmitTranslation(long tableDistance, Action miss, int alignedSize)
    {
        EmitEntry(tableDistance);
        Label misses = _il.DefineLabel();
        if (alignedSize > 1)
        {
            EmitMisalignment(new EffectiveAddress(AddressLocal, 0), alignedSize);
            _il.Emit(OpCodes.Brtrue, misses);
        }

        _il.Emit(OpCodes.Ldloc, EntryLocal);
        EmitUnless(OpCodes.Brtrue, () =>
        {
            _il.MarkLabel(misses);
            miss();
        });
        _il.Emit(OpCodes.Ldloc, EntryLocal);
        _il.Emit(OpCodes.Ldloc, AddressLocal);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Conv_I);
    }

    // Loads the entry of the address's page.
    private void EmitEntry(long tableDistance)
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
    }

    private void EmitStraddleTest(int size, Action straddles)
    {
        EmitPlaceInPage(new EffectiveAddress(AddressLocal, 0), size);
        EmitAside(OpCodes.Bgt, straddles);
    }

    // Loads where in its page an address is, and the last place there at which so many bytes still fit.
    private void EmitPlaceInPage(EffectiveAddress place, int size)
    {
        EmitLowBits(place, PageMask);
        EmitInt(PageSize - size);
    }

    // Loads by how much an address is past a multiple of the size.
    private void EmitMisalignment(EffectiveAddress place, int size) => EmitLowBits(place, size - 1);

    private void EmitLowBits(EffectiveAddress place, int mask)
    {
        _il.Emit(OpCodes.Ldloc, place.Base);
        _il.Emit(OpCodes.Conv_I4);
        if ((place.Offset & mask) != 0)
        {
            EmitInt((int)(place.Offset & mask));
            _il.Emit(OpCodes.Add);
        }

        EmitInt(mask);
        _il.Emit(OpCodes.And);
    }

    // What a load does that misses: the fast form saves and goes on in the twin; the twin saves, and is entered again by the driver.
    private Action MissingLoad(int position, int offset, MemoryAccess access, Variable result, Label loaded)
    {
        if (_style == AccessStyle.Rejoining)
        {
            return () => EmitRejoiningLoad(access, result, offset, loaded);
        }

        List<(SiteValue Value, Node Node)> saved = PassingValues(_liveness.AliveAt(position), _stack.Count);
        int site = AddSite(SiteKind.Access, offset, saved.Select(entry => entry.Value), []);
        if (_form == CodeForm.Twin)
        {
            AddEntry(
                site, loaded, saved.Select(entry => entry.Node), () => EmitLoadCall(() => EmitRecordValue(0, ValType.I64), access, result, offset), skippedUnits: 1);
        }

        List<(SiteValue Value, Node Node)> passing = PassingValuesOf(site, saved);
        return () => EmitLeave(site, passing, null);
    }

    private Action MissingStore(int position, int offset, MemoryAccess access, Node value, Label stored)
    {
        if (_style == AccessStyle.Rejoining)
        {
            return () => EmitRejoiningStore(access, value, offset, stored);
        }

        List<(SiteValue Value, Node Node)> saved = PassingValues(_liveness.AliveAt(position), _stack.Count);
        int site = AddSite(SiteKind.Access, offset, saved.Select(entry => entry.Value), []);
        if (_form == CodeForm.Twin)
        {
            AddEntry(
                site,
                stored,
                saved.Select(entry => entry.Node),
                () => EmitStoreCall(() => EmitRecordValue(0, ValType.I64), () => EmitRecordValue(1, access.Type), access, offset),
                skippedUnits: 1 + access.Type.Units);
        }

        List<(SiteValue Value, Node Node)> passing = PassingValuesOf(site, saved);
        return () => EmitLeave(site, passing, value);
    }

    // The whole access as a call, whatever stands in its way; leaves the function if it trapped.
    private void EmitLoadCall(Action address, MemoryAccess access, Variable result, int offset)
    {
        _il.Emit(OpCodes.Ldarg_0);
        address();
        EmitInt(_code.FunctionIndex);
        EmitInt(offset);
        _il.Emit(OpCodes.Call, RuntimeMethods.LoadOf(access.Size));
        EmitFromBits(access);
        Store(result);
        EmitTrapCheck();
    }

    private void EmitStoreCall(Action address, Action value, MemoryAccess access, int offset)
    {
        _il.Emit(OpCodes.Ldarg_0);
        address();
        value();
        EmitToBits(access.Type);
        EmitInt(_code.FunctionIndex);
        EmitInt(offset);
        _il.Emit(OpCodes.Call, RuntimeMethods.StoreOf(access.Size));
        EmitTrapCheck();
    }

    private void EmitLeave(int site, List<(SiteValue Value, Node Node)> saved, Node? value)
    {
        var nodes = new List<Node>(saved.Count + 2) { Node.Address() };
        if (value is not null)
        {
            nodes.Add(value);
        }

        nodes.AddRange(saved.Select(entry => entry.Node));
        EmitLeave(site, nodes);
    }

    // Goes on in the twin, at the site.
    private void EmitLeave(int site, List<Node> nodes)
    {
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
            EmitInt(LeftState.AtAccess);
            _il.Emit(OpCodes.Stfld, LeftField);
            EmitDefaultReturn();
        }
    }

    private void EmitRejoiningLoad(MemoryAccess access, Variable result, int offset, Label loaded)
    {
        EmitLoadCall(() => _il.Emit(OpCodes.Ldloc, AddressLocal), access, result, offset);
        _il.Emit(OpCodes.Br, loaded);
    }

    private void EmitRejoiningStore(MemoryAccess access, Node value, int offset, Label stored)
    {
        EmitStoreCall(() => _il.Emit(OpCodes.Ldloc, AddressLocal), () => EmitNode(value), access, offset);
        _il.Emit(OpCodes.Br, stored);
    }

    /// <summary>After a call that may have trapped: leaves if it did. A mere request for a capture is left to the next safepoint.</summary>
    private void EmitTrapCheck()
    {
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldind_I4);
        EmitInt(PollState.Unwinding);
        EmitUnless(OpCodes.Bne_Un, EmitDefaultReturn);
    }

    // The raw bytes, zero-extended to 64 bits, as the instruction's value. All of a vector's come as they are.
    private void EmitFromBits(MemoryAccess access)
    {
        switch (access.Type)
        {
            case ValType.V128:
                if (access.Vector?.Operands[0] == ValType.I32)
                {
                    _il.Emit(OpCodes.Conv_I4);
                }

                access.Vector?.Emit(_il);
                return;
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

    // Instructions on whole ranges, memory and table sizes: a call that answers with a trap or the result. Right after a memory has grown there is a safepoint: what grows
    // out of one piece goes on by pages from there.
    private void EmitBulk(int position, in Instruction instruction)
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
            EmitWiden(operand.Type);
        }

        EmitInt(instruction.Index);
        EmitInt(instruction.Index2);
        EmitInt(_code.FunctionIndex);
        EmitInt(instruction.Offset);
        _il.Emit(OpCodes.Call, method);
        if (result == ValType.I32)
        {
            _il.Emit(OpCodes.Conv_I4);
        }

        if (instruction.Opcode == Opcode.MemoryGrow)
        {
            EmitAfterCall(position, instruction.Offset, [result]);
            return;
        }

        if (result != ValType.Bottom)
        {
            Store(SlotLocal(_stack.Count, result));
            Push(Node.Slot(result, _stack.Count));
        }

        if (instruction.Opcode is not (Opcode.TableGrow or Opcode.TableSize))
        {
            EmitTrapCheck();
        }
    }
}
