using Everheap.Engine;
using Everheap.Vm.Compilation;
using Everheap.Vm.Execution;

namespace Everheap.Vm.Embedding;

/// <summary>How a <see cref="Machine"/> is run, and what its guests may use. Limits are those of the machine as a whole: all its instances together.</summary>
public sealed record MachineOptions
{
    /// <summary>The most native stack that guests can be given, in bytes; also the default.</summary>
    public const int NativeStackBytesMax = InstanceGroup.NativeStackBytes;

    /// <summary>The most bytes of captured stack; also the default: a few million calls within each other.</summary>
    public const long StackBytesMax = (long)CapturedStack.BytesMax;

    /// <summary>The name of the heap, where the machine has a store of its own.</summary>
    public string HeapName { get; init; } = Process.HeapName;

    /// <summary>Where the machine has a store of its own: the resident budget in bytes. 128 MiB by default.</summary>
    public long ResidentBytes { get; init; } = HeapStoreOptions.ResidentBytesDefault;

    /// <summary>How memories are reached. <see cref="MemoryAddressing.Automatic"/> by default.</summary>
    public MemoryAddressing MemoryAddressing { get; init; }

    /// <summary>The most bytes of linear memory. A <c>memory.grow</c> beyond gives -1; an instance whose memory begins beyond is refused. Not limited by default.</summary>
    public long MemoryBytes { get; init; } = long.MaxValue;

    /// <summary>The most elements of tables. A <c>table.grow</c> beyond gives -1; an instance whose tables begin beyond is refused. Not limited by default, but for 10,000,000 a table.</summary>
    public long TableElements { get; init; } = long.MaxValue;

    /// <summary>The most instances, those that stand for a memory, table, global or function of the host included.</summary>
    public int Instances { get; init; } = InstanceGroup.InstancesMax;

    /// <summary>
    /// The most native stack that guests use before their frames move to the heap, in bytes. Of a thread's stack, a quarter is always left to the host, and at most 4 MiB; a smaller number leaves more.
    /// </summary>
    public int NativeStackBytes { get; init; } = NativeStackBytesMax;

    /// <summary>How large the part of the call stack in the heap may become, in bytes: beyond it a guest traps with <c>call stack exhausted</c>.</summary>
    public long StackBytes { get; init; } = StackBytesMax;

    /// <summary>
    /// The longest time that a call from outside may take, host functions that it calls included; it ends with a <see cref="TimeoutException"/> at the next safepoint after that. Not limited by default.
    /// What a guest does costs nothing more for that, other than it would be if its instructions were counted.
    /// </summary>
    public TimeSpan CallTime { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>What guests find of the system interface WASI preview 1 (<see cref="Linker.DefineWasi"/>); null where there is none.</summary>
    public WasiConfiguration? Wasi { get; init; }

    /// <summary>Told, in a line, of what the user should know; null for nobody.</summary>
    public Action<string>? Diagnostics { get; init; }

    /// <summary>For tests: captures at every n-th safepoint; 0 for none.</summary>
    internal int CaptureEvery { get; init; }

    /// <summary>For tests: goes from memories in one piece to pages and back at captures.</summary>
    internal bool AlternatesAddressing { get; init; }

    /// <summary>For tests: see <see cref="InstanceOptions.TieredBytes"/>.</summary>
    internal int TieredBytes { get; init; } = Tiering.ModuleBytesMin;

    internal void Validate()
    {
        ArgumentException.ThrowIfNullOrEmpty(HeapName);
        ArgumentOutOfRangeException.ThrowIfNegative(MemoryBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(TableElements);
        ArgumentOutOfRangeException.ThrowIfNegative(Instances);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(NativeStackBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(NativeStackBytes, NativeStackBytesMax);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(StackBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(StackBytes, StackBytesMax);
        if (CallTime != Timeout.InfiniteTimeSpan)
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(CallTime, TimeSpan.Zero);
        }
    }

    internal InstanceOptions ToInstanceOptions() => new()
    {
        CaptureEvery = CaptureEvery,
        AlternatesAddressing = AlternatesAddressing,
        TieredBytes = TieredBytes,
        IsAlwaysPaged = MemoryAddressing == MemoryAddressing.Paged,
        MemoryBytesMax = MemoryBytes,
        TableElementsMax = TableElements,
        InstancesMax = Math.Min(Instances, InstanceGroup.InstancesMax),
        NativeStackBytes = NativeStackBytes,
        StackBytesMax = (ulong)StackBytes,
    };
}

/// <summary>What guests of a machine find of the system interface WASI preview 1. Arguments, environment and output mode belong to the heap from the machine's creation on.</summary>
public sealed record WasiConfiguration
{
    /// <summary>The program's own name, its argument zero.</summary>
    public string ProgramName { get; init; } = "program";

    /// <summary>The arguments after that.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>The environment variables.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = [];

    /// <summary>Host directories that guests may use; with none, they find an empty directory in the heap at <c>/</c>.</summary>
    public IReadOnlyList<DirectoryMapping> Directories { get; init; } = [];

    /// <summary>When output is shown. At once by default; <see cref="OutputMode.Committed"/> shows it at <see cref="Machine.Checkpoint"/>, and never what a machine without checkpoints prints.</summary>
    public OutputMode Output { get; init; } = OutputMode.Immediate;

    /// <summary>Standard input; null for the end of file at once.</summary>
    public Stream? StandardInput { get; init; }

    /// <summary>Standard output; null for nowhere.</summary>
    public Stream? StandardOutput { get; init; }

    /// <summary>Standard error; null for nowhere.</summary>
    public Stream? StandardError { get; init; }
}
