using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>Leaving a function at a site, and entering its twin there.</content>
internal sealed partial class FunctionEmitter
{
    private static readonly NativeField SaveBaseField = NativeField.Of<GroupState>(nameof(GroupState.SaveBase));

    /// <summary>Values that all of a function's sites may save together; bounds the code that a hostile function makes.</summary>
    public const long SavedValuesMax = 4_000_000;

    private readonly Node?[] _localNodes;
    private readonly List<Site> _sites = [];
    private readonly List<TwinEntry> _entries = [];
    private readonly List<TwinLoop> _openLoops = [];
    private readonly List<TwinLoop> _loops = [];
    private LocalBuilder? _record;
    private LocalBuilder? _isEntering;
    private Label _dispatch;
    private long _savedValues;

    /// <summary>What a twin does to be entered at a site.</summary>
    private readonly record struct TwinEntry(
        int Site, Label Target, Node[] Restored, Action? First, int SkippedUnits, TwinLoop[] Loops, Label? Handler);

    /// <summary>A loop of the twin: a site within it is entered through its header, so that it stays a loop for the JIT.</summary>
    private sealed record TwinLoop(Label Header, Label Dispatch, int FirstSite);

    private int AddSite(SiteKind kind, int offset, IReadOnlyList<SiteValue> values, ValType[] results)
    {
        if (_form == CodeForm.Continuation || _sitesOfStrip >= 0)
        {
            return _sites.FindIndex(Math.Max(_sitesOfStrip, 0), site => site.Kind == kind && site.Offset == offset);
        }

        SiteValue[] units = SiteValue.ToUnits(values);
        _savedValues += units.Length;
        if (_savedValues > SavedValuesMax)
        {
            throw new WasmFormatException(
                offset, $"function {_code.FunctionIndex} keeps too many values alive over its calls, loops and memory accesses (more than {SavedValuesMax})");
        }

        _sites.Add(new Site(kind, offset, units, results, kind == SiteKind.Call && ProtectingFrame() is not null, kind == SiteKind.Access ? null : OpenHeights()));
        return _sites.Count - 1;
    }

    // Blocks seldom have anything below them.
    private int[]? OpenHeights() => _control.Exists(frame => frame.Height > 0) ? [.. _control.Skip(1).Select(frame => frame.Height)] : null;

    /// <summary>
    /// The values that a stored frame holds: the live locals, then the operand stack from the bottom up to <paramref name="height"/>.
    /// Constants and locals on the stack are stored as well, so that a frame depends on WebAssembly alone.
    /// </summary>
    private SavedValues StoredValues(int[] locals, int height)
    {
        var values = new SavedValues(locals.Length + height);
        foreach (int local in locals)
        {
            ValType type = _code.Locals[local];
            values.Add(new SiteValue(false, local, type.Stored), _localNodes[local] ??= Node.Local(type, local));
        }

        for (int depth = 0; depth < height; depth++)
        {
            values.Add(new SiteValue(true, depth, _stack[depth].Type.Stored), _stack[depth]);
        }

        return values;
    }

    /// <summary>As <see cref="StoredValues"/>, without what the twin knows anyway: for records that do not outlive the moment.</summary>
    private SavedValues PassingValues(int[] locals, int height)
    {
        SavedValues values = StoredValues(locals, 0);
        for (int depth = 0; depth < height; depth++)
        {
            Node node = _stack[depth];
            if (node.Kind == NodeKind.Slot || (node.Kind == NodeKind.Local && Array.BinarySearch(locals, node.Index) < 0))
            {
                values.Add(new SiteValue(true, depth, node.Type.Stored), node);
            }
        }

        return values;
    }

    // A continuation's operand stack has slots where the twin's has constants or locals: what is saved is what the twin takes up.
    private SavedValues PassingValuesOf(int site, SavedValues values)
    {
        if (_form != CodeForm.Continuation)
        {
            return values;
        }

        var taken = new SavedValues(_sites[site].Values.Length);
        foreach (SiteValue value in _sites[site].Values)
        {
            if (!value.IsHighHalf)
            {
                taken.Add(value, value.IsStack ? _stack[value.Index] : Node.Local(value.Type, value.Index));
            }
        }

        return taken;
    }

    /// <summary>Tests whether the stack is to be captured; if so goes to a cold block, which must not come back.</summary>
    private void EmitPoll(Action cold)
    {
        if (_compiler.StressInterval > 0)
        {
            _il.Emit(OpCodes.Ldarg_0);
            _il.Emit(OpCodes.Call, RuntimeMethods.StressTick);
        }

        _il.Emit(OpCodes.Ldarg_0);

        // Volatile, or the JIT moves the load out of a loop that stores and calls nothing: such a loop would never stop for a checkpoint.
        _il.Emit(OpCodes.Volatile);
        _il.Emit(OpCodes.Ldind_I4);
        EmitUnless(OpCodes.Brfalse, cold);
    }

    /// <summary>Saves the values of a safepoint, and returns.</summary>
    private void EmitSaveAt(int site, SiteKind kind, int resultUnits, SavedValues saved)
    {
        if (_isHurried)
        {
            EmitSpill(site, saved, LeftState.Nowhere);
            return;
        }

        EmitSave(site, kind, resultUnits, saved.Nodes);
        EmitDefaultReturn();
    }

    /// <summary>Saves a record of the given values.</summary>
    private void EmitSave(int site, SiteKind kind, int resultUnits, IReadOnlyList<Node> values) =>
        EmitSaveOf(_code.FunctionIndex, SavedRecord.Pack(site, kind), resultUnits, values);

    private void EmitSaveOf(int function, int packedSite, int resultUnits, IReadOnlyList<Node> values)
    {
        _il.Emit(OpCodes.Ldarg_0);
        EmitInt(function);
        EmitInt(packedSite);
        EmitInt(resultUnits);
        if (values.Count <= CodeType.SaverValuesMax)
        {
            var types = new Type[values.Count];
            for (int index = 0; index < values.Count; index++)
            {
                EmitNode(values[index]);
                types[index] = IlType(values[index].Type);
            }

            _il.Emit(OpCodes.Call, _target.SaverOf(types));
            return;
        }

        // A saver with this many parameters would cost more than storing in place.
        LocalBuilder record = Scratch(typeof(nint));
        EmitInt(values.Sum(value => value.Type.Units));
        _il.Emit(OpCodes.Call, RuntimeMethods.BeginRecord);
        _il.StoreLocal(record);
        EmitStoreInRecord(record, values);
    }

    private void EmitStoreInRecord(LocalBuilder record, IReadOnlyList<Node> values)
    {
        int unit = 0;
        foreach (Node value in values)
        {
            EmitStoreAt(record, unit * sizeof(long), value);
            unit += value.Type.Units;
        }
    }

    private void EmitStoreAt(LocalBuilder start, int offset, Node value)
    {
        _il.LoadLocal(start);
        EmitInt(offset);
        _il.Emit(OpCodes.Add);
        EmitNode(value);
        EmitStoreIndirect(_il, value.Type);
    }

    // The twin begins by going to the entry of the site that its record names, from header to header of the loops around it. A jump straight
    // into a loop would make it irreducible: the JIT would not see a loop, and give registers to cold blocks (measured: twice the time).
    private void EmitDispatch()
    {
        _record = _il.DeclareLocal(typeof(nint));
        _isEntering = _il.DeclareLocal(typeof(int));
        _dispatch = _il.DefineLabel();
        EmitRecordAddress(_il);
        _il.StoreLocal(_record);
        EmitInt(1);
        _il.StoreLocal(_isEntering);
        _il.Emit(OpCodes.Br, _dispatch);
    }

    // At a loop's header in the twin, before its own site is numbered.
    private void BeginTwinLoop(Label header)
    {
        var loop = new TwinLoop(header, _il.DefineLabel(), _sites.Count);
        _openLoops.Add(loop);
        _loops.Add(loop);
        _il.LoadLocal(_isEntering!);
        _il.Emit(OpCodes.Brtrue, loop.Dispatch);
    }

    private void EndTwinLoop() => _openLoops.RemoveAt(_openLoops.Count - 1);

    private void AddEntry(int site, Label target, IEnumerable<Node> restored, Action? first = null, int skippedUnits = 0) =>
        _entries.Add(new TwinEntry(site, target, [.. restored], first, skippedUnits, [.. _openLoops], _sites[site].HasHandler ? UseHandler() : null));

    private void EmitDispatchTable()
    {
        Label none = _il.DefineLabel();
        var entryLabels = new Label[_sites.Count];
        foreach (TwinEntry entry in _entries)
        {
            entryLabels[entry.Site] = _il.DefineLabel();
        }

        _il.MarkLabel(_dispatch);
        EmitSiteSwitch(null, entryLabels, none);
        foreach (TwinLoop loop in _loops)
        {
            _il.MarkLabel(loop.Dispatch);
            EmitSiteSwitch(loop, entryLabels, none);
        }

        _il.MarkLabel(none);
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Call, RuntimeMethods.NoSuchSite);
        EmitDefaultReturn();
        foreach (TwinEntry entry in _entries)
        {
            _il.MarkLabel(entryLabels[entry.Site]);
            EmitInt(0);
            _il.StoreLocal(_isEntering!);
            EmitRestoration(entry);
            if (entry.Handler is Label handler)
            {
                EmitBranchIfThrowing(handler);
            }

            _il.Emit(OpCodes.Br, entry.Target);
        }
    }

    // A switch over the sites of a loop (or of the whole function), which are numbered one after the other: each leads to its entry, or to the
    // header of the next loop around it.
    private void EmitSiteSwitch(TwinLoop? loop, Label[] entryLabels, Label none)
    {
        int firstSite = loop?.FirstSite ?? 0;
        var labels = new List<Label>();
        foreach (TwinEntry entry in _entries)
        {
            int inside = loop is null ? 0 : Array.IndexOf(entry.Loops, loop) + 1;
            if (loop is not null && inside == 0)
            {
                continue;
            }

            while (labels.Count <= entry.Site - firstSite)
            {
                labels.Add(none);
            }

            labels[entry.Site - firstSite] = inside < entry.Loops.Length ? entry.Loops[inside].Header : entryLabels[entry.Site];
        }

        _il.LoadLocal(_record!);
        EmitInt(sizeof(int));
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I4);
        if (firstSite > 0)
        {
            EmitInt(firstSite);
            _il.Emit(OpCodes.Sub);
        }

        _il.Emit(OpCodes.Switch, [.. labels]);
        _il.Emit(OpCodes.Br, none);
    }

    /// <summary>Loads where the record lies that a twin or continuation is entered with.</summary>
    public static void EmitRecordAddress(ILGenerator il)
    {
        il.Emit(OpCodes.Ldarg_0);
        ContextFields.Group.EmitLoad(il);
        SaveBaseField.EmitLoad(il);
    }

    private void EmitRestoration(TwinEntry entry)
    {
        entry.First?.Invoke();
        int unit = entry.SkippedUnits;
        foreach (Node node in entry.Restored)
        {
            // A constant is known anyway.
            if (node.Kind != NodeKind.Constant)
            {
                EmitRecordValue(unit, node.Type);
                if (node.Kind == NodeKind.Local)
                {
                    StoreLocal(node.Index);
                }
                else
                {
                    Store(SlotLocal(node.Index, node.Type));
                }
            }

            unit += node.Type.Units;
        }
    }

    /// <summary>Loads a value of the record that the twin is entered with.</summary>
    private void EmitRecordValue(int unit, ValType type)
    {
        _il.LoadLocal(_record!);
        EmitInt(SavedRecord.HeadBytes + (unit * sizeof(long)));
        _il.Emit(OpCodes.Add);
        EmitLoadIndirect(_il, type);
    }
}
