using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Everheap.Engine;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Execution;

/// <summary>A function that a module imports from the host.</summary>
/// <param name="Type">Its type, as the module declares it.</param>
/// <param name="Body">What it does.</param>
internal sealed record HostFunction(FunctionType Type, WasiFunctionBody Body);

/// <summary>
/// A module instance (core specification, section 4.2.5) whose memory, tables, globals, dropped segments and captured stack lie in a heap.
/// Globals and what indirect calls need lie in native memory as well while it runs; <see cref="Save"/> writes the globals back.
/// Used by one thread, but for <see cref="RequestCapture"/>.
/// </summary>
internal sealed unsafe partial class Instance : IDisposable
{
    private const int SaveBufferBytes = 64 << 10;
    private const int SlotsMin = 16;

    private readonly PersistentHeap _heap;
    private readonly HostFunction[] _imports;
    private readonly ulong[] _importedGlobals;
    private readonly InstanceOptions _options;
    private readonly LinearMemory? _memory;
    private readonly Table[] _tables;
    private readonly bool[] _droppedData;
    private readonly bool[] _droppedElements;
    private readonly CapturedStack _stack;
    private readonly ProcessHeader _header;
    private readonly GlobalLayout _globals;
    private readonly int _slotCount;
    private readonly ulong[] _savedGlobals;
    private readonly GCHandle _handle;

    // Held while another thread touches the context, so that it is not given back meanwhile.
    private readonly Lock _requestGate = new();
    private ModuleCompiler _compiler;
    private CodeContext* _context;
    private ulong* _importedGlobalCells;

    private Instance(
        Module module, PersistentHeap heap, ProcessHeader header, HostFunction[] imports, ulong[] importedGlobals, InstanceOptions options)
    {
        Module = module;
        _heap = heap;
        _header = header;
        _imports = imports;
        _importedGlobals = importedGlobals;
        _options = options;
        _globals = GlobalLayout.Of(module);
        _savedGlobals = new ulong[_globals.Units];
        _droppedData = new bool[module.Data.Count];
        _droppedElements = new bool[module.Elements.Count];
        _stack = new CapturedStack(heap, header.StackAddress, header.StackBytes);
        _handle = GCHandle.Alloc(this);
        _slotCount = Math.Max(SlotsMin, module.Types.Select(type => SlotsOf(type.Function)).DefaultIfEmpty().Max());
        _tables = new Table[module.Tables.Count];
        AllocateContext(options.CaptureEvery);
        if (module.Memories.Count > 0)
        {
            _memory = new LinearMemory(heap, header.MemoryAddress, (uint)header.MemoryPages, (uint?)module.Memories[0].Limits.Maximum);
        }

        ulong elements = header.TablesAddress + PersistentHeap.PageSize;
        for (int index = 0; index < _tables.Length; index++)
        {
            _tables[index] = new Table(heap, elements, (uint?)module.Tables[index].Limits.Maximum, _context->Tables + index, Resolve);
            elements += Table.AddressSpaceBytes;
        }

        ReachMemory(options.IsAlwaysPaged ? Addressing.Paged : Addressing.Contiguous);
    }

    public Module Module { get; }

    /// <summary>The memory, as host functions see it; null where the module has none.</summary>
    public LinearMemory? Memory => _memory;

    /// <summary>The part of the call stack that lies in the heap; all of it, between calls of <see cref="Run"/>.</summary>
    public CapturedStack Stack => _stack;

    /// <summary>Makes a new instance: everything but what runs code (core specification, section 4.5.4).</summary>
    /// <param name="module">The module.</param>
    /// <param name="heap">An empty heap.</param>
    /// <param name="header">Filled with where things lie.</param>
    /// <param name="imports">The imported functions, in order.</param>
    /// <param name="importedGlobals">The values of imported globals, in order, a vector as two halves; they must be immutable.</param>
    /// <param name="options">How to run it.</param>
    /// <returns>The instance.</returns>
    /// <exception cref="WasmFormatException">The module uses a feature that cannot be run.</exception>
    /// <exception cref="WasmTrapException">An active segment does not fit its table or memory.</exception>
    public static Instance Create(
        Module module, PersistentHeap heap, ProcessHeader header, HostFunction[] imports, ulong[] importedGlobals, InstanceOptions options)
    {
        Unsupported.ThrowIfNotRunnable(module);
        Lay(module, heap, header);
        return Begin(new Instance(module, heap, header, imports, importedGlobals, options), instance => instance.Initialize());
    }

    /// <summary>Goes on with the instance that a heap holds.</summary>
    public static Instance Resume(
        Module module, PersistentHeap heap, ProcessHeader header, HostFunction[] imports, ulong[] importedGlobals, InstanceOptions options)
    {
        Unsupported.ThrowIfNotRunnable(module);
        return Begin(new Instance(module, heap, header, imports, importedGlobals, options), instance => instance.Restore());
    }

    /// <summary>The instance that a context belongs to.</summary>
    public static Instance Of(CodeContext* context) => Unsafe.As<Instance>(GCHandle.FromIntPtr(context->Instance).Target!);

    /// <summary>The bits of a global, zero-extended; of a vector, its low half.</summary>
    /// <param name="index">Its index, imported ones first.</param>
    public ulong GlobalAt(int index) => *GlobalUnits(index);

    /// <summary>The high half of a global that holds a vector.</summary>
    /// <param name="index">Its index, imported ones first.</param>
    public ulong HighHalfOfGlobalAt(int index) => GlobalUnits(index)[1];

    /// <summary>Asks the program to capture its stack at its next safepoint. Any thread.</summary>
    public void RequestCapture()
    {
        lock (_requestGate)
        {
            if (_context != null)
            {
                Interlocked.CompareExchange(ref _context->Poll, PollState.Requested, PollState.Running);
            }
        }
    }

    /// <summary>Writes what lies in native memory into the heap: at a safepoint, with the stack captured.</summary>
    public void Save()
    {
        ulong* globals = Globals;
        for (int index = 0; index < _globals.Units; index++)
        {
            if (globals[index] != _savedGlobals[index])
            {
                _savedGlobals[index] = globals[index];
                _heap.Write(_header.GlobalsAddress + ((ulong)index * sizeof(ulong)), new ReadOnlySpan<byte>(globals + index, sizeof(ulong)));
            }
        }

        Span<byte> length = stackalloc byte[sizeof(ulong)];
        for (int index = 0; index < _tables.Length; index++)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(length, _tables[index].Length);
            _heap.Write(_header.TablesAddress + ((ulong)index * sizeof(ulong)), length);
        }

        _header.MemoryPages = _memory?.Pages ?? 0;
        _header.StackBytes = _stack.Bytes;
        _header.Write(_heap);
    }

    public void Dispose()
    {
        CodeContext* context;
        lock (_requestGate)
        {
            context = _context;
            _context = null;
        }

        if (context == null)
        {
            return;
        }

        foreach (Table table in _tables)
        {
            table.Dispose();
        }

        _memory?.Dispose();
        NativeMemory.Free(context->SaveBase);
        NativeMemory.Free(context->Slots);
        NativeMemory.Free(context->Twins);
        NativeMemory.Free(context->Tables);
        NativeMemory.Free(context->ImportedGlobals);
        NativeMemory.Free(_importedGlobalCells);
        NativeMemory.AlignedFree(context);
        _handle.Free();
    }

    private static int SlotsOf(FunctionType? type) => type is null ? 0 : Math.Max(ValTypes.UnitsOf(type.Parameters), ValTypes.UnitsOf(type.Results));

    private ulong* Globals => (ulong*)((byte*)_context + CodeContext.GlobalsOffset);

    private ulong* GlobalUnits(int index) => index < Module.ImportedGlobalCount
        ? _context->ImportedGlobals[index]
        : Globals + _globals.UnitOf(index - Module.ImportedGlobalCount);

    private static Instance Begin(Instance instance, Action<Instance> fill)
    {
        try
        {
            fill(instance);
        }
        catch
        {
            instance.Dispose();
            throw;
        }

        return instance;
    }

    // Address space for everything that the module declares.
    private static void Lay(Module module, PersistentHeap heap, ProcessHeader header)
    {
        header.ModuleLength = (ulong)module.Bytes.Length;
        header.ModuleAddress = heap.Allocate(Math.Max(header.ModuleLength, 1));
        heap.Write(header.ModuleAddress, module.Bytes.Span);
        header.GlobalsAddress = heap.Allocate((ulong)Math.Max(GlobalLayout.Of(module).Units, 1) * sizeof(ulong));
        header.SegmentsAddress = heap.Allocate((ulong)Math.Max(module.Data.Count + module.Elements.Count, 1));
        header.TablesAddress = heap.Allocate(PersistentHeap.PageSize + ((ulong)module.Tables.Count * Table.AddressSpaceBytes));
        header.StackAddress = heap.Allocate(CapturedStack.BytesMax);
        if (module.Memories.Count > 0)
        {
            header.MemoryAddress = heap.Allocate(LinearMemory.AddressSpaceBytes);
            header.MemoryPages = module.Memories[0].Limits.Minimum;
        }
    }

    private void AllocateContext(int stressInterval)
    {
        _context = (CodeContext*)NativeMemory.AlignedAlloc(
            (nuint)(CodeContext.GlobalsOffset + (_globals.Units * sizeof(ulong))), 64);
        *_context = default;
        _context->SaveBase = (byte*)NativeMemory.Alloc(SaveBufferBytes);
        _context->SaveCursor = _context->SaveBase;
        _context->SaveEnd = _context->SaveBase + SaveBufferBytes;
        _context->Slots = (ulong*)NativeMemory.AllocZeroed((nuint)_slotCount, sizeof(ulong));
        _context->Twins = (nint*)NativeMemory.AllocZeroed((nuint)Math.Max(Module.FunctionTypes.Count, 1), (nuint)sizeof(nint));
        _context->Tables = (TableView*)NativeMemory.AllocZeroed((nuint)Math.Max(_tables.Length, 1), (nuint)sizeof(TableView));
        _context->Instance = GCHandle.ToIntPtr(_handle);
        _context->One = 1;
        _context->OneSingle = 1;
        _context->StressInterval = stressInterval;
        _context->StressCountdown = stressInterval;
        new Span<ulong>(Globals, _globals.Units).Clear();
        _importedGlobalCells = (ulong*)NativeMemory.AllocZeroed((nuint)Math.Max(_importedGlobals.Length, 1), sizeof(ulong));
        _context->ImportedGlobals = (ulong**)NativeMemory.AllocZeroed((nuint)Math.Max(Module.ImportedGlobalCount, 1), (nuint)sizeof(ulong*));
        _importedGlobals.CopyTo(new Span<ulong>(_importedGlobalCells, _importedGlobals.Length));
        ulong* cell = _importedGlobalCells;
        for (int index = 0; index < Module.ImportedGlobalCount; index++)
        {
            _context->ImportedGlobals[index] = cell;
            cell += Module.Globals[index].ValueType.Units;
        }
    }

    private void Restore()
    {
        _heap.Read(_header.GlobalsAddress, new Span<byte>(Globals, _globals.Units * sizeof(ulong)));
        new ReadOnlySpan<ulong>(Globals, _globals.Units).CopyTo(_savedGlobals);
        Span<byte> length = stackalloc byte[sizeof(ulong)];
        for (int index = 0; index < _tables.Length; index++)
        {
            _heap.Read(_header.TablesAddress + ((ulong)index * sizeof(ulong)), length);
            _tables[index].Restore((uint)Math.Min(System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(length), uint.MaxValue));
        }

        var flags = new byte[_droppedData.Length + _droppedElements.Length];
        _heap.Read(_header.SegmentsAddress, flags);
        for (int index = 0; index < flags.Length; index++)
        {
            if (index < _droppedData.Length)
            {
                _droppedData[index] = flags[index] != 0;
            }
            else
            {
                _droppedElements[index - _droppedData.Length] = flags[index] != 0;
            }
        }
    }

    private TableEntry Resolve(ulong reference)
    {
        if (reference == 0 || reference > (ulong)Module.FunctionTypes.Count)
        {
            return default;
        }

        int function = (int)(reference - 1);
        return new TableEntry
        {
            Code = _compiler.FastEntryOf(function),
            Signature = (uint)_compiler.SignatureOf(Module.FunctionTypes[function]),
        };
    }
}
