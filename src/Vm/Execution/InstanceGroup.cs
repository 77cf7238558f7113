using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Everheap.Engine;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>
/// Instances that may be linked with each other, in one heap: what the specification calls a store (core specification, section 4.2.3), and the embedding API a machine. They have
/// one call stack and are run by one thread at a time.
/// <para>
/// Invariants. (1) An instance's number never changes: captured frames and function references name it. (2) Instances are never taken out while the group lives: functions of one whose
/// instantiation trapped may be in the tables of others. (3) All contexts have the same <see cref="CodeContext.Slots"/>, <see cref="CodeContext.Group"/> and <see cref="CodeContext.StackLimit"/>.
/// (4) All instances that have a memory as memory 0 reach it in the same way.
/// </para>
/// </summary>
internal sealed unsafe partial class InstanceGroup : IDisposable
{
    /// <summary>The most instances of a group.</summary>
    public const int InstancesMax = 1_000_000;

    /// <summary>What a capture of a few frames takes; more is taken as it is needed.</summary>
    private const int SaveBufferBytes = 4 << 10;

    private const int ReferenceShift = 32;

    /// <summary>Room for the parameters or results of any function, where each is a vector of two slots.</summary>
    public static readonly int SlotCount = 2 * Math.Max(ModuleLimits.ParametersMax, ModuleLimits.ResultsMax);

    private readonly RecentPages _recentPages;
    private readonly List<Instance> _instances = [];
    private readonly List<Table> _tables = [];
    private readonly List<LinearMemory> _memories = [];

    // Held while another thread touches the contexts, so that they are not given back meanwhile.
    private readonly Lock _requestGate = new();
    private GroupState* _state;
    private int _contextCapacity;

    private InstanceGroup(PersistentHeap heap, MachineHeader header, InstanceOptions options)
    {
        Heap = heap;
        Header = header;
        Options = options;
        _recentPages = new RecentPages(heap);
        Stack = new CapturedStack(heap, header.StackAddress, header.StackBytes, options.StackBytesMax);
        Bridges = new Bridges();
        Slots = (ulong*)NativeMemory.AllocZeroed((nuint)SlotCount, sizeof(ulong));
        _state = (GroupState*)NativeMemory.AllocZeroed((nuint)sizeof(GroupState));
        _state->SaveBase = (byte*)NativeMemory.Alloc(SaveBufferBytes);
        _state->SaveCursor = _state->SaveBase;
        _state->SaveEnd = _state->SaveBase + SaveBufferBytes;
    }

    public PersistentHeap Heap { get; }

    /// <summary>Where things lie in the heap.</summary>
    public MachineHeader Header { get; }

    public InstanceOptions Options { get; }

    /// <summary>The machine of the embedding API that it belongs to; null for a program's.</summary>
    public Embedding.Machine? Owner { get; set; }

    /// <summary>What compiled code shares.</summary>
    public GroupState* State => _state;

    /// <summary>Arguments and results; see <see cref="CodeContext.Slots"/>.</summary>
    public ulong* Slots { get; }

    /// <summary>The instances, by number.</summary>
    public IReadOnlyList<Instance> Instances => _instances;

    /// <summary>The memories, by number.</summary>
    public IReadOnlyList<LinearMemory> Memories => _memories;

    /// <summary>The tables, by number.</summary>
    public IReadOnlyList<Table> Tables => _tables;

    /// <summary>The part of the call stack that lies in the heap; all of it, between calls.</summary>
    public CapturedStack Stack { get; }

    /// <summary>The types of all modules, in one numbering.</summary>
    public TypeUniverse Types { get; } = new();

    /// <summary>How functions of one instance are called by the tables of another.</summary>
    public Bridges Bridges { get; }

    /// <summary>Called after a store has dirtied a page; may ask for a capture.</summary>
    public Action? DirtyLimitCheck { get; set; }

    /// <summary>Makes an empty group in an empty heap.</summary>
    public static InstanceGroup Create(PersistentHeap heap, MachineHeader header, InstanceOptions options)
    {
        header.StackAddress = heap.Allocate(CapturedStack.BytesMax);
        LayDirectory(heap, header);
        return new InstanceGroup(heap, header, options);
    }

    /// <summary>The reference to function 0 of an instance, less one.</summary>
    public static ulong FirstReferenceOf(int instance) => (ulong)instance << ReferenceShift;

    /// <summary>The instance and function that a reference names; an imported function stands for what it was given.</summary>
    /// <param name="reference">The reference.</param>
    /// <param name="owner">The instance whose code it is, or that imports it from the host.</param>
    /// <param name="function">Its index there.</param>
    /// <returns>False if the reference is null, or names nothing.</returns>
    public bool TryFindFunction(ulong reference, [NotNullWhen(true)] out Instance? owner, out int function)
    {
        ulong number = reference >> ReferenceShift;
        ulong index = (uint)reference;
        owner = null;
        function = 0;
        if (index == 0 || number >= (ulong)_instances.Count)
        {
            return false;
        }

        owner = _instances[(int)number];
        if (index > (ulong)owner.Module.FunctionTypes.Count)
        {
            return false;
        }

        function = (int)(index - 1);
        if (owner.FunctionAt(function) is GuestFunction guest)
        {
            (owner, function) = (guest.Owner, guest.Index);
        }

        return true;
    }

    /// <summary>Makes a new instance: everything but what runs code (core specification, section 4.5.4).</summary>
    /// <param name="module">The module.</param>
    /// <param name="imports">What its imports are given, in order; of the right kinds and types (<see cref="ImportMatching"/>).</param>
    /// <param name="name">The name under which the heap has it; null for none.</param>
    /// <param name="onAdded">Called when it is one of <see cref="Instances"/>, and before a segment can trap.</param>
    /// <returns>The instance.</returns>
    /// <exception cref="WasmFormatException">The module uses a feature that cannot be run.</exception>
    /// <exception cref="LinkException">There are too many instances, or a table is too large.</exception>
    /// <exception cref="WasmTrapException">An active segment does not fit its table or memory. What was written before it stays, as the specification wants it.</exception>
    public Instance Instantiate(Module module, External[] imports, string? name = null, Action? onAdded = null)
    {
        RequireRoom(module);
        Instance instance = Add(module, LayOut(module), imports, name);
        _isDirectoryChanged = true;
        onAdded?.Invoke();
        instance.Initialize();
        return instance;
    }

    /// <summary>Asks for the stack to be captured at the next safepoint. Any thread.</summary>
    public void RequestCapture()
    {
        lock (_requestGate)
        {
            for (int number = 0; _state != null && number < _state->ContextCount; number++)
            {
                Request(ref _state->Contexts[number]->Poll);
            }
        }
    }

    private static void Request(ref int poll)
    {
        // Where an exception is caught between the two, the next safepoint is asked all the same.
        if (Interlocked.CompareExchange(ref poll, PollState.Requested, PollState.Running) == PollState.Throwing
            && Interlocked.CompareExchange(ref poll, PollState.ThrowingRequested, PollState.Throwing) == PollState.Running)
        {
            Interlocked.CompareExchange(ref poll, PollState.Requested, PollState.Running);
        }
    }

    /// <summary>Makes room for a record that does not fit the save buffer.</summary>
    public static void GrowSaveBuffer(GroupState* group, int bytes)
    {
        nuint used = (nuint)(group->SaveCursor - group->SaveBase);
        nuint size = Math.Max((nuint)(group->SaveEnd - group->SaveBase) * 2, used + (nuint)bytes);
        group->SaveBase = (byte*)NativeMemory.Realloc(group->SaveBase, size);
        group->SaveCursor = group->SaveBase + used;
        group->SaveEnd = group->SaveBase + size;
    }

    /// <summary>Takes a memory of an instance in: at its first size, or at the one that the heap holds.</summary>
    public LinearMemory AddMemory(ulong address, MemoryType type)
    {
        if (!_isRestoring && type.Limits.Minimum > LinearMemory.PagesMaxOf(type))
        {
            throw new LinkException($"memory {_memories.Count} has {type.Limits.Minimum:N0} pages at first; a memory with {ValTypes.NameOf(type.AddressType)} addresses may have {LinearMemory.PagesMaxOf(type):N0}");
        }

        ulong pages = _isRestoring ? ReadSize(Header.MemorySizesAddress, _memories.Count) : type.Limits.Minimum;
        if (pages < type.Limits.Minimum || pages > Math.Min(type.Limits.Maximum ?? ulong.MaxValue, LinearMemory.PagesMaxOf(type)))
        {
            throw new HeapFormatException($"memory {_memories.Count} has {pages} pages, which its module does not allow: the heap does not fit its module");
        }

        var memory = new LinearMemory(Heap, _memories.Count, address, (uint)pages, type);
        _memories.Add(memory);
        return memory;
    }

    /// <summary>Takes a table of an instance in.</summary>
    public Table AddTable(ulong address, Module module, TableType type)
    {
        var table = new Table(Heap, _tables.Count, address, type, Types.TypeOf(module, type.ElementType));
        _tables.Add(table);
        return table;
    }

    public void Dispose()
    {
        lock (_requestGate)
        {
            if (_state == null)
            {
                return;
            }

            foreach (Instance instance in _instances)
            {
                instance.Dispose();
            }

            _tables.ForEach(table => table.Dispose());
            _memories.ForEach(memory => memory.Dispose());
            Bridges.Dispose();
            NativeMemory.Free(_state->SaveBase);
            NativeMemory.Free(_state->SpillArea);
            NativeMemory.Free(_state->Contexts);
            NativeMemory.Free(_state);
            NativeMemory.Free(Slots);
            _state = null;
        }
    }

    private Instance Add(Module module, InstanceLayout layout, External[] imports, string? name)
    {
        Unsupported.ThrowIfNotRunnable(module);
        (int memories, int tables) = (_memories.Count, _tables.Count);
        try
        {
            return AddContext(new Instance(this, _instances.Count, module, layout, imports) { Name = name });
        }
        catch
        {
            // It could not be compiled, and nobody knows of it.
            _memories[memories..].ForEach(memory => memory.Dispose());
            _memories.RemoveRange(memories, _memories.Count - memories);
            _tables[tables..].ForEach(table => table.Dispose());
            _tables.RemoveRange(tables, _tables.Count - tables);
            throw;
        }
    }

    private Instance AddContext(Instance instance)
    {
        lock (_requestGate)
        {
            if (_state->ContextCount == _contextCapacity)
            {
                _contextCapacity = Math.Max(4, _contextCapacity * 2);
                _state->Contexts = (CodeContext**)NativeMemory.Realloc(_state->Contexts, (nuint)_contextCapacity * (nuint)sizeof(CodeContext*));
            }

            _instances.Add(instance);
            _state->Contexts[_state->ContextCount++] = instance.Context;
        }

        if (!_isRestoring)
        {
            foreach (Table table in instance.Tables)
            {
                table.ResolveFor(instance);
            }
        }

        return instance;
    }
}
