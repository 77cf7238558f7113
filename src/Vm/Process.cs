using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Wasi;

namespace Everheap.Vm;

/// <summary>
/// A WebAssembly program whose whole state lies in one heap: its module, memory, tables, globals, call stack, files and streams. It is
/// checkpointed while it runs; if it is killed, <see cref="Resume(string, ProcessOptions)"/> carries it on from its last checkpoint.
/// <para>
/// One run at a time, on a thread of its own; <see cref="CheckpointAsync"/> may be called by any thread. Several processes of one store may run at once,
/// each in a heap of its own (<see cref="Resume(HeapStore, ProcessOptions)"/>): a fork beside its origin, for example.
/// </para>
/// </summary>
public sealed partial class Process : IDisposable
{
    /// <summary>The name of a process's heap in its store, unless <see cref="ProcessOptions.HeapName"/> says otherwise.</summary>
    public const string HeapName = "process";

    /// <summary>Address space for the thread that runs the program: what the program may use, and room below it.</summary>
    private const int ThreadStackBytes = InstanceGroup.NativeStackBytes + (4 << 20);

    private readonly HeapStore _store;
    private readonly bool _ownsStore;
    private readonly PersistentHeap _heap;
    private readonly ProcessOptions _options;
    private readonly MachineHeader _header;
    private readonly WasiHost _wasi;
    private readonly InstanceGroup? _group;

    private Process(
        HeapStore store, bool ownsStore, PersistentHeap heap, ProcessOptions options, MachineHeader header, WasiHost wasi, InstanceGroup? group)
    {
        _store = store;
        _ownsStore = ownsStore;
        _heap = heap;
        _options = options;
        _header = header;
        _wasi = wasi;
        _group = group;
        _timer = new Timer(static state => ((Process)state!).OnTimer(), this, Timeout.Infinite, Timeout.Infinite);
        if (group is not null)
        {
            group.DirtyLimitCheck = CheckDirtyLimit;
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

    /// <summary>Runs the program until it ends, or is suspended.</summary>
    /// <param name="suspend">Cancelled: the program makes a checkpoint at its next safepoint and stops there.</param>
    /// <returns>How it ended; all output and file changes of the last checkpoint have been handed to the host.</returns>
    /// <exception cref="HeapException">The heap cannot be written or read; the file is as of the last checkpoint.</exception>
    /// <exception cref="IOException">The host refuses output or a file; or it cannot be noted what was shown, because so many other heaps of the store have notes (<see cref="PersistentHeap.NoteCountMax"/>).</exception>
    public ProcessOutcome Run(CancellationToken suspend = default)
    {
        _wasi.Release((long)_heap.LatestCheckpointNumber);
        if (_group is null)
        {
            _wasi.Finish();
            return Outcome(_header.State);
        }

        ProcessOutcome? outcome = null;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() => Capture(() => outcome = RunHere(_group), out failure), ThreadStackBytes) { Name = "Everheap process" };
        using CancellationTokenRegistration registration = suspend.Register(Suspend);
        thread.Start();
        thread.Join();
        failure?.Throw();
        return outcome!;
    }

    /// <summary>Releases the heap, and the file if it was opened here. A process that has not ended goes on from its last checkpoint when it is resumed.</summary>
    public void Dispose()
    {
        _timer.Dispose();
        _group?.Dispose();
        _wasi.Dispose();
        _heap.Dispose();
        if (_ownsStore)
        {
            _store.Dispose();
        }
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
}
