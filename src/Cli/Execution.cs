using Everheap.Vm;

namespace Everheap.Cli;

/// <summary>Runs a process to its end or to a signal, and says how it went.</summary>
internal static class Execution
{
    /// <summary>The most frames of a trap's backtrace that are printed: an exhausted stack has 100,000.</summary>
    private const int TrapFramesMax = 32;

    /// <summary>Runs a process, and deletes its file when it has ended and nobody asked to keep it.</summary>
    /// <param name="process">The process; disposed here.</param>
    /// <param name="heapPath">Its file.</param>
    /// <param name="keepFile">Whether the file stays.</param>
    /// <param name="termination">The signals.</param>
    /// <returns>The exit code.</returns>
    public static int Run(Process process, string heapPath, bool keepFile, Termination termination)
    {
        ProcessOutcome outcome;
        try
        {
            using (process)
            {
                outcome = process.Run(termination.Suspend);
            }
        }
        catch (OutputClosedException)
        {
            Failure.Line($"standard output was closed by its reader, the program is kept in {heapPath}; go on with: everheap resume {heapPath}");
            return ExitCode.OutputClosed;
        }

        switch (outcome.State)
        {
            case ProcessState.Suspended:
                Failure.Line($"stopped, the program is kept in {heapPath}; go on with: everheap resume {heapPath}");
                return termination.SignalExitCode;
            case ProcessState.Trapped:
                ReportTrap(outcome.Trap!);
                if (keepFile)
                {
                    Failure.Line($"the program is kept in {heapPath}; see: everheap stack {heapPath}");
                }

                break;
        }

        if (!keepFile)
        {
            HeapFile.Delete(heapPath);
        }

        return outcome.State == ProcessState.Trapped ? ExitCode.Trap : outcome.ExitCode;
    }

    private static void ReportTrap(TrapInfo trap)
    {
        Failure.Line($"trap: {trap.Reason}");
        using TextWriter error = PlainOutput.OpenError();
        Backtrace.Write(trap.Backtrace, trap.Backtrace.Count, TrapFramesMax, withValues: false, error);
    }
}
