namespace Everheap.Cli;

/// <summary>An expected failure: one line for the user, and the exit code.</summary>
internal sealed class CommandException : Exception
{
    /// <summary>Creates the failure.</summary>
    /// <param name="exitCode">One of <see cref="Cli.ExitCode"/>.</param>
    /// <param name="message">What went wrong, where, and what to do.</param>
    public CommandException(int exitCode, string message)
        : base(message) => ExitCode = exitCode;

    /// <summary>The code to exit with.</summary>
    public int ExitCode { get; }
}
