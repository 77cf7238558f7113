using System.Collections.Frozen;
using Everheap.Vm.Wasi.State;

namespace Everheap.Vm.Wasi;

/// <summary>
/// WASI preview 1 for one program, with everything that the program can see of it kept in the program's heap.
/// </summary>
internal sealed partial class WasiHost : IDisposable
{
    /// <summary>The name of the module that programs import from.</summary>
    public const string ModuleName = "wasi_snapshot_preview1";

    private readonly IHeapSpace _heap;
    private readonly WasiOptions _options;
    private readonly StateRoot _root;
    private readonly FrozenDictionary<string, WasiFunction> _functions = FrozenDictionary<string, WasiFunction>.Empty;

    private long _released;
    private volatile bool _interrupted;

    private WasiHost(IHeapSpace heap, WasiOptions options, StateRoot root)
    {
        _heap = heap;
        _options = options;
        _root = root;
    }

    /// <summary>Where the state lies in the heap; it never moves. The owner of the heap keeps it.</summary>
    public ulong StateAddress => _root.Address;

    /// <summary>The code that the program gave to proc_exit.</summary>
    public int ExitCode { get; private set; }

    /// <summary>Starts a new program's system interface.</summary>
    /// <param name="heap">The program's heap.</param>
    /// <param name="options">Its surroundings.</param>
    /// <returns>The system interface.</returns>
    public static WasiHost Create(IHeapSpace heap, WasiOptions options) => new(heap, options, StateRoot.Create(heap));

    /// <summary>Goes on with the system interface that a heap holds.</summary>
    /// <param name="heap">The program's heap.</param>
    /// <param name="options">Its surroundings.</param>
    /// <returns>The system interface.</returns>
    public static WasiHost Resume(IHeapSpace heap, WasiOptions options) => new(heap, options, StateRoot.Open(heap, options.StateAddress));

    /// <summary>Finds a function that a module imports from <see cref="ModuleName"/>.</summary>
    /// <param name="name">The function's name.</param>
    /// <returns>The function; null if preview 1 has none of that name.</returns>
    public WasiFunction? Find(string name) => _functions.GetValueOrDefault(name);

    /// <summary>Writes the state into the heap: on the mutator thread, at a safepoint, just before a checkpoint begins.</summary>
    public void Seal()
    {
        var state = new StateWriter();
        state.I64(ExitCode);
        _root.Write(StateSection.Process, state.Written);
    }

    /// <summary>
    /// A checkpoint is durable: shows the output that it covers, and writes the file changes that it covers back to the host. Any thread.
    /// </summary>
    /// <param name="checkpointNumber">The checkpoint's number.</param>
    public void Release(long checkpointNumber) => Interlocked.Exchange(ref _released, checkpointNumber);

    /// <summary>
    /// After the last checkpoint of this run (the program ended, or is being suspended) is durable and released: on the mutator thread,
    /// waits until all output is shown and all file changes are written back.
    /// </summary>
    /// <exception cref="IOException">The host refuses: the heap still holds what is owed, and resuming tries again.</exception>
    public void Finish() => Interlocked.Read(ref _released);

    /// <summary>A blocking call (sleep, read of standard input) returns <see cref="HostOutcome.Retry"/> soon. Any thread.</summary>
    public void Interrupt() => _interrupted = true;

    /// <inheritdoc/>
    public void Dispose() => _ = _interrupted;
}
