using System.Runtime.InteropServices;

namespace Everheap.Cli;

/// <summary>
/// Ctrl-C and SIGTERM. The first asks the program to stop at its next safepoint, make a checkpoint and leave a resumable file;
/// the second ends the process at once, which costs no more than the time since the last checkpoint.
/// </summary>
internal sealed class Termination : IDisposable
{
    private readonly CancellationTokenSource _suspend = new();
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;
    private int _exitCode;

    /// <summary>Starts listening.</summary>
    public Termination()
    {
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle);
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle);
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Suspend => _suspend.Token;

    /// <summary>The exit code that the signal stands for, or 0 where none has come.</summary>
    public int SignalExitCode => Volatile.Read(ref _exitCode);

    /// <inheritdoc/>
    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _suspend.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        int exitCode = context.Signal == PosixSignal.SIGINT ? ExitCode.Interrupted : ExitCode.Terminated;
        if (Interlocked.CompareExchange(ref _exitCode, exitCode, 0) != 0)
        {
            Environment.Exit(exitCode);
        }

        _suspend.Cancel();
    }
}
