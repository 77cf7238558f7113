namespace Everheap.Vm.Compilation;

/// <content>The compile-time operand stack, and when its entries are computed into IL locals.</content>
internal sealed partial class FunctionEmitter
{
    /// <summary>How many entries may wait to be computed; bounds the cost of looking through them.</summary>
    private const int UnsettledMax = 64;

    /// <summary>Entries below this are constants and slots of their own depth.</summary>
    private int _settled;

    private void Push(Node node)
    {
        _stack.Add(node);
        if (_stack.Count - _settled > UnsettledMax)
        {
            MaterialiseAll();
        }
    }

    private Node Pop()
    {
        Node node = _stack[^1];
        _stack.RemoveAt(_stack.Count - 1);
        _settled = Math.Min(_settled, _stack.Count);
        return node;
    }

    /// <summary>Computes an entry into the IL local of its depth, unless it lies there already.</summary>
    private void Materialise(int depth)
    {
        Node node = _stack[depth];
        if (node.Kind == NodeKind.Slot && node.Index == depth)
        {
            return;
        }

        SaveReadersOf(depth);
        EmitNode(node);
        Store(SlotLocal(depth, node.Type));
        NoteRotation(node, ~depth);
        _stack[depth] = Node.Slot(node.Type, depth, node.IsFromMemory);
    }

    /// <summary>Before a slot is assigned: an entry below that still reads it is computed first.</summary>
    private void SaveReadersOf(int slot)
    {
        for (int depth = _settled; depth < Math.Min(slot, _stack.Count); depth++)
        {
            if (_stack[depth].SlotMax >= slot)
            {
                MaterialiseTrees(Math.Min(slot, _stack.Count));
                return;
            }
        }
    }

    /// <summary>Leaves only constants, locals and slots on the operand stack: what a site can save.</summary>
    private void MaterialiseTrees() => MaterialiseTrees(_stack.Count);

    // In ascending order, no entry that has yet to be computed reads the slot that is assigned.
    private void MaterialiseTrees(int end)
    {
        for (int depth = _settled; depth < end; depth++)
        {
            if (_stack[depth].IsPending)
            {
                Materialise(depth);
            }
        }
    }

    /// <summary>Leaves only constants and slots on the operand stack: what every path into a label agrees on.</summary>
    private void MaterialiseAll()
    {
        for (int depth = _settled; depth < _stack.Count; depth++)
        {
            if (_stack[depth].Kind != NodeKind.Constant)
            {
                Materialise(depth);
            }
        }

        _settled = _stack.Count;
    }

    private void MaterialiseGlobalReaders()
    {
        for (int depth = _settled; depth < _stack.Count; depth++)
        {
            if (_stack[depth].ReadsGlobals)
            {
                Materialise(depth);
            }
        }
    }

    /// <summary>A node that can be emitted more than once: the value itself, or the slot it has been computed into.</summary>
    private Node Reusable(Node node, int depth)
    {
        if (node.Kind is NodeKind.Constant or NodeKind.Local or NodeKind.Slot)
        {
            return node;
        }

        SaveReadersOf(depth);
        EmitNode(node);
        Store(SlotLocal(depth, node.Type));
        NoteRotation(node, ~depth);
        return Node.Slot(node.Type, depth, node.IsFromMemory);
    }
}
