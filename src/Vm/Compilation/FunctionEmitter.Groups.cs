using System.Reflection.Emit;
using Everheap.Engine;

namespace Everheap.Vm.Compilation;

/// <content>
/// Access groups: the group's base address is translated before its first access, and is null where that fails for whatever reason (the page is not
/// there, the group straddles two, it is misaligned, or the twin was entered in its midst). Each access then goes by the base, or by itself in a cold
/// block, which may rejoin because it calls nothing.
/// </content>
internal sealed partial class FunctionEmitter
{
    private readonly AccessGroups? _groups;
    private readonly List<LocalBuilder> _groupBases = [];
    private readonly HashSet<AccessGroup> _begunGroups = [];

    private AccessGroup? GroupAt(int position, Node address) =>
        _groups?.At(position) is AccessGroup group && address.Kind == NodeKind.Local && address.Index == group.Local ? group : null;

    private LocalBuilder BaseOf(AccessGroup group)
    {
        while (_groupBases.Count <= group.Number)
        {
            _groupBases.Add(_il.DeclareLocal(typeof(long)));
        }

        return _groupBases[group.Number];
    }

    private void EmitGrouped(AccessGroup group, long offset, Action access, Action alone)
    {
        LocalBuilder groupBase = BaseOf(group);
        if (_begunGroups.Add(group))
        {
            EmitGroupHead(group, groupBase);
        }

        _il.Emit(OpCodes.Ldloc, groupBase);
        EmitAside(OpCodes.Brfalse, alone);
        _il.Emit(OpCodes.Ldloc, groupBase);
        if (offset != 0)
        {
            EmitLong(offset);
            _il.Emit(OpCodes.Add);
        }

        _il.Emit(OpCodes.Conv_I);
        access();
    }

    private void EmitGroupHead(AccessGroup group, LocalBuilder groupBase)
    {
        Label fails = _il.DefineLabel();
        Label done = _il.DefineLabel();
        EmitEffectiveAddress(Node.Local(Modules.ValType.I32, group.Local), group.Low);
        _il.Emit(OpCodes.Stloc, AddressLocal);
        EmitEntry(group.HasStore ? TranslationWindow.StoreTableDistance : 0);
        EmitPlaceInPage(group.Span);
        _il.Emit(OpCodes.Bgt, fails);
        if (group.Alignment > 1)
        {
            _il.Emit(OpCodes.Ldloc, AddressLocal);
            _il.Emit(OpCodes.Conv_I4);
            EmitInt((int)((group.AlignedOffset - group.Low) & (group.Alignment - 1)));
            _il.Emit(OpCodes.Add);
            EmitInt(group.Alignment - 1);
            _il.Emit(OpCodes.And);
            _il.Emit(OpCodes.Brtrue, fails);
        }

        _il.Emit(OpCodes.Ldloc, EntryLocal);
        EmitAside(OpCodes.Brfalse, () =>
        {
            _il.MarkLabel(fails);
            EmitLong(0);
            _il.Emit(OpCodes.Stloc, groupBase);
            _il.Emit(OpCodes.Br, done);
        });
        _il.Emit(OpCodes.Ldloc, EntryLocal);
        EmitEffectiveAddress(Node.Local(Modules.ValType.I32, group.Local), 0);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, groupBase);
        _il.MarkLabel(done);
    }

    // The twin is entered after an access: what was translated before is not known any more.
    private void ForgetGroupsAcross(int position)
    {
        foreach (AccessGroup group in _groups?.Across(position) ?? [])
        {
            EmitLong(0);
            _il.Emit(OpCodes.Stloc, BaseOf(group));
        }
    }
}
