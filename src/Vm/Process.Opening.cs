using System.Buffers.Binary;
using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Vm;

/// <content>Where processes come from: made anew, resumed from a heap, or only looked at.</content>
public sealed partial class Process
{
    /// <summary>Makes a new process in a file of its own, and its first checkpoint: from then on the file can be resumed.</summary>
    /// <param name="module">The program: a WASI preview 1 command.</param>
    /// <param name="heapPath">The heap file, which must not exist.</param>
    /// <param name="options">How to run it.</param>
    /// <returns>The process, ready to run.</returns>
    /// <exception cref="LinkException">The module imports what there is not, or exports no <c>_start</c>.</exception>
    /// <exception cref="WasmTrapException">A segment of the module does not fit its memory or table.</exception>
    /// <exception cref="HeapException">The file cannot be made or written.</exception>
    /// <exception cref="IOException">The file exists, or cannot be made or written.</exception>
    public static Process Create(Module module, string heapPath, ProcessOptions options)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentException.ThrowIfNullOrEmpty(heapPath);
        Check(options);
        int start = StartOf(module);
        HeapStore store = HeapStore.Create(heapPath, StoreOptionsOf(options));
        try
        {
            return Create(module, start, store, ownsStore: true, options);
        }
        catch
        {
            // The file was made here, and holds nothing that could be resumed.
            store.Dispose();
            File.Delete(heapPath);
            throw;
        }
    }

    /// <summary>Makes a new process in a heap of its own (<see cref="ProcessOptions.HeapName"/>) of an open store, and its first checkpoint.</summary>
    /// <param name="module">The program: a WASI preview 1 command.</param>
    /// <param name="store">The store; it stays open when the process is disposed of.</param>
    /// <param name="options">How to run it.</param>
    /// <returns>The process, ready to run, beside others of the store.</returns>
    /// <exception cref="LinkException">The module imports what there is not, or exports no <c>_start</c>.</exception>
    /// <exception cref="WasmTrapException">A segment of the module does not fit its memory or table.</exception>
    /// <exception cref="HeapException">There is a heap of that name, or the store cannot be written.</exception>
    /// <exception cref="IOException">
    /// A host directory does not exist, or there is no room for it to be noted what of the program's changes the outside has seen (<see cref="PersistentHeap.NoteCountMax"/>). A program that has no
    /// host directories and prints to no file needs that only at its first checkpoint with output; there, <see cref="Run"/> throws the same.
    /// </exception>
    public static Process Create(Module module, HeapStore store, ProcessOptions options)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(store);
        Check(options);
        return Create(module, StartOf(module), store, ownsStore: false, options);
    }

    /// <summary>Opens a process that a heap file holds.</summary>
    /// <param name="heapPath">The heap file.</param>
    /// <param name="options">How to run it; what belongs to the program (arguments, environment) comes from the file.</param>
    /// <returns>The process, ready to go on from its last checkpoint.</returns>
    /// <exception cref="HeapException">The file is not a heap, is corrupted, is in use, or holds no program.</exception>
    /// <exception cref="IOException">The file cannot be read, or a host directory is gone or has to be named (<see cref="Resume(HeapStore, ProcessOptions)"/>).</exception>
    public static Process Resume(string heapPath, ProcessOptions options)
    {
        ArgumentException.ThrowIfNullOrEmpty(heapPath);
        Check(options);
        HeapStore store = HeapStore.Open(heapPath, StoreOptionsOf(options));
        try
        {
            return Resume(store, ownsStore: true, options);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>Opens a process that a heap (<see cref="ProcessOptions.HeapName"/>) of an open store holds.</summary>
    /// <param name="store">The store; it stays open when the process is disposed of.</param>
    /// <param name="options">How to run it; what belongs to the program (arguments, environment) comes from the heap.</param>
    /// <returns>The process, ready to go on from its last checkpoint, beside others of the store.</returns>
    /// <remarks>
    /// A heap that was forked (<see cref="HeapStore.Fork"/>) or taken back (<see cref="HeapStore.Revert"/>) is a program that goes a way of its own from there: its
    /// output begins with what it prints from now on, and host directories that it used have to be named in <see cref="ProcessOptions.Directories"/>, since what is in
    /// them may not be of that checkpoint's time.
    /// </remarks>
    /// <exception cref="HeapException">There is no such heap, it is open already, is corrupted, or holds no program.</exception>
    /// <exception cref="IOException">A host directory is gone, or has to be named; or the store cannot be read.</exception>
    public static Process Resume(HeapStore store, ProcessOptions options)
    {
        ArgumentNullException.ThrowIfNull(store);
        Check(options);
        return Resume(store, ownsStore: false, options);
    }

    /// <summary>Looks at a process in a heap file without running it.</summary>
    /// <param name="heapPath">The heap file, which may not be in use.</param>
    /// <param name="heapName">The heap.</param>
    /// <param name="checkpoint">The number of a retained checkpoint; null for the latest.</param>
    /// <returns>Its state and call stack as of that checkpoint.</returns>
    /// <exception cref="HeapException">The file is not a heap, is corrupted, is in use, holds no program, or does not retain that checkpoint.</exception>
    public static ProcessInspection Inspect(string heapPath, string heapName = HeapName, long? checkpoint = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(heapPath);
        using HeapStore store = HeapStore.Open(heapPath, new HeapStoreOptions { ReadOnly = true });
        RequireHeap(store, heapName);
        using HeapSnapshot snapshot = store.OpenSnapshot(heapName, checkpoint);
        return Inspect(snapshot);
    }

    /// <summary>Looks at the process in a checkpoint, while its heap may go on.</summary>
    /// <param name="snapshot">The checkpoint.</param>
    /// <returns>Its state and call stack.</returns>
    /// <exception cref="HeapException">The heap is corrupted, or holds no program.</exception>
    public static ProcessInspection Inspect(HeapSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        MachineHeader header = MachineHeader.Read(snapshot.Read);
        GroupDirectory directory = GroupDirectory.Read(snapshot.Read, header);
        Func<int, Module?> moduleOf = directory.ReadModules(snapshot.Read);
        (List<StackFrame> frames, long count) = Backtraces.Read(moduleOf, snapshot.Read, header.StackAddress, header.StackBytes);
        Span<byte> pages = stackalloc byte[sizeof(ulong)];
        snapshot.Read(header.MemorySizesAddress, pages);
        return new ProcessInspection(
            header.State,
            header.ExitCode,
            header.State == ProcessState.Trapped ? TrapOf(snapshot.Read, header, moduleOf) : null,
            moduleOf(0)?.Name,
            BinaryPrimitives.ReadInt64LittleEndian(pages) * LinearMemory.WasmPageBytes,
            count,
            frames,
            CommandLineRecord.Read(snapshot.Read, header),
            header.KeepFile);
    }

    private static TrapInfo TrapOf(HeapReader read, MachineHeader header, Func<int, Module?> moduleOf) => Backtraces.TrapOf(
        moduleOf,
        (header.Trap, header.TrapInstance, header.TrapFunction, header.TrapOffset),
        Backtraces.Read(moduleOf, read, header.StackAddress, header.StackBytes).Frames);

    private static Process Create(Module module, int start, HeapStore store, bool ownsStore, ProcessOptions options)
    {
        PersistentHeap heap = store.CreateHeap(options.HeapName, HeapOptionsOf(options));
        Process? process = null;
        WasiHost? wasi = null;
        InstanceGroup? group = null;
        try
        {
            var header = new MachineHeader();
            Process? owner = null;
            wasi = WasiHost.Create(new HeapSpace(heap), WasiOptionsOf(options, 0, () => owner?.RequestCheckpoint()));
            header.WasiAddress = wasi.StateAddress;
            header.KeepFile = options.KeepFile;
            CommandLineRecord.Write(heap, header, options);
            External[] imports = [.. module.Imports.Select(import => FindFunction(module, import, wasi))];
            group = InstanceGroup.Create(heap, header, InstanceOptionsOf(options));
            Instance instance = group.Instantiate(module, imports);
            owner = process = new Process(store, ownsStore, heap, options, header, wasi, group);
            group.PushCall(instance, start, []);
            if (module.StartFunction is int first)
            {
                group.PushCall(instance, first, []);
            }

            process.Seal();
            PendingCheckpoint checkpoint = heap.BeginCheckpoint();
            try
            {
                instance.Prepare(start);
            }
            finally
            {
                checkpoint.Wait();
            }

            if (options.Retention is not null)
            {
                store.SetRetention(options.HeapName, options.Retention);
            }

            return process;
        }
        catch
        {
            process?.Dispose();
            group?.Dispose();
            wasi?.Dispose();
            bool isKnown = heap.LatestCheckpointNumber > 0;
            heap.Dispose();
            if (isKnown && !ownsStore)
            {
                store.DropHeap(options.HeapName);
            }

            throw;
        }
    }

    private static Process Resume(HeapStore store, bool ownsStore, ProcessOptions options)
    {
        RequireHeap(store, options.HeapName);
        PersistentHeap heap = store.OpenHeap(options.HeapName, HeapOptionsOf(options));
        WasiHost? wasi = null;
        try
        {
            MachineHeader header = MachineHeader.Read(heap.Read);
            Process? owner = null;
            wasi = WasiHost.Resume(new HeapSpace(heap), WasiOptionsOf(options, header.WasiAddress, () => owner?.RequestCheckpoint()));
            InstanceGroup? group = header.State == ProcessState.Suspended
                ? InstanceGroup.Open(heap, header, (names, type) => FindFunction(names.ModuleName, names.Name, type, wasi), InstanceOptionsOf(options))
                : null;
            owner = new Process(store, ownsStore, heap, options, header, wasi, group);
            return owner;
        }
        catch
        {
            wasi?.Dispose();
            heap.Dispose();
            throw;
        }
    }

    private static void Check(ProcessOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(options.HeapName);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.CheckpointInterval, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.CheckpointDirtyBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(options.CaptureEvery);
    }

    private static HeapStoreOptions StoreOptionsOf(ProcessOptions options) => new()
    {
        ResidentBytes = options.ResidentBytes,
        Logger = DiagnosticsLogger.For(options.Diagnostics),
    };

    private static HeapOptions HeapOptionsOf(ProcessOptions options) => new() { ResidentBytes = options.ResidentBytes };

    // Only a store by pages counts what it dirties.
    private static InstanceOptions InstanceOptionsOf(ProcessOptions options) => new()
    {
        CaptureEvery = options.CaptureEvery,
        IsAlwaysPaged = options.MemoryAddressing == MemoryAddressing.Paged,
        ContiguousBytesMax = options.CheckpointDirtyBytes,
        AlternatesAddressing = options.AlternatesAddressing,
        CodeCache = options.CodeCache,
        LeavesStoresUnmarked = options.LeavesStoresUnmarked,
    };

    private static void RequireHeap(HeapStore store, string heapName)
    {
        if (!store.HeapNames.Contains(heapName))
        {
            throw new HeapFormatException(
                store.HeapNames.Count == 0
                    ? $"{store.Path} holds no program: it was not made by 'everheap run', or was killed before its first checkpoint"
                    : $"{store.Path} holds no program of the name '{heapName}'; its heaps are {string.Join(", ", store.HeapNames.Select(name => $"'{name}'"))}");
        }
    }

    private static WasiOptions WasiOptionsOf(ProcessOptions options, ulong stateAddress, Action requestCheckpoint) => new()
    {
        ProgramName = options.ProgramName,
        Arguments = options.Arguments,
        Environment = options.Environment,
        Directories = options.Directories,
        Output = options.Output,
        StandardInput = options.StandardInput,
        StandardOutput = options.StandardOutput,
        StandardError = options.StandardError,
        StateAddress = stateAddress,
        RequestCheckpoint = requestCheckpoint,
        Diagnostics = options.Diagnostics,
    };

    private static HostFunction FindFunction(Module module, Import import, WasiHost wasi) =>
        FindObstacle(module, import) is string obstacle ? throw new LinkException(obstacle) : wasi.Find(import.Name)!.ToHostFunction();

    private static HostFunction FindFunction(string moduleName, string name, FunctionType type, WasiHost wasi) =>
        FindObstacle(moduleName, name, type) is string obstacle ? throw new LinkException(obstacle) : wasi.Find(name)!.ToHostFunction();
}
