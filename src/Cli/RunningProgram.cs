using System.Globalization;
using Everheap.Engine;
using Everheap.Vm;

namespace Everheap.Cli;

/// <summary>One program of an open store: runs it to its end or to a signal, says how it went, and leaves behind what is wanted, and nothing else.</summary>
internal sealed class RunningProgram : IDisposable
{
    /// <summary>The most frames of a trap's backtrace that are printed: an exhausted stack has 100,000.</summary>
    private const int TrapFramesMax = 32;

    private readonly HeapStore _store;
    private readonly Process _process;
    private readonly string _heapPath;
    private readonly bool _keepsFile;

    /// <summary>Takes charge of a program.</summary>
    /// <param name="store">Its store; disposed of with this.</param>
    /// <param name="process">The program; disposed of with this.</param>
    /// <param name="heapPath">The store's file, as the user calls it.</param>
    /// <param name="keepsFile">Whether the user wants the file to stay when the program has ended.</param>
    public RunningProgram(HeapStore store, Process process, string heapPath, bool keepsFile)
    {
        _store = store;
        _process = process;
        _heapPath = heapPath;
        _keepsFile = keepsFile || process.KeepFile;
    }

    /// <summary>Runs the program.</summary>
    /// <param name="termination">The signals.</param>
    /// <returns>The exit code.</returns>
    public int Run(Termination termination)
    {
        string resume = ResumeCommand.LineFor(_store, _heapPath, _process.Heap.Name);
        ProcessOutcome outcome;
        try
        {
            outcome = _process.Run(termination.Suspend);
        }
        catch (OutputClosedException)
        {
            Failure.Line($"standard output was closed by its reader, the program is kept in {_heapPath}; go on with: {resume}");
            return ExitCode.OutputClosed;
        }

        if (outcome.State == ProcessState.Suspended)
        {
            Failure.Line($"stopped, the program is kept in {_heapPath}; go on with: {resume}");
            return termination.SignalExitCode;
        }

        bool isKept = _keepsFile || Leftovers.AreRetained(_store, _process.Heap.Name);
        if (outcome.State == ProcessState.Trapped)
        {
            ReportTrap(outcome.Trap!);
            if (isKept)
            {
                Failure.Line($"the program is kept in {_heapPath}; see: {resume.Replace("everheap resume", "everheap stack", StringComparison.Ordinal)}");
            }
        }

        if (!isKept)
        {
            string name = _process.Heap.Name;
            _process.Dispose();
            Leftovers.Remove(_store, _heapPath, [name]);
        }

        return outcome.State == ProcessState.Trapped ? ExitCode.Trap : outcome.ExitCode;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _process.Dispose();
        _store.Dispose();
    }

    /// <summary>Says why a program trapped, and where.</summary>
    /// <param name="trap">The trap.</param>
    /// <param name="program">The program's heap, where there are several.</param>
    public static void ReportTrap(TrapInfo trap, string? program = null)
    {
        Failure.Line(string.Create(CultureInfo.InvariantCulture, $"{(program is null ? "" : program + ": ")}trap: {trap.Reason}"));
        using TextWriter error = PlainOutput.OpenError();
        Backtrace.Write(trap.Backtrace, trap.Backtrace.Count, TrapFramesMax, withValues: false, error);
    }
}
