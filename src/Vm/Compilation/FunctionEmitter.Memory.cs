using System.Reflection;
using System.Reflection.Emit;
using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>
/// Loads and stores: which way each goes, and what it has in common with the others. The effective address is a 64-bit sum, so that it cannot wrap.
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

    private LocalBuilder AddressLocal => _address ??= _il.DeclareLocal(typeof(long));

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
                    _il.StoreLocal(AddressLocal);
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
            EmitLoadCall(() => _il.LoadLocal(AddressLocal), access, result, offset);
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
                    _il.StoreLocal(AddressLocal);
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
            _il.StoreLocal(AddressLocal);
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

    // Adds to an address. A number that fits is added as one of 32 bits, which addresses, native integers to the JIT, take: a conversion would be work for it.
    private void EmitOffset(long offset)
    {
        if (offset == (int)offset)
        {
            if (offset != 0)
            {
                EmitInt((int)offset);
                _il.Emit(OpCodes.Add);
            }

            return;
        }

        _il.Emit(OpCodes.Ldc_I8, offset);
        _il.Emit(OpCodes.Add);
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
        _il.LoadLocal(place.Base);
        _il.Emit(OpCodes.Conv_I4);
        if ((place.Offset & mask) != 0)
        {
            EmitInt((int)(place.Offset & mask));
            _il.Emit(OpCodes.Add);
        }

        EmitInt(mask);
        _il.Emit(OpCodes.And);
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
