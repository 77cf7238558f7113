using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Everheap.Engine;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>Where what an instance declares lies in the heap.</summary>
/// <param name="Globals">Its globals, 8 bytes each.</param>
/// <param name="Segments">The dropped-segment flags, a byte each: data, then elements.</param>
/// <param name="Memories">Its memories.</param>
/// <param name="Tables">The elements of its tables, 8 bytes each.</param>
internal sealed record InstanceLayout(ulong Globals, ulong Segments, ulong[] Memories, ulong[] Tables);

/// <summary>
/// A module instance (core specification, section 4.2.5), one of a group. What it declares lies in the group's heap, and can be used by others that import it. Globals and what indirect
/// calls need lie in native memory as well while it runs; <see cref="Save"/> writes the globals back. Used by the thread that runs the group.
/// </summary>
internal sealed unsafe partial class Instance : IDisposable
{
    private readonly PersistentHeap _heap;
    private readonly InstanceLayout _layout;
    private readonly External[] _imports;
    private readonly External[] _importedFunctions;
    private readonly External[] _importedGlobals;
    private readonly LinearMemory[] _memories;
    private readonly Table[] _tables;
    private readonly bool[] _droppedData;
    private readonly bool[] _droppedElements;
    private readonly GlobalLayout _globals;
    private readonly ulong[] _savedGlobals;
    private readonly GCHandle _handle;
    private ModuleCompiler _compiler;
    private CodeContext* _context;

    /// <summary>Makes an instance known to compiled code. Its globals and tables are still empty.</summary>
    /// <param name="group">The group.</param>
    /// <param name="number">Its number there.</param>
    /// <param name="module">Its module.</param>
    /// <param name="layout">Where its state lies.</param>
    /// <param name="imports">What the imports are given, in order.</param>
    public Instance(InstanceGroup group, int number, Module module, InstanceLayout layout, External[] imports)
    {
        Group = group;
        Number = number;
        Module = module;
        _heap = group.Heap;
        _layout = layout;
        _imports = imports;
        _importedFunctions = [.. imports.Where(import => import.Kind == ExternalKind.Function)];
        _importedGlobals = [.. imports.Where(import => import.Kind == ExternalKind.Global)];
        _globals = GlobalLayout.Of(module);
        _savedGlobals = new ulong[_globals.Units];
        _droppedData = new bool[module.Data.Count];
        _droppedElements = new bool[module.Elements.Count];
        _memories =
        [
            .. imports.OfType<ExternalMemory>().Select(import => import.Memory),
            .. layout.Memories.Select((address, index) => group.AddMemory(address, module.Memories[module.ImportedMemoryCount + index])),
        ];
        _tables =
        [
            .. imports.OfType<ExternalTable>().Select(import => import.Table),
            .. layout.Tables.Select((address, index) => group.AddTable(address, module, module.Tables[module.ImportedTableCount + index])),
        ];
        _importedTags = [.. imports.OfType<ExternalTag>()];
        _handle = GCHandle.Alloc(this);
        AllocateContext();
        try
        {
            ReachMemory(group.AddressingOf(Memory));
        }
        catch
        {
            Dispose();
            throw;
        }

        for (int index = 0; index < _tables.Length; index++)
        {
            _tables[index].Show(this, _context->Tables + index);
        }

        Memory?.Users.Add(this);
    }

    public InstanceGroup Group { get; }

    /// <summary>Its number in its group.</summary>
    public int Number { get; }

    public Module Module { get; }

    /// <summary>The name that whoever made it gave it; null for none.</summary>
    public string? Name { get; init; }

    public InstanceLayout Layout => _layout;

    /// <summary>What its imports were given, in order.</summary>
    public IReadOnlyList<External> Imports => _imports;

    /// <summary>Its tables, imported ones first.</summary>
    public IReadOnlyList<Table> Tables => _tables;

    /// <summary>Its memories, imported ones first.</summary>
    public IReadOnlyList<LinearMemory> Memories => _memories;

    /// <summary>Memory 0; null where the module has none.</summary>
    public LinearMemory? Memory => _memories.Length > 0 ? _memories[0] : null;

    /// <summary>The memory as host functions see it: one without a byte where the module has none.</summary>
    public GuestMemory HostMemory => (GuestMemory?)Memory ?? NoMemory.Instance;

    public CodeContext* Context => _context;

    /// <summary>The instance that a context belongs to.</summary>
    public static Instance Of(CodeContext* context) => Unsafe.As<Instance>(GCHandle.FromIntPtr(context->Instance).Target!);

    /// <summary>What the module exports under a name; null if there is no such export.</summary>
    public External? FindExport(string name)
    {
        foreach (Export export in Module.Exports)
        {
            if (export.Name == name)
            {
                return ExternalOf(export.Kind, export.Index);
            }
        }

        return null;
    }

    /// <summary>What an index stands for: an own thing, or what the import was given.</summary>
    public External ExternalOf(ExternalKind kind, int index) => kind switch
    {
        ExternalKind.Function => FunctionAt(index),
        ExternalKind.Table => new ExternalTable(_tables[index]),
        ExternalKind.Memory => new ExternalMemory(_memories[index]),
        ExternalKind.Global => index < _importedGlobals.Length ? _importedGlobals[index] : new ExternalGlobal(this, index),
        ExternalKind.Tag => index < _importedTags.Length ? _importedTags[index] : new ExternalTag(this, index),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "There is no such kind of export."),
    };

    /// <summary>The function that an index stands for.</summary>
    public External FunctionAt(int index) => index < _importedFunctions.Length ? _importedFunctions[index] : new GuestFunction(this, index);

    /// <summary>Where a global lies: one unit of 8 bytes, or two for a vector.</summary>
    /// <param name="index">Its index, imported ones first.</param>
    public ulong* GlobalUnits(int index) =>
        index < _importedGlobals.Length ? _context->ImportedGlobals[index] : Globals + _globals.UnitOf(index - _importedGlobals.Length);

    /// <summary>Writes what lies in native memory into the heap: at a safepoint, with the stack captured.</summary>
    public void Save()
    {
        ulong* globals = Globals;
        for (int index = 0; index < _globals.Units; index++)
        {
            if (globals[index] != _savedGlobals[index])
            {
                _savedGlobals[index] = globals[index];
                _heap.Write(_layout.Globals + ((ulong)index * sizeof(ulong)), new ReadOnlySpan<byte>(globals + index, sizeof(ulong)));
            }
        }
    }

    /// <summary>Reads back what <see cref="Save"/> wrote, and which segments were dropped.</summary>
    public void Restore()
    {
        _heap.Read(_layout.Globals, new Span<byte>(Globals, _globals.Units * sizeof(ulong)));
        new ReadOnlySpan<ulong>(Globals, _globals.Units).CopyTo(_savedGlobals);
        var flags = new byte[_droppedData.Length + _droppedElements.Length];
        _heap.Read(_layout.Segments, flags);
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

    /// <summary>Frees its native memory. Its memories and tables are the group's to dispose of.</summary>
    public void Dispose()
    {
        CodeContext* context = _context;
        _context = null;
        if (context == null)
        {
            return;
        }

        Memory?.Users.Remove(this);
        for (int index = 0; index < _tables.Length; index++)
        {
            _tables[index].Hide(context->Tables + index);
        }

        if (_compiler is not null)
        {
            Module.ReleaseCode(_compiler, isOutgrown: false);
        }

        NativeMemory.Free(context->Tables);
        NativeMemory.Free(context->ImportedGlobals);
        NativeMemory.Free(context->Imports);
        NativeMemory.AlignedFree(context);
        _handle.Free();
    }

    private ulong* Globals => (ulong*)((byte*)_context + CodeContext.GlobalsOffset);

    private void AllocateContext()
    {
        int stressInterval = Group.Options.CaptureEvery;
        _context = (CodeContext*)NativeMemory.AlignedAlloc(
            (nuint)(CodeContext.GlobalsOffset + (_globals.Units * sizeof(ulong))), 64);
        *_context = default;
        _context->Group = Group.State;
        _context->Slots = Group.Slots;
        _context->StackLimit = Group.StackLimit;
        _context->InstanceNumber = Number;
        _context->FunctionReferences = (long)InstanceGroup.FirstReferenceOf(Number);
        _context->Tables = (TableView*)NativeMemory.AllocZeroed((nuint)Math.Max(_tables.Length, 1), (nuint)sizeof(TableView));
        _context->Instance = GCHandle.ToIntPtr(_handle);
        _context->One = 1;
        _context->OneSingle = 1;
        _context->StressInterval = stressInterval;
        _context->StressCountdown = stressInterval;
        new Span<ulong>(Globals, _globals.Units).Clear();
        _context->ImportedGlobals = (ulong**)NativeMemory.AllocZeroed((nuint)Math.Max(_importedGlobals.Length, 1), (nuint)sizeof(ulong*));
        for (int index = 0; index < _importedGlobals.Length; index++)
        {
            var global = (ExternalGlobal)_importedGlobals[index];
            _context->ImportedGlobals[index] = global.Owner.GlobalUnits(global.Index);
        }

        _context->Imports = (FunctionCell*)NativeMemory.AllocZeroed((nuint)Math.Max(_importedFunctions.Length, 1), (nuint)sizeof(FunctionCell));
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
