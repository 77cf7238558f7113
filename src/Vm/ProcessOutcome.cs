namespace Everheap.Vm;

/// <summary>How a run of a process ended.</summary>
/// <param name="State">Suspended (it can be resumed), exited or trapped.</param>
/// <param name="ExitCode">The program's own exit code, where it exited.</param>
/// <param name="Trap">The trap, where it trapped.</param>
public sealed record ProcessOutcome(ProcessState State, int ExitCode, TrapInfo? Trap);

/// <summary>What a heap, or a checkpoint of one, says of the process in it.</summary>
/// <param name="State">What has become of it.</param>
/// <param name="ExitCode">Its exit code, where it exited.</param>
/// <param name="Trap">The trap, where it trapped.</param>
/// <param name="ModuleName">The module's name from its name section, or null.</param>
/// <param name="MemoryBytes">The size of its linear memory in bytes.</param>
/// <param name="FrameCount">How many frames are on its call stack.</param>
/// <param name="Backtrace">The innermost of them, innermost first; at most <see cref="TrapInfo.BacktraceFramesMax"/>.</param>
/// <param name="CommandLine">The program's own name, then its arguments.</param>
/// <param name="KeepFile">Whether the file is to stay when the program has ended.</param>
public sealed record ProcessInspection(
    ProcessState State,
    int ExitCode,
    TrapInfo? Trap,
    string? ModuleName,
    long MemoryBytes,
    long FrameCount,
    IReadOnlyList<StackFrame> Backtrace,
    IReadOnlyList<string> CommandLine,
    bool KeepFile);
