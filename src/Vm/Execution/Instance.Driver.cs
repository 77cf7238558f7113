using System.Runtime.Intrinsics;
using Everheap.Engine;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Execution;

/// <content>How its functions are entered at captured frames, and how they call the host.</content>
internal sealed unsafe partial class Instance
{
    /// <summary>Arguments and results of a host call for which no memory is allocated.</summary>
    private const int HostSlotsUsual = 16;

    /// <summary>How often the tables are looked through for functions that have better code, while the program runs.</summary>
    private const int RefreshMilliseconds = 10;

    private readonly Dictionary<(int Function, SiteKind Kind, int Offset), int> _siteNumbers = [];
    private readonly HashSet<int> _indexedFunctions = [];

    // Of functions that were called from outside: what passes the arguments.
    private readonly Dictionary<int, Caller> _callers = [];
    private int _replacements;
    private long _refreshedAt;

    /// <summary>Has the function compiled that is being called through an entry.</summary>
    /// <returns>Its entry point.</returns>
    public nint ResolveCallee()
    {
        nint code = _compiler.Resolve((int)_context->Callee->Function);
        RefreshTables();
        return code;
    }

    /// <summary>Finds a function's twin, when it is first needed.</summary>
    /// <returns>Its entry point.</returns>
    public nint FindTwin(int function) => _compiler.TwinEntryOf(function);

    /// <summary>A site of a function, as code numbers it that is compiled for an addressing.</summary>
    public Site SiteOf(int function, int number, Addressing addressing) =>
        (_compiler.Addressing == addressing ? _compiler : Group.OlderCodeOf(this)).SitesOf(function)[number];

    /// <summary>Finds the continuation at the site of the saved record.</summary>
    public nint FindContinuation(int function) => _compiler.EntryAt(function, ((SavedRecord*)_context->Group->SaveBase)->Site);

    /// <summary>A function has been called often. Better code that has come for others is taken up now and then, too.</summary>
    public void FindHot(int function)
    {
        _compiler.Tiering.FindHot(function);
        long now = Environment.TickCount64;
        if (now - _refreshedAt >= RefreshMilliseconds)
        {
            _refreshedAt = now;
            RefreshIfReplaced();
        }
    }

    /// <summary>A function's loop has gone round often.</summary>
    /// <returns>Whether there is a continuation for it.</returns>
    public bool FindHotLoop(int function, int site)
    {
        FindHot(function);
        return _compiler.Tiering.IsLoopReady(function, site);
    }

    /// <summary>Calls an imported host function with the arguments in the slots.</summary>
    /// <returns>As <see cref="CompiledCode.CallHost"/>.</returns>
    public int CallHost(int function)
    {
        var import = (HostFunction)_importedFunctions[function];
        FunctionType type = import.Type;
        int argumentCount = ValTypes.UnitsOf(type.Parameters);
        int resultCount = ValTypes.UnitsOf(type.Results);

        // The host function may call back, which uses the slots.
        Span<ulong> values = argumentCount + resultCount <= HostSlotsUsual ? stackalloc ulong[HostSlotsUsual] : new ulong[argumentCount + resultCount];
        Span<ulong> arguments = values[..argumentCount];
        Span<ulong> results = values.Slice(argumentCount, resultCount);
        new ReadOnlySpan<ulong>(_context->Slots, argumentCount).CopyTo(arguments);
        switch (Group.CallHost(import, this, arguments, results))
        {
            case HostOutcome.Completed:
                results.CopyTo(new Span<ulong>(_context->Slots, resultCount));
                return 0;
            case HostOutcome.Retry:
                Group.RequestCapture();
                return 1;
            case HostOutcome.Trap:
                CompiledCode.Trap(_context, function, 0, (int)TrapKind.Unreachable);
                return 2;
            case HostOutcome.Exit:
                GroupState.Unwind(_context->Group, UnwindReason.Host);
                return 2;
            default:
                return 2;
        }
    }

    // The tables have copies of the entries of functions. Better code may have taken the place of some: that is looked for whenever the program goes on.
    private void RefreshIfReplaced()
    {
        int replacements = _compiler.Replacements;
        if (_replacements != replacements)
        {
            _replacements = replacements;
            RefreshTables();
        }
    }

    private void RefreshTables()
    {
        foreach (Table table in _tables)
        {
            table.Refresh(this, _compiler.Functions);
        }
    }

    /// <summary>Has a function compiled that will soon be entered at its start.</summary>
    public void Prepare(int function)
    {
        if (FunctionAt(function) is GuestFunction guest)
        {
            guest.Owner._compiler.Prepare(guest.Index);
        }
    }

    /// <summary>Enters a function at its start, with the arguments in the slots, where its results are if it returns.</summary>
    public void Call(int function)
    {
        if (FunctionAt(function) is GuestFunction guest && guest.Owner != this)
        {
            guest.Owner.Call(guest.Index);
            return;
        }

        if (!_callers.TryGetValue(function, out Caller? caller))
        {
            caller = Callers.For(Module.FunctionTypeOf(function));
            _compiler.Resolve(function);
            _callers.Add(function, caller);
        }

        RefreshIfReplaced();
        caller((nint)_context, _compiler.Functions[function].Code, (nint)_context->Slots);
    }

    /// <summary>Enters a function at a captured frame. The frame becomes the record that its code is entered with; results that it waits for are in the slots already, or in the frame.</summary>
    /// <exception cref="HeapFormatException">The frame does not fit the module.</exception>
    public void Enter(ReadOnlySpan<byte> frame)
    {
        int function = CapturedFrame.FunctionOf(frame);
        if ((uint)function >= (uint)Module.FunctionTypes.Count)
        {
            throw new HeapFormatException($"a captured frame names function {function}, and the module has {Module.FunctionTypes.Count}");
        }

        RefreshIfReplaced();
        int number = SiteNumberOf(function, CapturedFrame.KindOf(frame), CapturedFrame.OffsetOf(frame));
        Site site = _compiler.SitesOf(function)[number];
        int bytes = SavedRecord.HeadBytes + (site.Values.Length * sizeof(ulong));
        GroupState* group = _context->Group;
        group->SaveCursor = group->SaveBase;
        if (group->SaveEnd - group->SaveBase < bytes)
        {
            InstanceGroup.GrowSaveBuffer(group, bytes);
        }

        var record = (SavedRecord*)group->SaveBase;
        record->Function = function;
        record->Site = number;
        record->Bytes = bytes;
        record->Instance = Number;
        var values = (ulong*)(group->SaveBase + SavedRecord.HeadBytes);
        for (int index = 0; index < site.Values.Length; index++)
        {
            values[index] = BitsOf(frame, site.Values[index], index, function);
        }

        if (CapturedFrame.HasCalleeReturned(frame))
        {
            int first = CapturedFrame.ValueCountOf(frame);
            int count = Math.Min(CapturedFrame.ResultCountOf(frame), InstanceGroup.SlotCount);
            for (int index = 0; index < count; index++)
            {
                _context->Slots[index] = CapturedFrame.ReadValue(frame, first + index).Bits;
            }
        }

        group->EnteredFunction = site.Kind == SiteKind.Entry ? function : -1;
        group->EnteredInstance = Number;
        Enter(_compiler.EntryAt(function, number), function);
    }

    // What leaves at a memory access goes on in the twin.
    private void Enter(nint entry, int function)
    {
        FunctionType type = Module.FunctionTypeOf(function);
        ulong* result = _context->Slots;
        _context->Left = LeftState.Nowhere;
        switch (type.Results.Length == 0 ? ValType.Bottom : type.Results[0])
        {
            case ValType.Bottom:
                ((delegate*<CodeContext*, void>)entry)(_context);
                if (_context->Left != LeftState.Nowhere)
                {
                    CompiledCode.ContinueInTwin(_context, function);
                }

                break;
            case ValType.I32:
                int word = ((delegate*<CodeContext*, int>)entry)(_context);
                *result = (uint)(_context->Left != LeftState.Nowhere ? CompiledCode.ContinueInTwinI32(_context, function) : word);
                break;
            case ValType.F32:
                float single = ((delegate*<CodeContext*, float>)entry)(_context);
                *result = BitConverter.SingleToUInt32Bits(_context->Left != LeftState.Nowhere ? CompiledCode.ContinueInTwinF32(_context, function) : single);
                break;
            case ValType.F64:
                double real = ((delegate*<CodeContext*, double>)entry)(_context);
                *result = BitConverter.DoubleToUInt64Bits(_context->Left != LeftState.Nowhere ? CompiledCode.ContinueInTwinF64(_context, function) : real);
                break;
            case ValType.V128:
                Vector128<byte> vector = ((delegate*<CodeContext*, Vector128<byte>>)entry)(_context);
                vector = _context->Left != LeftState.Nowhere ? CompiledCode.ContinueInTwinV128(_context, function) : vector;
                vector.Store((byte*)result);
                break;
            default:
                long wide = ((delegate*<CodeContext*, long>)entry)(_context);
                *result = (ulong)(_context->Left != LeftState.Nowhere ? CompiledCode.ContinueInTwinI64(_context, function) : wide);
                break;
        }
    }

    private static ulong BitsOf(ReadOnlySpan<byte> frame, SiteValue wanted, int expectedAt, int function)
    {
        int count = CapturedFrame.ValueCountOf(frame);
        if (expectedAt < count && CapturedFrame.ReadValue(frame, expectedAt) is var (value, bits) && value == wanted)
        {
            return bits;
        }

        for (int index = 0; index < count; index++)
        {
            (SiteValue found, ulong foundBits) = CapturedFrame.ReadValue(frame, index);
            if (found == wanted)
            {
                return foundBits;
            }
        }

        throw new HeapFormatException(
            $"the captured frame of function {function} does not hold {(wanted.IsStack ? "stack entry" : "local")} {wanted.Index}: it was made by an incompatible version");
    }

    private int SiteNumberOf(int function, SiteKind kind, int offset)
    {
        if (_indexedFunctions.Add(function))
        {
            Site[] sites = _compiler.SitesOf(function);
            for (int number = 0; number < sites.Length; number++)
            {
                if (sites[number].Kind != SiteKind.Access)
                {
                    _siteNumbers[(function, sites[number].Kind, sites[number].Offset)] = number;
                }
            }
        }

        return _siteNumbers.TryGetValue((function, kind, offset), out int found)
            ? found
            : throw new HeapFormatException($"a captured frame stands at byte 0x{offset:x} of function {function}, where there is no safepoint");
    }
}
