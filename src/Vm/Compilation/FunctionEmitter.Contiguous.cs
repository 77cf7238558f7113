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
    private readonly ContiguousPlan? _plan;

    // The groups whose test, or mark, stands before what is emitted.
    private readonly HashSet<AddressGroup> _testedGroups = [];
    private readonly HashSet<AddressGroup> _markedGroups = [];
    private readonly List<LocalBuilder> _lineBases = [];
    private LocalBuilder? _memory;
    private LocalBuilder? _dirtyMap;

    private bool MarksStores => _compiler.Addressing != Addressing.Unmarked;

    // Neither moves while this code runs.
    private void EmitContiguousPrologue()
    {
        _memory = _il.DeclareLocal(typeof(nint));
        _il.Emit(OpCodes.Ldarg_0);
        ContextFields.MemoryBase.EmitLoad(_il);
        _il.StoreLocal(_memory);
        if (_code.StoreCount > 0 && MarksStores)
        {
            _dirtyMap = _il.DeclareLocal(typeof(nint));
            _il.Emit(OpCodes.Ldarg_0);
            ContextFields.DirtyMap.EmitLoad(_il);
            _il.StoreLocal(_dirtyMap);
        }
    }

    private void EmitContiguousLoad(int position, in Instruction instruction, MemoryAccess access)
    {
        bool isTested = EmitGroupTest(position, in instruction, _stack.Count - 1);
        Node address = Pop();
        MaterialiseTrees();
        int depth = _stack.Count;
        Variable result = SlotLocal(depth, access.Type);
        if (isTested && BaseFor(position) is null)
        {
            EmitContiguousAddress(() => EmitEffectiveAddress(address, 0), instruction.Immediate);
        }
        else
        {
            EffectiveAddress place = EmitPlace(position, address, in instruction);
            if (!isTested)
            {
                EmitBoundsCheck(place, access.Size, instruction.Offset);
            }

            EmitContiguousAddress(place);
        }

        EmitIndirectLoad(access, result);
        Push(Node.Slot(access.Type, depth, isFromMemory: true));
    }

    private void EmitContiguousStore(int position, in Instruction instruction, MemoryAccess access)
    {
        bool isTested = EmitGroupTest(position, in instruction, _stack.Count - 2);
        Node value = Pop();
        Node address = Pop();
        MaterialiseTrees();
        EffectiveAddress place = EmitPlace(position, address, in instruction);
        if (!isTested)
        {
            EmitBoundsCheck(place, access.Size, instruction.Offset);
        }

        if (MarksStores)
        {
            EmitMarks(position, place, access.Size, in instruction);
        }

        EmitContiguousAddress(place);
        EmitNode(value);
        EmitIndirectStore(access);
    }

    // The local that holds the address of the group's head for the accesses that follow in a straight line; null where the access does without, or the head has not been emitted.
    private LocalBuilder? BaseFor(int position)
    {
        if (_form == CodeForm.Twin || _plan!.BoundsAt(position) is not { CertainMembers: > 1 } group || !_plan.MemberAt(position).IsCertain
            || (group.Head != position && !_testedGroups.Contains(group)))
        {
            return null;
        }

        while (_lineBases.Count <= group.NumberInLine)
        {
            _lineBases.Add(_il.DeclareLocal(typeof(long)));
        }

        return _lineBases[group.NumberInLine];
    }

    // Computes an access's address, unless the group's head has.
    private EffectiveAddress EmitPlace(int position, Node address, in Instruction instruction)
    {
        LocalBuilder? lineBase = BaseFor(position);
        if (lineBase is not null && _plan!.BoundsAt(position) is AddressGroup group && (group.Head != position || (group.IsWide && _testedGroups.Contains(group))))
        {
            return new EffectiveAddress(lineBase, _plan.MemberAt(position).Distance + instruction.Immediate);
        }

        if (IsWide(0))
        {
            EmitAddress(address, in instruction);
            return new EffectiveAddress(AddressLocal, 0);
        }

        EmitEffectiveAddress(address, 0);
        _il.StoreLocal(lineBase ?? AddressLocal);
        return new EffectiveAddress(lineBase ?? AddressLocal, instruction.Immediate);
    }

    // Tests an access together with those of its group, if it is the group's head; says whether the access needs no test of its own any more. The twin is entered in the midst of groups, and
    // where a group's test failed, so it tests each access by itself.
    private bool EmitGroupTest(int position, in Instruction instruction, int addressDepth)
    {
        if (_plan!.BoundsAt(position) is not AddressGroup group)
        {
            return _plan.IsWithin(position);
        }

        if (group.Head != position)
        {
            return _testedGroups.Contains(group);
        }

        if (group.IsWide)
        {
            EmitWideTest(group, in instruction, addressDepth);
        }

        return _form != CodeForm.Twin && _testedGroups.Add(group) && group.IsWide;
    }

    private void EmitWideTest(AddressGroup group, in Instruction instruction, int addressDepth)
    {
        MaterialiseTrees();
        SavedValues saved = PassingValues(_liveness.AliveAt(group.Head), _stack.Count);
        int site = AddSite(SiteKind.Access, instruction.Offset, saved.Values, []);
        if (_form == CodeForm.Twin)
        {
            Label resumed = _il.DefineLabel();
            AddEntry(site, resumed, saved.Nodes);
            _il.MarkLabel(resumed);
            return;
        }

        _testedGroups.Remove(group);
        SavedValues passing = PassingValuesOf(site, saved);
        LocalBuilder head = EmitPlace(group.Head, _stack[addressDepth], in instruction).Base;
        Label fails = _il.DefineLabel();
        if (group.Lowest < 0)
        {
            _il.LoadLocal(head);
            EmitLong(-group.Lowest);
            _il.Emit(OpCodes.Blt, fails);
        }

        EmitLastComparison(head, group.End);
        EmitUnless(OpCodes.Ble, () =>
        {
            _il.MarkLabel(fails);
            EmitLeave(site, passing);
        });
    }

    private void EmitBoundsCheck(EffectiveAddress place, int size, int instructionOffset)
    {
        EmitLastComparison(place.Base, place.Offset + size);
        EmitTrapUnless(OpCodes.Ble, TrapKind.OutOfBoundsMemory, instructionOffset);
    }

    // Loads two numbers, of which the first is the larger one where something that ends so far above the address lies beyond the memory's end.
    private void EmitLastComparison(LocalBuilder address, long end)
    {
        int size = end >= VectorBytes ? VectorBytes : end >= 8 ? 8 : end >= 4 ? 4 : end >= 2 ? 2 : 1;
        _il.LoadLocal(address);
        EmitOffset(Math.Max(end - size, 0));
        _il.Emit(OpCodes.Ldarg_0);
        ContextFields.Last[int.Log2(size)].EmitLoad(_il);
    }

    private void EmitContiguousAddress(EffectiveAddress place) => EmitContiguousAddress(() => _il.LoadLocal(place.Base), place.Offset);

    // The memory's base comes first and the offset last, as the processor adds them.
    private void EmitContiguousAddress(Action address, long offset)
    {
        _il.LoadLocal(_memory!);
        address();
        _il.Emit(OpCodes.Add);
        EmitOffset(offset);
    }

    // Marks the pages of a store, or of its whole group, if it is the first. The twin is entered behind heads, so there each store marks its own.
    private void EmitMarks(int position, EffectiveAddress place, int size, in Instruction instruction)
    {
        if (_form != CodeForm.Twin && _plan!.MarksAt(position) is { Members: > 1 } group
            && (_plan.IsWithin(position) || _testedGroups.Contains(_plan.BoundsAt(position)!)))
        {
            if (group.Head == position)
            {
                _markedGroups.Add(group);
                EffectiveAddress first = place.At(group.First - instruction.Immediate);
                EmitPlaceInPage(first, (int)group.Span);
                EmitUnless(OpCodes.Ble, () => EmitMark(first.At(group.Span - 1)));
                EmitMark(first);
                return;
            }

            if (_markedGroups.Contains(group))
            {
                return;
            }
        }

        if (size > 1 && 1 << instruction.AlignmentExponent >= size)
        {
            // It hardly ever straddles two pages: the second one is marked out of the way, without a call, so that it may come back.
            EmitMisalignment(place, size);
            EmitUnless(OpCodes.Brfalse, () => EmitMark(place.At(size - 1)));
        }
        else if (size > 1)
        {
            EmitMark(place.At(size - 1));
        }

        EmitMark(place);
    }

    private void EmitMark(EffectiveAddress place)
    {
        _il.LoadLocal(_dirtyMap!);
        _il.LoadLocal(place.Base);
        EmitOffset(place.Offset);

        EmitInt(TranslationWindow.PageShift);
        _il.Emit(OpCodes.Shr_Un);
        _il.Emit(OpCodes.Add);
        EmitInt(1);
        _il.Emit(OpCodes.Stind_I1);
    }
}
