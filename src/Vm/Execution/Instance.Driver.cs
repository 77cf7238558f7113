using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Everheap.Engine;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Execution;

/// <summary>Why <see cref="Instance.Run"/> returned.</summary>
internal enum RunOutcome
{
    /// <summary>The stack is empty: the outermost function returned.</summary>
    Returned,

    /// <summary>The stack is captured, and whoever was told so said stop.</summary>
    Paused,

    /// <summary>A trap; the frames that were running are on the captured stack.</summary>
    Trapped,

    /// <summary>A host function ended the program.</summary>
    HostExit,
}

/// <content>
/// The driver. It takes the topmost frame off the captured stack and enters that function's twin at the frame's site. The twin returns
/// either with a result, which the next frame is waiting for, or because the stack is being captured; then every function on the way has
/// saved a record, and the records become the new top of the captured stack.
/// </content>
internal sealed unsafe partial class Instance
{
    /// <summary>
    /// Native stack that a program may use before its frames move to the heap; what lies below serves the JIT, the engine and host functions.
    /// </summary>
    public const int NativeStackBytes = 12 << 20;

    private readonly Dictionary<(int Function, SiteKind Kind, int Offset), int> _siteNumbers = [];
    private readonly HashSet<int> _indexedFunctions = [];

    /// <summary>The values that the last function to return gave, by position, in units of 8 bytes: two for a vector.</summary>
    public ReadOnlySpan<ulong> Results => new(_context->Slots, _slotCount);

    /// <summary>The trap, after <see cref="RunOutcome.Trapped"/>.</summary>
    public (TrapKind Kind, int Function, int Offset) Trap =>
        ((TrapKind)_context->Trap, _context->TrapFunction, _context->TrapOffset);

    /// <summary>Puts a call on top of the stack. The arguments are in units of 8 bytes: two for a vector.</summary>
    public void PushCall(int function, ReadOnlySpan<ulong> arguments) =>
        _stack.PushEntry(function, _compiler.SitesOf(function)[0], arguments);

    /// <summary>Runs what is on the captured stack.</summary>
    /// <param name="onCaptured">Called whenever the whole stack lies in the heap; says whether to go on.</param>
    public RunOutcome Run(Func<bool> onCaptured)
    {
        int marker = 0;
        _context->StackLimit = (byte*)&marker - NativeStackBytes;
        _context->Poll = PollState.Running;
        while (_stack.TryPop(out ReadOnlySpan<byte> frame))
        {
            Enter(frame);
            if (Volatile.Read(ref _context->Poll) != PollState.Unwinding)
            {
                continue;
            }

            var reason = (UnwindReason)_context->Reason;
            bool isAppended = _stack.TryAppend(_context->SaveBase, _context->SaveCursor, _compiler.SitesOf);
            _context->SaveCursor = _context->SaveBase;
            _context->Poll = PollState.Running;
            _context->Reason = (int)UnwindReason.None;
            if (!isAppended)
            {
                return ExhaustStack();
            }

            switch (reason)
            {
                case UnwindReason.Trap:
                    return RunOutcome.Trapped;
                case UnwindReason.Host:
                    return RunOutcome.HostExit;
                default:
                    if (!onCaptured())
                    {
                        return RunOutcome.Paused;
                    }

                    ReachMemoryAnew();
                    break;
            }
        }

        return RunOutcome.Returned;
    }

    /// <summary>Finds a function's twin, when it is first needed.</summary>
    /// <returns>Its entry point.</returns>
    public nint FindTwin(int function)
    {
        nint entry = _compiler.TwinEntryOf(function);
        _context->Twins[function] = entry;
        return entry;
    }

    /// <summary>Finds the continuation at the site of the saved record.</summary>
    public nint FindContinuation(int function) => _compiler.EntryAt(function, ((SavedRecord*)_context->SaveBase)->Site);

    /// <summary>Makes room for a record that does not fit the save buffer.</summary>
    public void GrowSaveBuffer(int bytes)
    {
        nuint used = (nuint)(_context->SaveCursor - _context->SaveBase);
        nuint size = Math.Max((nuint)(_context->SaveEnd - _context->SaveBase) * 2, used + (nuint)bytes);
        _context->SaveBase = (byte*)NativeMemory.Realloc(_context->SaveBase, size);
        _context->SaveCursor = _context->SaveBase + used;
        _context->SaveEnd = _context->SaveBase + size;
    }

    /// <summary>Calls an imported function with the arguments in the slots.</summary>
    /// <returns>As <see cref="CompiledCode.CallHost"/>.</returns>
    public int CallHost(int function)
    {
        HostFunction import = _imports[function];
        int argumentUnits = ValTypes.UnitsOf(import.Type.Parameters);
        Span<ulong> arguments = argumentUnits <= SlotsMin ? stackalloc ulong[SlotsMin] : new ulong[argumentUnits];
        arguments = arguments[..argumentUnits];
        new ReadOnlySpan<ulong>(_context->Slots, argumentUnits).CopyTo(arguments);
        var results = new Span<ulong>(_context->Slots, ValTypes.UnitsOf(import.Type.Results));
        HostOutcome outcome = import.Body((GuestMemory?)_memory ?? NoMemory.Instance, arguments, results);
        DirtyLimitCheck?.Invoke();
        switch (outcome)
        {
            case HostOutcome.Completed:
                return 0;
            case HostOutcome.Retry:
                RequestCapture();
                return 1;
            case HostOutcome.Trap:
                CompiledCode.Trap(_context, function, 0, (int)TrapKind.Unreachable);
                return 2;
            default:
                _context->Reason = (int)UnwindReason.Host;
                Volatile.Write(ref _context->Poll, PollState.Unwinding);
                return 2;
        }
    }

    private RunOutcome ExhaustStack()
    {
        _context->Trap = (int)TrapKind.CallStackExhausted;
        _context->TrapFunction = -1;
        _context->TrapOffset = 0;
        if (_stack.TryPeek(out ReadOnlySpan<byte> frame))
        {
            _context->TrapFunction = CapturedFrame.FunctionOf(frame);
            _context->TrapOffset = CapturedFrame.OffsetOf(frame);
        }

        return RunOutcome.Trapped;
    }

    // The frame becomes the record that the twin is entered with; results that the frame waits for are in the slots already, or in it.
    private void Enter(ReadOnlySpan<byte> frame)
    {
        int function = CapturedFrame.FunctionOf(frame);
        if ((uint)function >= (uint)Module.FunctionTypes.Count)
        {
            throw new HeapFormatException($"a captured frame names function {function}, and the module has {Module.FunctionTypes.Count}");
        }

        int number = SiteNumberOf(function, CapturedFrame.KindOf(frame), CapturedFrame.OffsetOf(frame));
        Site site = _compiler.SitesOf(function)[number];
        int bytes = SavedRecord.HeadBytes + (site.Values.Length * sizeof(ulong));
        _context->SaveCursor = _context->SaveBase;
        if (_context->SaveEnd - _context->SaveBase < bytes)
        {
            GrowSaveBuffer(bytes);
        }

        var record = (SavedRecord*)_context->SaveBase;
        record->Function = function;
        record->Site = number;
        record->Bytes = bytes;
        var values = (ulong*)(_context->SaveBase + SavedRecord.HeadBytes);
        for (int index = 0; index < site.Values.Length; index++)
        {
            values[index] = BitsOf(frame, site.Values[index], index, function);
        }

        if (CapturedFrame.HasCalleeReturned(frame))
        {
            int first = CapturedFrame.ValueCountOf(frame);
            int count = Math.Min(CapturedFrame.ResultCountOf(frame), _slotCount);
            for (int index = 0; index < count; index++)
            {
                _context->Slots[index] = CapturedFrame.ReadValue(frame, first + index).Bits;
            }
        }

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

    private sealed class NoMemory : GuestMemory
    {
        public static readonly NoMemory Instance = new();

        public override ulong Length => 0;

        public override void Read(ulong offset, Span<byte> destination) =>
            throw new GuestMemoryException(offset, (ulong)destination.Length, 0);

        public override void Write(ulong offset, ReadOnlySpan<byte> source) =>
            throw new GuestMemoryException(offset, (ulong)source.Length, 0);
    }
}
