using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Vm;

/// <summary>
/// A WebAssembly program whose whole state lies in one heap file: its module, memory, tables, globals, call stack, files and streams. It is
/// checkpointed while it runs; if it is killed, <see cref="Resume"/> carries it on from its last checkpoint.
/// <para>
/// One run at a time, on a thread of its own; <see cref="CheckpointAsync"/> may be called by any thread.
/// </para>
/// </summary>
public sealed partial class Process : IDisposable
{
    /// <summary>The name under which a store holds a process's heap.</summary>
    public const string HeapName = "process";

    /// <summary>Address space for the thread that runs the program: what the program may use, and room below it.</summary>
    private const int ThreadStackBytes = Instance.NativeStackBytes + (4 << 20);

    private readonly HeapStore _store;
    private readonly PersistentHeap _heap;
    private readonly ProcessOptions _options;
    private readonly ProcessHeader _header;
    private readonly WasiHost _wasi;
    private readonly Instance? _instance;
    private readonly Module _module;

    private Process(HeapStore store, PersistentHeap heap, ProcessOptions options, ProcessHeader header, WasiHost wasi, Module module, Instance? instance)
    {
        _store = store;
        _heap = heap;
        _options = options;
        _header = header;
        _wasi = wasi;
        _module = module;
        _instance = instance;
        _timer = new Timer(static state => ((Process)state!).OnTimer(), this, Timeout.Infinite, Timeout.Infinite);
        if (instance is not null)
        {
            instance.DirtyLimitCheck = CheckDirtyLimit;
        }
    }

    /// <summary>The heap that holds the program.</summary>
    public PersistentHeap Heap => _heap;

    /// <summary>The store that holds the heap.</summary>
    public HeapStore Store => _store;

    /// <summary>What has become of the program, as of the last checkpoint.</summary>
    public ProcessState State => _header.State;

    /// <summary>Whether the file is to stay when the program has ended: <see cref="ProcessOptions.KeepFile"/> at creation.</summary>
    public bool KeepFile => _header.KeepFile;

    /// <summary>Makes a new process, and its first checkpoint: from then on the file can be resumed.</summary>
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
        HeapStore store = HeapStore.Create(heapPath, new HeapStoreOptions { ResidentBytes = options.ResidentBytes, Logger = DiagnosticsLogger.For(options.Diagnostics) });
        Process? process = null;
        WasiHost? wasi = null;
        try
        {
            PersistentHeap heap = store.CreateHeap(HeapName);
            var header = new ProcessHeader();
            Process? owner = null;
            wasi = WasiHost.Create(new HeapSpace(heap, store), WasiOptionsOf(options, 0, () => owner?.RequestCheckpoint()));
            header.WasiAddress = wasi.StateAddress;
            header.KeepFile = options.KeepFile;
            CommandLineRecord.Write(heap, header, options);
            Instance instance = Instance.Create(module, heap, header, Link(module, wasi), [], options.CaptureEvery);
            owner = process = new Process(store, heap, options, header, wasi, module, instance);
            instance.PushCall(start, []);
            if (module.StartFunction is int first)
            {
                instance.PushCall(first, []);
            }

            process.Seal();
            heap.Checkpoint();
            return process;
        }
        catch
        {
            // The file was made here, and holds nothing that could be resumed.
            process?.Dispose();
            wasi?.Dispose();
            store.Dispose();
            File.Delete(heapPath);
            throw;
        }
    }

    /// <summary>Opens a process that a heap file holds.</summary>
    /// <param name="heapPath">The heap file.</param>
    /// <param name="options">How to run it; what belongs to the program (arguments, environment) comes from the file.</param>
    /// <returns>The process, ready to go on from its last checkpoint.</returns>
    /// <exception cref="HeapException">The file is not a heap, is corrupted, is in use, or holds no program.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Process Resume(string heapPath, ProcessOptions options)
    {
        ArgumentException.ThrowIfNullOrEmpty(heapPath);
        Check(options);
        HeapStore store = HeapStore.Open(heapPath, new HeapStoreOptions { ResidentBytes = options.ResidentBytes, Logger = DiagnosticsLogger.For(options.Diagnostics) });
        WasiHost? wasi = null;
        try
        {
            PersistentHeap heap = OpenHeap(store, heapPath);
            ProcessHeader header = ProcessHeader.Read(heap);
            Module module = ReadModule(heap, header, heapPath);
            Process? owner = null;
            wasi = WasiHost.Resume(
                new HeapSpace(heap, store), WasiOptionsOf(options, header.WasiAddress, () => owner?.RequestCheckpoint()));
            Instance? instance = header.State == ProcessState.Suspended
                ? Instance.Resume(module, heap, header, Link(module, wasi), [], options.CaptureEvery)
                : null;
            owner = new Process(store, heap, options, header, wasi, module, instance);
            return owner;
        }
        catch
        {
            wasi?.Dispose();
            store.Dispose();
            throw;
        }
    }

    /// <summary>Looks at the process in a heap file without running it.</summary>
    /// <param name="heapPath">The heap file, which may not be in use.</param>
    /// <returns>Its state and call stack as of the last checkpoint.</returns>
    /// <exception cref="HeapException">The file is not a heap, is corrupted, is in use, or holds no program.</exception>
    public static ProcessInspection Inspect(string heapPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(heapPath);
        using HeapStore store = HeapStore.Open(heapPath, new HeapStoreOptions { ReadOnly = true });
        using PersistentHeap heap = OpenHeap(store, heapPath);
        ProcessHeader header = ProcessHeader.Read(heap);
        Module module = ReadModule(heap, header, heapPath);
        (List<StackFrame> frames, long count) = Backtraces.Read(module, new CapturedStack(heap, header.StackAddress, header.StackBytes));
        return new ProcessInspection(
            header.State,
            header.ExitCode,
            header.State == ProcessState.Trapped
                ? Backtraces.TrapOf(module, header.Trap, header.TrapFunction, header.TrapOffset, frames)
                : null,
            module.Name,
            (long)header.MemoryPages * LinearMemory.WasmPageBytes,
            count,
            frames,
            CommandLineRecord.Read(heap, header),
            header.KeepFile);
    }

    /// <summary>Runs the program until it ends, or is suspended.</summary>
    /// <param name="suspend">Cancelled: the program makes a checkpoint at its next safepoint and stops there.</param>
    /// <returns>How it ended; all output and file changes of the last checkpoint have been handed to the host.</returns>
    /// <exception cref="HeapException">The heap cannot be written or read; the file is as of the last checkpoint.</exception>
    /// <exception cref="IOException">The host refuses output or a file.</exception>
    public ProcessOutcome Run(CancellationToken suspend = default)
    {
        _wasi.Release((long)_heap.LatestCheckpointNumber);
        if (_instance is null)
        {
            _wasi.Finish();
            return Outcome(_header.State);
        }

        ProcessOutcome? outcome = null;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() => Capture(() => outcome = RunHere(_instance), out failure), ThreadStackBytes) { Name = "Everheap process" };
        using CancellationTokenRegistration registration = suspend.Register(Suspend);
        thread.Start();
        thread.Join();
        failure?.Throw();
        return outcome!;
    }

    /// <summary>Releases the file. A process that has not ended goes on from its last checkpoint when it is resumed.</summary>
    public void Dispose()
    {
        _timer.Dispose();
        _instance?.Dispose();
        _wasi.Dispose();
        _heap.Dispose();
        _store.Dispose();
    }

    [SuppressMessage("Design", "CA1031", Justification = "Rethrown on the caller's thread.")]
    private static void Capture(Action action, out ExceptionDispatchInfo? failure)
    {
        failure = null;
        try
        {
            action();
        }
        catch (Exception exception)
        {
            failure = ExceptionDispatchInfo.Capture(exception);
        }
    }

    private static void Check(ProcessOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.CheckpointInterval, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.CheckpointDirtyBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(options.CaptureEvery);
    }

    private static PersistentHeap OpenHeap(HeapStore store, string path) => store.HeapNames.Contains(HeapName)
        ? store.OpenHeap(HeapName)
        : throw new HeapFormatException($"{path} holds no program: it was not made by 'everheap run', or was killed before its first checkpoint");

    private static Module ReadModule(PersistentHeap heap, ProcessHeader header, string path)
    {
        if (header.ModuleLength > (ulong)Array.MaxLength)
        {
            throw new HeapFormatException($"{path} says that its module has {header.ModuleLength} bytes, which cannot be");
        }

        var bytes = new byte[header.ModuleLength];
        heap.Read(header.ModuleAddress, bytes);
        return Module.Decode(bytes);
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

    private static int StartOf(Module module)
    {
        foreach (Export export in module.Exports)
        {
            if (export.Kind == ExternalKind.Function && export.Name == "_start")
            {
                FunctionType type = module.FunctionTypeOf(export.Index);
                return type.Parameters.Length == 0 && type.Results.Length == 0
                    ? export.Index
                    : throw new LinkException($"the module's _start has type {type}; a program's has none");
            }
        }

        throw new LinkException("the module exports no function _start: it is a library, not a program (build it as a WASI command)");
    }

    private static HostFunction[] Link(Module module, WasiHost wasi)
    {
        var functions = new List<HostFunction>();
        foreach (Import import in module.Imports)
        {
            if (import.ModuleName != WasiHost.ModuleName || import.Kind != ExternalKind.Function)
            {
                throw new LinkException(
                    $"the module imports {import.Kind.ToString().ToLowerInvariant()} {import.ModuleName}.{import.Name}; "
                    + $"a program may import functions of {WasiHost.ModuleName} alone (build it for wasm32-wasi, preview 1)");
            }

            WasiFunction function = wasi.Find(import.Name)
                ?? throw new LinkException($"the module imports {import.ModuleName}.{import.Name}, which WASI preview 1 does not have");
            FunctionType type = module.FunctionTypeOf(import.Index);
            if (!type.Equals(function.Type))
            {
                throw new LinkException($"the module imports {import.ModuleName}.{import.Name} as {type}; it is {function.Type}");
            }

            functions.Add(new HostFunction(type, function.Body));
        }

        return [.. functions];
    }
}
