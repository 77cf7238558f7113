using System.Reflection.Emit;
using Everheap.Engine;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>
/// Loops that go by strips. The loop's body is there twice: as it is everywhere else, and without tests for the accesses that have streams. At the loop's head it is found out for how many iterations these
/// stay where they may be; so many go round in the second body, which makes a loop of its own, without safepoints. Nothing in it calls, so no page moves; and all marks that its stores need have been made.
/// </content>
internal sealed partial class FunctionEmitter
{
    /// <summary>Iterations after which a loop comes to its safepoint at the latest.</summary>
    private const int StripMax = 4096;

    /// <summary>The same in code compiled for stress, so that loops leave their strips at all kinds of places.</summary>
    private const int StressStripMax = 3;

    /// <summary>Iterations before the first strip: many a loop ends sooner than preparing one would pay.</summary>
    private const int IterationsBeforeStrip = 2;

    private readonly IReadOnlyDictionary<int, StripLoop>? _strips;

    // While the body without tests is emitted: the loop, the first of its sites, and by pages each stream's page.
    private StripLoop? _strip;
    private int _sitesOfStrip = -1;
    private readonly List<Variable> _streamBases = [];
    private readonly List<Variable> _streamPlaces = [];
    private LocalBuilder? _stripCount;
    private LocalBuilder? _stripDelay;
    private LocalBuilder? _stripAddress;

    private bool IsContiguous => _style == AccessStyle.Contiguous;

    // An access's stream where it needs no test.
    private StripMember? StreamAt(int position) => _strip?.MemberAt(position);

    private int EmitStripLoop(int position, in Instruction instruction, StripLoop strip)
    {
        int end = _code.EndOf[position];
        int firstSite = _form == CodeForm.Continuation ? 0 : _sites.Count;
        int enclosingCopyEnd = _copyEnd;
        GroupsBegun outside = SaveGroups();
        LocalBuilder delay = _stripDelay ??= _il.DeclareLocal(typeof(int));
        EmitInt(strip.IsCounted ? 0 : IterationsBeforeStrip);
        _il.StoreLocal(delay);
        OpenLoop(position, in instruction);
        ControlFrame frame = _control[^1];

        Label prepare = _il.DefineLabel();
        Label tested = _il.DefineLabel();
        Label behind = _il.DefineLabel();
        _il.LoadLocal(delay);
        _il.Emit(OpCodes.Brfalse, prepare);
        _il.LoadLocal(delay);
        EmitInt(1);
        _il.Emit(OpCodes.Sub);
        _il.StoreLocal(delay);
        _il.MarkLabel(tested);
        bool isReachable = EmitBody(end, position);
        if (isReachable)
        {
            _il.Emit(OpCodes.Br, behind);
        }

        _il.MarkLabel(prepare);
        RestoreGroups(outside);
        EmitPreparation(strip, tested);
        SetStack(frame.Height, frame.Parameters);
        Label first = _il.DefineLabel();
        var untested = new ControlFrame(Opcode.Loop, position, frame.Height, frame.BranchTypes, frame.Results, _il.DefineLabel()) { Parameters = frame.Parameters };
        _control.Add(untested);
        (_strip, _sitesOfStrip) = (strip, firstSite);
        _il.MarkLabel(first);
        EmitStreamPlaces(strip);
        bool isUntestedReachable = EmitBody(end, position);
        (_strip, _sitesOfStrip) = (null, -1);
        if (isUntestedReachable)
        {
            _il.Emit(OpCodes.Br, behind);
        }

        _il.MarkLabel(untested.Target);
        _il.LoadLocal(_stripCount!);
        EmitInt(1);
        _il.Emit(OpCodes.Sub);
        _il.StoreLocal(_stripCount!);
        _il.LoadLocal(_stripCount!);
        _il.Emit(OpCodes.Brtrue, first);
        _il.Emit(OpCodes.Br, frame.Target);

        _il.MarkLabel(behind);
        RestoreGroups(outside);
        SetStack(frame.Height, frame.Results);
        _copyEnd = enclosingCopyEnd;
        if (end == _copyEnd)
        {
            _isCopyEndReached = isReachable;
            return end + 1;
        }

        return isReachable ? end + 1 : SkipUnreachable(end + 1);
    }

    // Emits an open loop's body up to its end; says whether that is reached.
    private bool EmitBody(int end, int position)
    {
        _copyEnd = end;
        _isCopyEndReached = false;
        EmitTo(end + 1, position + 1);
        return _isCopyEndReached;
    }

    // Counts the iterations of a strip, and finds and marks the pages of its streams; goes to the tested body where there is not one.
    private void EmitPreparation(StripLoop strip, Label none)
    {
        _stripCount ??= _il.DeclareLocal(typeof(int));
        EmitInt(_compiler.StressInterval > 0 ? StressStripMax : StripMax);
        _il.StoreLocal(_stripCount);
        for (int number = 0; number < strip.Streams.Count; number++)
        {
            StripStream stream = strip.Streams[number];
            EmitTerm(stream.Address);
            _il.Emit(OpCodes.Conv_U8);
            if (stream.StepDown < 0)
            {
                // The address itself must not go below zero, wherever its offset leads: it would wrap around.
                LocalBuilder address = _stripAddress ??= _il.DeclareLocal(typeof(long));
                _il.StoreLocal(address);
                EmitStripLimit(() => _il.LoadLocal(address), -stream.StepDown);
                _il.LoadLocal(address);
            }

            EmitOffset(stream.First);
            _il.StoreLocal(AddressLocal);
            if (IsContiguous)
            {
                EmitContiguousRoom(stream, none);
            }
            else
            {
                EmitPageRoom(stream, number, none);
            }
        }
    }

    private void EmitPageRoom(StripStream stream, int number, Label none)
    {
        EmitEntry(stream.HasStore ? TranslationWindow.StoreTableDistance : 0);
        _il.LoadLocal(EntryLocal);
        _il.Emit(OpCodes.Brfalse, none);
        _il.LoadLocal(EntryLocal);
        Store(VariableOf(_streamBases, number));
        EmitRoomInPage(stream.Span, none);
        EmitStripLimits(stream);
    }

    private void EmitContiguousRoom(StripStream stream, Label none)
    {
        LocalBuilder room = Scratch(typeof(long));
        _il.Emit(OpCodes.Ldarg_0);
        ContextFields.Last[0].EmitLoad(_il);
        _il.LoadLocal(AddressLocal);
        EmitOffset(stream.Span - 1);
        _il.Emit(OpCodes.Sub);
        _il.StoreLocal(room);
        _il.LoadLocal(room);
        EmitLong(0);
        _il.Emit(OpCodes.Blt, none);
        if (!stream.HasStore || !MarksStores)
        {
            EmitStripLimit(() => _il.LoadLocal(room), stream.StepUp);
            return;
        }

        // The pages of the first iteration are marked, and not left; they reach as far as the memory does at least.
        EmitMark(new EffectiveAddress(AddressLocal, 0));
        if (stream.Span > 1)
        {
            EmitMark(new EffectiveAddress(AddressLocal, stream.Span - 1));
        }

        EmitStripLimit(
            () =>
            {
                EmitInt(PageMask);
                _il.Emit(OpCodes.Conv_I8);
                _il.LoadLocal(AddressLocal);
                EmitOffset(stream.Span - 1);
                EmitInt(PageMask);
                _il.Emit(OpCodes.Conv_I8);
                _il.Emit(OpCodes.And);
                _il.Emit(OpCodes.Sub);
            },
            stream.StepUp);
        EmitStripLimit(EmitPlaceInPage, -stream.StepDown);
    }

    private void EmitPlaceInPage()
    {
        _il.LoadLocal(AddressLocal);
        EmitInt(PageMask);
        _il.Emit(OpCodes.Conv_I8);
        _il.Emit(OpCodes.And);
    }

    // Goes away where so many bytes from the address do not lie in one page.
    private void EmitRoomInPage(long span, Label none)
    {
        EmitPlaceInPage();
        EmitLong(PageSize - span);
        _il.Emit(OpCodes.Bgt, none);
    }

    private void EmitStripLimits(StripStream stream)
    {
        EmitStripLimit(
            () =>
            {
                EmitLong(PageSize - stream.Span);
                EmitPlaceInPage();
                _il.Emit(OpCodes.Sub);
            },
            stream.StepUp);
        EmitStripLimit(EmitPlaceInPage, -stream.StepDown);
    }

    // The strip has no more iterations than the one at hand and those for which there is room.
    private void EmitStripLimit(Action room, int step)
    {
        if (step == 0)
        {
            return;
        }

        LocalBuilder limit = Scratch(typeof(long));
        Label isLess = _il.DefineLabel();
        room();
        if (int.IsPow2(step))
        {
            EmitInt(int.Log2(step));
            _il.Emit(OpCodes.Shr_Un);
        }
        else
        {
            EmitLong(step);
            _il.Emit(OpCodes.Div_Un);
        }

        EmitLong(1);
        _il.Emit(OpCodes.Add);
        _il.StoreLocal(limit);
        _il.LoadLocal(_stripCount!);
        _il.Emit(OpCodes.Conv_I8);
        _il.LoadLocal(limit);
        _il.Emit(OpCodes.Ble, isLess);
        _il.LoadLocal(limit);
        _il.Emit(OpCodes.Conv_I4);
        _il.StoreLocal(_stripCount!);
        _il.MarkLabel(isLess);
    }

    private void EmitTerm(StripTerm term)
    {
        switch (term.Opcode)
        {
            case Opcode.LocalGet:
                LoadLocal(term.Value);
                break;
            case Opcode.I32Const:
                EmitInt(term.Value);
                break;
            default:
                EmitTerm(term.First!);
                EmitTerm(term.Second!);
                NumericInstructions.Emit(_il, term.Opcode);
                break;
        }
    }

    private Variable VariableOf(List<Variable> variables, int number)
    {
        while (variables.Count <= number)
        {
            variables.Add(DeclareVariable(typeof(long)));
        }

        return variables[number];
    }

    // Of streams with several accesses, where their address lies in this iteration.
    private void EmitStreamPlaces(StripLoop strip)
    {
        for (int number = 0; number < strip.Streams.Count; number++)
        {
            if (strip.Streams[number].Members > 1)
            {
                EmitStreamBase(number);
                EmitTerm(strip.Streams[number].Address);
                _il.Emit(OpCodes.Conv_U8);
                _il.Emit(OpCodes.Add);
                Store(VariableOf(_streamPlaces, number));
            }
        }
    }

    private void EmitStreamBase(int stream)
    {
        if (IsContiguous)
        {
            _il.LoadLocal(_memory!);
            _il.Emit(OpCodes.Conv_I8);
            return;
        }

        Load(_streamBases[stream]);
    }

    // Leaves the address of the bytes of an access that has a stream on the evaluation stack.
    private void EmitStreamAddress(StripMember member, Node address, long offset)
    {
        if (_strip!.Streams[member.Stream].Members > 1)
        {
            Load(_streamPlaces[member.Stream]);
            EmitOffset(member.Place);
        }
        else
        {
            EmitStreamBase(member.Stream);
            EmitNode(address);
            _il.Emit(OpCodes.Conv_U8);
            _il.Emit(OpCodes.Add);
            EmitOffset(offset);
        }

        _il.Emit(OpCodes.Conv_I);
    }

    private void EmitStreamLoad(StripMember member, in Instruction instruction, MemoryAccess access)
    {
        Node address = Pop();
        int depth = _stack.Count;
        SaveReadersOf(depth);
        Variable result = SlotLocal(depth, access.Type);
        EmitStreamAddress(member, address, instruction.Immediate);
        EmitIndirectLoad(access, result);
        Push(Node.Slot(access.Type, depth, isFromMemory: true));
    }

    private void EmitStreamStore(StripMember member, in Instruction instruction, MemoryAccess access)
    {
        Node value = Pop();
        Node address = Pop();
        EmitStreamAddress(member, address, instruction.Immediate);
        EmitNode(value);
        EmitIndirectStore(access);
    }

    private GroupsBegun SaveGroups() => new([.. _begunGroups], [.. _testedGroups], [.. _markedGroups]);

    private void RestoreGroups(GroupsBegun groups)
    {
        _begunGroups.Clear();
        _begunGroups.UnionWith(groups.Begun);
        _testedGroups.Clear();
        _testedGroups.UnionWith(groups.Tested);
        _markedGroups.Clear();
        _markedGroups.UnionWith(groups.Marked);
    }

    /// <summary>The groups whose heads stand before what is emitted.</summary>
    private readonly record struct GroupsBegun(AddressGroup[] Begun, AddressGroup[] Tested, AddressGroup[] Marked);
}
