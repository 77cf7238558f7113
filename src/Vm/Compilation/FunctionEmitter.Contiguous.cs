using System.Reflection;
using System.Reflection.Emit;
using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>
/// Loads and stores where the memory lies in one piece. The effective address is a 64-bit sum, so that it cannot wrap; it is compared with the last address at which
/// that many bytes may be accessed. A store marks its page: a seal copies the marked pages, and lies between two safepoints, as a mark and its store never do.
/// </content>
internal sealed partial class FunctionEmitter
{
    private static readonly FieldInfo MemoryBaseField = ContextField(nameof(CodeContext.MemoryBase));
    private static readonly FieldInfo DirtyMapField = ContextField(nameof(CodeContext.DirtyMap));

    private static readonly FieldInfo[] LastFields =
    [
        ContextField(nameof(CodeContext.Last8)), ContextField(nameof(CodeContext.Last16)), ContextField(nameof(CodeContext.Last32)), ContextField(nameof(CodeContext.Last64)),
        ContextField(nameof(CodeContext.Last128)),
    ];

    private LocalBuilder? _memory;
    private LocalBuilder? _dirtyMap;

    private bool MarksStores => _compiler.Addressing != Addressing.Unmarked;

    // Neither moves while this code runs.
    private void EmitContiguousPrologue()
    {
        _memory = _il.DeclareLocal(typeof(nint));
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldfld, MemoryBaseField);
        _il.Emit(OpCodes.Stloc, _memory);
        if (_code.StoreCount > 0 && MarksStores)
        {
            _dirtyMap = _il.DeclareLocal(typeof(nint));
            _il.Emit(OpCodes.Ldarg_0);
            _il.Emit(OpCodes.Ldfld, DirtyMapField);
            _il.Emit(OpCodes.Stloc, _dirtyMap);
        }
    }

    private void EmitContiguousLoad(int offset, MemoryAccess access, LocalBuilder result)
    {
        EmitBoundsCheck(access.Size, offset);
        EmitContiguousAddress();
        EmitIndirectLoad(access, result);
    }

    private void EmitContiguousStore(Node address, Node value, in Instruction instruction, MemoryAccess access)
    {
        // The address may read the slot that the value is about to be computed into, so the address comes first.
        EmitAddress(address, in instruction);
        value = Reusable(value, _stack.Count + 1);
        EmitBoundsCheck(access.Size, instruction.Offset);
        if (MarksStores)
        {
            EmitMarks(access.Size, instruction);
        }

        EmitContiguousAddress();
        EmitNode(value);
        EmitIndirectStore(access);
    }

    private void EmitMarks(int size, in Instruction instruction)
    {
        if (size > 1)
        {
            if (1 << instruction.AlignmentExponent >= size)
            {
                EmitMarkIfMisaligned(size);
            }
            else
            {
                EmitMark(size - 1);
            }
        }

        EmitMark(0);
    }

    private void EmitBoundsCheck(int size, int offset)
    {
        _il.Emit(OpCodes.Ldloc, AddressLocal);
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldfld, LastFields[int.Log2(size)]);
        EmitTrapUnless(OpCodes.Ble, TrapKind.OutOfBoundsMemory, offset);
    }

    private void EmitContiguousAddress()
    {
        _il.Emit(OpCodes.Ldloc, _memory!);
        _il.Emit(OpCodes.Ldloc, AddressLocal);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
    }

    // A store that is said to be aligned hardly ever straddles two pages: its second page is marked out of the way, without a call, so that it may come back.
    private void EmitMarkIfMisaligned(int size)
    {
        EmitMisalignment(size);
        EmitUnless(OpCodes.Brfalse, () => EmitMark(size - 1));
    }

    private void EmitMark(int distance)
    {
        _il.Emit(OpCodes.Ldloc, _dirtyMap!);
        _il.Emit(OpCodes.Ldloc, AddressLocal);
        if (distance != 0)
        {
            EmitLong(distance);
            _il.Emit(OpCodes.Add);
        }

        EmitInt(TranslationWindow.PageShift);
        _il.Emit(OpCodes.Shr_Un);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        EmitInt(1);
        _il.Emit(OpCodes.Stind_I1);
    }
}
