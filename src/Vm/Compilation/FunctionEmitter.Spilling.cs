using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>
/// How code that is compiled in a hurry saves itself, and traps. To save its values at each site would be a sixth of what the JIT is given. So all sites of a function share one block, which stores every variable of
/// the function, each at its place (<see cref="SpillPlaces"/>); the runtime then takes those of the site.
/// </content>
internal sealed partial class FunctionEmitter
{
    private readonly Dictionary<TrapKind, Label> _trapBlocks = [];
    private LocalBuilder? _spilledSite;
    private LocalBuilder? _trapOffset;
    private Label _spillBlock;
    private bool _isLeftInPlace;

    // Goes to the shared block, which does not come back. What is saved of the operand stack has to be in its slots, or could be computed into them.
    private void EmitSpill(int site, SavedValues saved, int left)
    {
        if (_spilledSite is null)
        {
            _spilledSite = _il.DeclareLocal(typeof(int));
            _spillBlock = _il.DefineLabel();
        }

        // From the bottom up: a value reads slots of its own depth or above.
        for (int index = 0; index < saved.Nodes.Count; index++)
        {
            SiteValue value = saved.Values[index];
            Node node = saved.Nodes[index];
            if (value.IsStack && !(node.Kind == NodeKind.Slot && node.Index == value.Index))
            {
                EmitNode(node);
                Store(SlotLocal(value.Index, node.Type));
            }
        }

        _isLeftInPlace |= left != LeftState.Nowhere;
        EmitInt(SpillPlaces.Pack(site, left));
        _il.StoreLocal(_spilledSite);
        _il.Emit(OpCodes.Br, _spillBlock);
    }

    private void EmitSharedTrap(TrapKind kind, int offset)
    {
        _trapOffset ??= _il.DeclareLocal(typeof(int));
        if (!_trapBlocks.TryGetValue(kind, out Label block))
        {
            block = _il.DefineLabel();
            _trapBlocks.Add(kind, block);
        }

        EmitInt(offset);
        _il.StoreLocal(_trapOffset);
        _il.Emit(OpCodes.Br, block);
    }

    private void EmitSharedBlocks()
    {
        foreach ((TrapKind kind, Label block) in _trapBlocks)
        {
            _il.MarkLabel(block);
            EmitTrap(kind, () => _il.LoadLocal(_trapOffset!));
        }

        if (_spilledSite is not null)
        {
            EmitSpillBlock(_spilledSite);
        }
    }

    private void EmitSpillBlock(LocalBuilder site)
    {
        _il.MarkLabel(_spillBlock);
        var places = new SpillPlaces(_code.Locals.Length);
        LocalBuilder area = _il.DeclareLocal(typeof(nint));
        _il.Emit(OpCodes.Ldarg_0);
        EmitInt(places.BytesFor(_slots.Count == 0 ? 0 : _slots.Keys.Max(slot => slot.Depth) + 1));
        _il.Emit(OpCodes.Call, RuntimeMethods.BeginSpill);
        _il.StoreLocal(area);
        for (int local = 0; local < _locals.Length; local++)
        {
            if (IsArgument(local) || _locals[local] is not null)
            {
                EmitStoreAt(area, SpillPlaces.OffsetOfLocal(local), Node.Local(_code.Locals[local], local));
            }
        }

        foreach ((int depth, Type ilType) in _slots.Keys)
        {
            ValType type = CodeType.ValueTypeOf(ilType);
            EmitStoreAt(area, places.OffsetOfSlot(depth, type), Node.Slot(type, depth));
        }

        _il.Emit(OpCodes.Ldarg_0);
        EmitInt(_code.FunctionIndex);
        _il.LoadLocal(site);
        _il.LoadLocal(area);
        EmitInt(SpillPlaces.PackShape(_code.Locals.Length, _compiler.Addressing));
        _il.Emit(OpCodes.Call, RuntimeMethods.SaveSpilled);
        if (_isLeftInPlace && _form == CodeForm.Fast)
        {
            Label saved = _il.DefineLabel();
            _il.Emit(OpCodes.Brfalse, saved);
            EmitContinueInTwin();
            _il.MarkLabel(saved);
        }
        else
        {
            _il.Emit(OpCodes.Pop);
        }

        EmitDefaultReturn();
    }
}
