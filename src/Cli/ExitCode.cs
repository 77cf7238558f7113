namespace Everheap.Cli;

/// <summary>
/// The exit codes of the command itself. A guest's own exit code is passed through unchanged, so a code alone does not tell
/// the two apart; a line on standard error that begins with <c>everheap:</c> does. docs/command.md has the table.
/// </summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary><c>verify</c> found problems.</summary>
    public const int ProblemsFound = 1;

    /// <summary>The command line was wrong.</summary>
    public const int Usage = 2;

    /// <summary>A file is missing, in use, damaged, not a heap, or could not be written.</summary>
    public const int File = 3;

    /// <summary>The module is malformed, invalid, or needs what is not supported.</summary>
    public const int Module = 4;

    /// <summary>A transfer was refused or broke off: a damaged or foreign stream, a wrong token or certificate, a connection that was lost.</summary>
    public const int Transfer = 5;

    /// <summary>A fault of everheap itself (EX_SOFTWARE of sysexits).</summary>
    public const int Internal = 70;

    /// <summary>Stopped by SIGINT, after a checkpoint (128 + 2, as a shell reports it).</summary>
    public const int Interrupted = 130;

    /// <summary>The guest trapped (128 + 6, as a shell reports an abort).</summary>
    public const int Trap = 134;

    /// <summary>The reader of standard output has gone (128 + 13, as a shell reports SIGPIPE).</summary>
    public const int OutputClosed = 141;

    /// <summary>Stopped by SIGTERM, after a checkpoint (128 + 15, as a shell reports it).</summary>
    public const int Terminated = 143;
}
