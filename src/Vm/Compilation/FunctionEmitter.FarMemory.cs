using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>
/// Memories other than 32-bit memory 0. Their accesses are calls, which say of which memory they are; but for 64-bit memory 0 in one piece, which is reached like a 32-bit one, once an address
/// is known to be so small that the sum with an offset cannot wrap.
/// </content>
internal sealed partial class FunctionEmitter
{
    /// <summary>Addresses from here on are outside of any memory.</summary>
    private const long AddressEnd = 1L << 48;

    private bool IsWide(int memory) => _module.Memories[memory].Is64;

    private bool IsFar(in Instruction instruction) => instruction.Index != 0 || (IsWide(0) && !IsContiguous);

    /// <summary>Computes an effective address into <see cref="AddressLocal"/>; traps if it is far outside of a 64-bit memory. The evaluation stack must be empty.</summary>
    private void EmitAddress(Node address, in Instruction instruction)
    {
        if (!IsWide(instruction.Index))
        {
            EmitEffectiveAddress(address, instruction.Immediate);
            _il.StoreLocal(AddressLocal);
            return;
        }

        EmitNode(address);
        _il.StoreLocal(AddressLocal);
        _il.LoadLocal(AddressLocal);
        EmitLong(AddressEnd);
        EmitTrapUnless(OpCodes.Blt_Un, TrapKind.OutOfBoundsMemory, instruction.Offset);
        if (instruction.Immediate != 0)
        {
            _il.LoadLocal(AddressLocal);

            // One that is far outside is made smaller, with the same alignment.
            EmitLong((ulong)instruction.Immediate < AddressEnd ? instruction.Immediate : AddressEnd | (instruction.Immediate & (sizeof(ulong) - 1)));
            _il.Emit(OpCodes.Add);
            _il.StoreLocal(AddressLocal);
        }
    }

    // The effective address has been computed.
    private void EmitFarLoad(in Instruction instruction, MemoryAccess access, Variable result)
    {
        bool isWhole = access.Size == VectorBytes;
        EmitFarHead(in instruction);
        if (!isWhole)
        {
            EmitInt(access.Size);
        }

        EmitFarTail(instruction.Offset);
        _il.Emit(OpCodes.Call, isWhole ? RuntimeMethods.LoadVectorFrom : RuntimeMethods.LoadFrom);
        EmitFromBits(access);
        Store(result);
        EmitTrapCheck();
    }

    private void EmitFarStore(Node address, Node value, in Instruction instruction, MemoryAccess access)
    {
        // The address may read the slot that the value is about to be computed into, so the address comes first.
        bool isWhole = access.Size == VectorBytes;
        EmitAddress(address, in instruction);
        EmitFarHead(in instruction);
        if (!isWhole)
        {
            EmitInt(access.Size);
        }

        EmitNode(value);
        EmitToBits(access.Type);
        EmitFarTail(instruction.Offset);
        _il.Emit(OpCodes.Call, isWhole ? RuntimeMethods.StoreVectorTo : RuntimeMethods.StoreTo);
        EmitTrapCheck();
    }

    private void EmitFarHead(in Instruction instruction)
    {
        _il.Emit(OpCodes.Ldarg_0);
        EmitInt(instruction.Index);
        _il.LoadLocal(AddressLocal);
    }

    private void EmitFarTail(int offset)
    {
        EmitInt(_code.FunctionIndex);
        EmitInt(offset);
    }
}
