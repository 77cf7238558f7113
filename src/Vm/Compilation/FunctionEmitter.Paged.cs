using System.Reflection.Emit;
using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>
/// The way of an access through the translation tables, and what it does where it misses. The tables reach as far as the largest effective address, and have no entry where the memory ends.
/// An aligned access cannot straddle two pages, so alignment is what is tested.
/// </content>
internal sealed partial class FunctionEmitter
{
    private LocalBuilder? _entry;

    private LocalBuilder EntryLocal => _entry ??= _il.DeclareLocal(typeof(long));

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

        _il.LoadLocal(EntryLocal);
        EmitUnless(OpCodes.Brtrue, () =>
        {
            _il.MarkLabel(misses);
            miss();
        });
        _il.LoadLocal(EntryLocal);
        _il.LoadLocal(AddressLocal);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Conv_I);
    }

    // Loads the entry of the address's page.
    private void EmitEntry(long tableDistance)
    {
        _il.LoadLocal(_table!);
        _il.LoadLocal(AddressLocal);
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
        _il.StoreLocal(EntryLocal);
    }

    private void EmitStraddleTest(int size, Action straddles)
    {
        EmitPlaceInPage(new EffectiveAddress(AddressLocal, 0), size);
        EmitAside(OpCodes.Bgt, straddles);
    }

    // What a load does that misses: the fast form saves and goes on in the twin; the twin saves, and is entered again by the driver.
    private Action MissingLoad(int position, int offset, MemoryAccess access, Variable result, Label loaded)
    {
        if (_style == AccessStyle.Rejoining)
        {
            return () => EmitRejoiningLoad(access, result, offset, loaded);
        }

        SavedValues saved = PassingValues(_liveness.AliveAt(position), _stack.Count);
        int site = AddSite(SiteKind.Access, offset, saved.Values, []);
        if (_form == CodeForm.Twin)
        {
            AddEntry(
                site, loaded, saved.Nodes, () => EmitLoadCall(() => EmitRecordValue(0, ValType.I64), access, result, offset), skippedUnits: 1);
        }

        SavedValues passing = PassingValuesOf(site, saved);
        return () => EmitLeave(site, passing, null);
    }

    private Action MissingStore(int position, int offset, MemoryAccess access, Node value, Label stored)
    {
        if (_style == AccessStyle.Rejoining)
        {
            return () => EmitRejoiningStore(access, value, offset, stored);
        }

        SavedValues saved = PassingValues(_liveness.AliveAt(position), _stack.Count);
        int site = AddSite(SiteKind.Access, offset, saved.Values, []);
        if (_form == CodeForm.Twin)
        {
            AddEntry(
                site,
                stored,
                saved.Nodes,
                () => EmitStoreCall(() => EmitRecordValue(0, ValType.I64), () => EmitRecordValue(1, access.Type), access, offset),
                skippedUnits: 1 + access.Type.Units);
        }

        SavedValues passing = PassingValuesOf(site, saved);
        return () => EmitLeave(site, passing, value);
    }

    private void EmitLeave(int site, SavedValues saved, Node? value)
    {
        var nodes = new List<Node>(saved.Nodes.Count + 2) { Node.Address() };
        if (value is not null)
        {
            nodes.Add(value);
        }

        nodes.AddRange(saved.Nodes);
        EmitLeave(site, nodes);
    }

    // At the head of a group, or of a loop.
    private void EmitLeave(int site, SavedValues saved, int left = LeftState.AtAccess)
    {
        if (_isHurried)
        {
            EmitSpill(site, saved, left);
            return;
        }

        EmitLeave(site, saved.Nodes, left);
    }

    // Goes on in the twin at an access, and at the head of a loop in its continuation. From the fast form, the twin needs no saying.
    private void EmitLeave(int site, IReadOnlyList<Node> nodes, int left = LeftState.AtAccess)
    {
        EmitSave(site, SiteKind.Access, 0, nodes);
        if (_form != CodeForm.Fast || left != LeftState.AtAccess)
        {
            _il.Emit(OpCodes.Ldarg_0);
            ContextFields.Left.EmitStore(_il, _ => EmitInt(left));
        }

        if (_form == CodeForm.Fast)
        {
            EmitContinueInTwin();
        }
        else
        {
            EmitDefaultReturn();
        }
    }

    private void EmitContinueInTwin()
    {
        _il.Emit(OpCodes.Ldarg_0);
        EmitInt(_code.FunctionIndex);
        _il.Emit(OpCodes.Call, RuntimeMethods.ContinueInTwin(_code.Type));
        _il.Emit(OpCodes.Ret);
    }

    private void EmitRejoiningLoad(MemoryAccess access, Variable result, int offset, Label loaded)
    {
        EmitLoadCall(() => _il.LoadLocal(AddressLocal), access, result, offset);
        _il.Emit(OpCodes.Br, loaded);
    }

    private void EmitRejoiningStore(MemoryAccess access, Node value, int offset, Label stored)
    {
        EmitStoreCall(() => _il.LoadLocal(AddressLocal), () => EmitNode(value), access, offset);
        _il.Emit(OpCodes.Br, stored);
    }
}
