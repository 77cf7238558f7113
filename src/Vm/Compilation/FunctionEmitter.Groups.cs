using System.Reflection.Emit;
using Everheap.Engine;

namespace Everheap.Vm.Compilation;

/// <content>
/// Groups of accesses in a memory that is reached by pages: where a group's bytes are is looked up at its head, and is null where that fails for whatever reason (the page is not there, or the
/// group straddles two). Each access then goes by that, or by itself in a cold block, which may rejoin because it calls nothing. No page moves before the next call.
/// </content>
internal sealed partial class FunctionEmitter
{
    // Accesses that lie far apart would often not share a page.
    private static readonly GroupRules PageRules = new(CertainSpanMax: 256, LikelySpanMax: 64, EndsAtCalls: true, OnlyStores: false);

    private readonly AddressGroups? _groups;
    private readonly Dictionary<int, Variable> _groupBases = [];
    private readonly HashSet<AddressGroup> _begunGroups = [];

    // The twin is entered in the midst of groups, where nothing has been looked up.
    private AddressGroup? GroupAt(int position) =>
        _form != CodeForm.Twin && _groups?.At(position) is { Members: > 1 } group && (group.Head == position || _begunGroups.Contains(group)) ? group : null;

    private Variable BaseOf(AddressGroup group)
    {
        if (!_groupBases.TryGetValue(group.Number, out Variable local))
        {
            local = DeclareVariable(typeof(long));
            _groupBases.Add(group.Number, local);
        }

        return local;
    }

    private void EmitGrouped(AddressGroup group, int position, Node address, Action access, Action alone)
    {
        Variable groupBase = BaseOf(group);
        if (group.Head == position)
        {
            _begunGroups.Add(group);
            EmitGroupHead(group, address, groupBase, alone);
        }
        else
        {
            Load(groupBase);
            EmitAside(OpCodes.Brfalse, alone);
        }

        Load(groupBase);
        long place = _groups!.MemberAt(position).Distance + _code.Instructions[position].Immediate - group.First;
        EmitOffset(place);

        _il.Emit(OpCodes.Conv_I);
        access();
    }

    private void EmitGroupHead(AddressGroup group, Node address, Variable groupBase, Action alone)
    {
        Label fails = _il.DefineLabel();
        EmitEffectiveAddress(address, 0);
        _il.StoreLocal(AddressLocal);
        if (group.Lowest < 0)
        {
            _il.LoadLocal(AddressLocal);
            EmitLong(-group.Lowest);
            _il.Emit(OpCodes.Blt, fails);
        }

        if (group.First != 0)
        {
            _il.LoadLocal(AddressLocal);
            EmitLong(group.First);
            _il.Emit(OpCodes.Add);
            _il.StoreLocal(AddressLocal);
        }

        EmitEntry(group.HasStore ? TranslationWindow.StoreTableDistance : 0);
        EmitPlaceInPage(new EffectiveAddress(AddressLocal, 0), (int)group.Span);
        _il.Emit(OpCodes.Bgt, fails);
        _il.LoadLocal(EntryLocal);
        EmitAside(OpCodes.Brfalse, () =>
        {
            _il.MarkLabel(fails);
            EmitLong(0);
            Store(groupBase);
            alone();
        });
        _il.LoadLocal(EntryLocal);
        _il.LoadLocal(AddressLocal);
        _il.Emit(OpCodes.Add);
        Store(groupBase);
    }
}
