using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Embedding;

/// <summary>
/// WebAssembly instances of a host app, which may be linked with each other, with everything that they are in one heap: modules, memories, tables, globals, links. A user of the Wasmtime package knows it as a store; this one
/// can be kept. <see cref="Checkpoint"/> commits it, <see cref="Open(PersistentHeap, Linker, MachineOptions?)"/> carries it on, and a fork of its heap is a second machine.
/// </summary>
/// <remarks>
/// A machine, and everything that it gives out, is used by one thread at a time; any thread, one after the other. Use by two at once is found where it matters and answered with an
/// <see cref="InvalidOperationException"/>. A host function may use its machine, and call its guests.
/// </remarks>
public sealed partial class Machine : IDisposable
{
    private readonly PersistentHeap _heap;
    private readonly HeapStore? _ownedStore;
    private readonly string? _ownedFile;
    private readonly MachineOptions _options;
    private readonly InstanceGroup _group;
    private readonly WasiHost? _wasi;
    private readonly List<Instance> _instances = [];
    private bool _isDisposed;

    private Machine(PersistentHeap heap, MachineOptions options, Linker? linker, HeapStore? ownedStore, string? ownedFile)
    {
        _heap = heap;
        _options = options;
        _ownedStore = ownedStore;
        _ownedFile = ownedFile;
        MachineHeader header = linker is null ? new MachineHeader { IsEmbedded = true } : MachineHeader.Read(heap.Read);
        if (!header.IsEmbedded)
        {
            throw new HeapFormatException($"the heap '{heap.Name}' holds a program, which {nameof(Process)}.{nameof(Process.Resume)} carries on; it is no host app's machine");
        }

        try
        {
            _wasi = OpenWasi(header, isNew: linker is null);
            _group = linker is null
                ? InstanceGroup.Create(heap, header, options.ToInstanceOptions())
                : InstanceGroup.Open(heap, header, (names, type) => linker.FindHostFunction(this, names, type), options.ToInstanceOptions());
        }
        catch
        {
            _wasi?.Dispose();
            throw;
        }

        _group.Owner = this;
        _group.StopCheck = IsToStop;
        _instances.AddRange(_group.Instances.Select(instance => new Instance(this, instance)));
    }

    /// <summary>The heap that holds the machine. What is written to it by others than the machine may damage it.</summary>
    public PersistentHeap Heap => _heap;

    /// <summary>The instances that were made by <see cref="Linker.Instantiate"/>, in that order.</summary>
    public IReadOnlyList<Instance> Instances => [.. _instances.Where(instance => instance.Name is not null)];

    /// <summary>Host objects that guests hold references to.</summary>
    public ExternalReferences References { get; } = new();

    internal InstanceGroup Group => _group;

    internal WasiHost? Wasi => _wasi;

    /// <summary>Makes an empty machine in an empty heap.</summary>
    /// <param name="heap">The heap, used by nobody else; it stays open when the machine is disposed of.</param>
    /// <param name="options">How to run it.</param>
    /// <returns>The machine. It is in the file from its first <see cref="Checkpoint"/> on.</returns>
    /// <exception cref="HeapException">The heap is closed or full.</exception>
    /// <exception cref="IOException">A host directory of the system interface does not exist.</exception>
    public static Machine Create(PersistentHeap heap, MachineOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(heap);
        return new Machine(heap, Checked(options), null, null, null);
    }

    /// <summary>Makes an empty machine in a file of its own.</summary>
    /// <param name="path">The file, which must not exist.</param>
    /// <param name="options">How to run it.</param>
    /// <returns>The machine. It is in the file from its first <see cref="Checkpoint"/> on.</returns>
    /// <exception cref="IOException">The file exists, or cannot be made or written.</exception>
    /// <exception cref="HeapException">The file cannot be made or written.</exception>
    public static Machine Create(string path, MachineOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return InStore(HeapStore.Create(path, StoreOptionsOf(Checked(options))), Checked(options), isNew: true, null, path, deletesFile: false);
    }

    /// <summary>
    /// Makes an empty machine that nobody keeps: in a temporary file, which holds what does not fit <see cref="MachineOptions.ResidentBytes"/>, and goes with the machine.
    /// </summary>
    /// <param name="options">How to run it.</param>
    /// <returns>The machine.</returns>
    /// <exception cref="IOException">The temporary file cannot be made.</exception>
    public static Machine CreateTransient(MachineOptions? options = null)
    {
        string path = Path.Combine(Path.GetTempPath(), $"everheap-{Guid.NewGuid():n}.heap");
        return InStore(HeapStore.Create(path, StoreOptionsOf(Checked(options))), Checked(options), isNew: true, null, path, deletesFile: true);
    }

    /// <summary>Goes on with the machine that a heap holds, at its last checkpoint.</summary>
    /// <param name="heap">The heap; it stays open when the machine is disposed of.</param>
    /// <param name="linker">Gives the host functions again that its instances import, by name.</param>
    /// <param name="options">How to run it.</param>
    /// <returns>The machine.</returns>
    /// <exception cref="LinkException">The linker does not have a host function that an instance imports, or has it with another type.</exception>
    /// <exception cref="HeapException">The heap holds no machine, or a damaged one.</exception>
    public static Machine Open(PersistentHeap heap, Linker linker, MachineOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(heap);
        ArgumentNullException.ThrowIfNull(linker);
        return new Machine(heap, Checked(options), linker, null, null);
    }

    /// <summary>Goes on with the machine that a file holds, at its last checkpoint.</summary>
    /// <param name="path">The file.</param>
    /// <param name="linker">Gives the host functions again that its instances import, by name.</param>
    /// <param name="options">How to run it.</param>
    /// <returns>The machine.</returns>
    /// <exception cref="LinkException">The linker does not have a host function that an instance imports, or has it with another type.</exception>
    /// <exception cref="HeapException">The file is not a heap, is corrupted, is in use, or holds no machine.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Machine Open(string path, Linker linker, MachineOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(linker);
        return InStore(HeapStore.Open(path, StoreOptionsOf(Checked(options))), Checked(options), isNew: false, linker, path, deletesFile: false);
    }

    /// <summary>The instance that was given a name when it was made.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The instance; the last of that name.</returns>
    /// <exception cref="LinkException">There is none.</exception>
    public Instance GetInstance(string name) =>
        _instances.FindLast(instance => instance.Name == name) ?? throw new LinkException($"the machine has no instance '{name}'");

    /// <summary>Makes a memory.</summary>
    /// <param name="minimum">Its size, in pages of 64 KiB.</param>
    /// <param name="maximum">The largest size that it may grow to; null for the largest there can be.</param>
    /// <returns>The memory, zero.</returns>
    /// <exception cref="LinkException">A limit of the machine forbids it.</exception>
    /// <exception cref="WasmFormatException">The sizes cannot be.</exception>
    public Memory CreateMemory(uint minimum, uint? maximum = null) =>
        (Memory)Define(DefinedModules.OfMemory(new MemoryType(new Limits(minimum, maximum))));

    /// <summary>Makes a table of nulls.</summary>
    /// <param name="elementType">What it holds: <see cref="ValType.FuncRef"/> or <see cref="ValType.ExternRef"/>.</param>
    /// <param name="minimum">Its length.</param>
    /// <param name="maximum">The largest length that it may grow to; null for the largest there can be.</param>
    /// <returns>The table.</returns>
    /// <exception cref="LinkException">A limit of the machine forbids it.</exception>
    /// <exception cref="WasmFormatException">The sizes cannot be.</exception>
    public Table CreateTable(ValType elementType, uint minimum, uint? maximum = null)
    {
        if (elementType is not (ValType.FuncRef or ValType.ExternRef))
        {
            throw new ArgumentException("A host's tables hold functions or external references.", nameof(elementType));
        }

        return (Table)Define(DefinedModules.OfTable(new TableType(elementType, new Limits(minimum, maximum))));
    }

    /// <summary>Makes a global.</summary>
    /// <typeparam name="T">The type of its value, as in <see cref="Linker.Define(string, string, Delegate)"/>.</typeparam>
    /// <param name="value">Its value.</param>
    /// <param name="isMutable">Whether it may be assigned.</param>
    /// <returns>The global.</returns>
    /// <exception cref="LinkException">A limit of the machine forbids it.</exception>
    public Global CreateGlobal<T>(T value, bool isMutable)
    {
        var global = (Global)Define(DefinedModules.OfGlobal(new GlobalType(HostTypes.ValTypeOf(typeof(T)), isMutable)));
        global.Initialize(value);
        return global;
    }

    /// <summary>Makes a function that guests can hold a reference to.</summary>
    /// <param name="moduleName">The first of the two names by which a linker gives it again when the machine is opened.</param>
    /// <param name="name">The second.</param>
    /// <param name="body">What it does, as in <see cref="Linker.Define(string, string, Delegate)"/>.</param>
    /// <returns>The function.</returns>
    /// <exception cref="LinkException">A limit of the machine forbids it.</exception>
    public Function CreateFunction(string moduleName, string name, Delegate body)
    {
        HostFunction host = HostDelegates.ToHostFunction(moduleName, name, body);
        return (Function)Define(DefinedModules.OfFunction(host.Type), host);
    }

    /// <summary>Commits the machine: when this returns, what its guests have done is in the file, and what they printed has been shown.</summary>
    /// <returns>The checkpoint.</returns>
    /// <exception cref="InvalidOperationException">It is called by a host function that a guest waits for, or by a second thread.</exception>
    /// <exception cref="HeapException">The file cannot be written; it is as of the checkpoint before.</exception>
    /// <exception cref="IOException">The host refuses output, or a change of a file.</exception>
    public CheckpointInfo Checkpoint()
    {
        using Use use = Enter();
        if (_group.IsRunning)
        {
            throw new InvalidOperationException("A checkpoint is made between calls: a guest waits for this host function.");
        }

        return Commit();
    }

    /// <summary>Gives up the machine's native memory, and the file if it was opened here. What was not committed is lost.</summary>
    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        using (Enter())
        {
            if (_group.IsRunning)
            {
                throw new InvalidOperationException("A machine cannot be disposed of while a guest runs.");
            }

            _isDisposed = true;
        }

        _group.Dispose();
        _wasi?.Dispose();
        if (_ownedStore is not null)
        {
            _heap.Dispose();
            _ownedStore.Dispose();
        }

        if (_ownedFile is not null)
        {
            File.Delete(_ownedFile);
        }
    }

    internal Instance Add(Module module, External[] imports, string? name)
    {
        using Use use = Enter();
        Execution.Instance instance = _group.Instantiate(module, imports, name, () => AddNew(name));
        return _instances[instance.Number];
    }

    /// <summary>The public face of something that is exported or referred to.</summary>
    internal object Wrap(External external, Execution.Instance exporter, int index) => external switch
    {
        ExternalMemory memory => new Memory(this, memory.Memory),
        ExternalTable table => new Table(this, table.Table),
        ExternalGlobal global => new Global(this, global),
        ExternalTag tag => new Tag(this, tag),
        GuestFunction function => new Function(this, function.Owner, function.Index),
        _ => new Function(this, exporter, index),
    };

    internal Instance InstanceOf(Execution.Instance instance) => _instances[instance.Number];

    private static MachineOptions Checked(MachineOptions? options)
    {
        options ??= new MachineOptions();
        options.Validate();
        return options;
    }

    private static HeapStoreOptions StoreOptionsOf(MachineOptions options) => new()
    {
        ResidentBytes = options.ResidentBytes,
        Logger = DiagnosticsLogger.For(options.Diagnostics),
    };

    private static Machine InStore(HeapStore store, MachineOptions options, bool isNew, Linker? linker, string path, bool deletesFile)
    {
        PersistentHeap? heap = null;
        try
        {
            var heapOptions = new HeapOptions { ResidentBytes = options.ResidentBytes };
            heap = isNew ? store.CreateHeap(options.HeapName, heapOptions) : store.OpenHeap(options.HeapName, heapOptions);
            return new Machine(heap, options, linker, store, deletesFile ? path : null);
        }
        catch
        {
            heap?.Dispose();
            store.Dispose();
            if (isNew)
            {
                // The file was made here, and holds nothing.
                File.Delete(path);
            }

            throw;
        }
    }

    // In the group's order, before an active segment can trap: others may hold its functions then.
    private void AddNew(string? name) => _instances.Add(new Instance(this, _group.Instances[^1]));

    private object Define(Module module, params External[] imports)
    {
        Instance instance = Add(module, imports, null);
        return instance.FindExport(DefinedModules.ExportName)!;
    }

    private CheckpointInfo Commit()
    {
        _wasi?.Seal();
        _group.Save();
        CheckpointInfo info = _heap.Checkpoint();
        _wasi?.Release(info.Number);
        _wasi?.Finish();
        return info;
    }

    private WasiHost? OpenWasi(MachineHeader header, bool isNew)
    {
        WasiConfiguration? wasi = _options.Wasi;
        if (wasi is null && (isNew || header.WasiAddress == 0))
        {
            return null;
        }

        if (!isNew && header.WasiAddress == 0)
        {
            throw new LinkException("the machine in the heap was made without the system interface: it cannot be given one now");
        }

        wasi ??= new WasiConfiguration();
        var options = new WasiOptions
        {
            ProgramName = wasi.ProgramName,
            Arguments = wasi.Arguments,
            Environment = wasi.Environment,
            Directories = wasi.Directories,
            Output = wasi.Output,
            StandardInput = wasi.StandardInput ?? Stream.Null,
            StandardOutput = wasi.StandardOutput ?? Stream.Null,
            StandardError = wasi.StandardError ?? Stream.Null,
            StateAddress = header.WasiAddress,
            Diagnostics = _options.Diagnostics,
        };
        var space = new HeapSpace(_heap);
        WasiHost host = isNew ? WasiHost.Create(space, options) : WasiHost.Resume(space, options);
        header.WasiAddress = host.StateAddress;
        return host;
    }
}
