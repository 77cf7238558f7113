using Everheap.Engine;
using Everheap.Engine.Transfer;
using Everheap.Vm;
using Everheap.Vm.Modules;

namespace Everheap.Cli;

/// <summary>Turns exceptions into a line on standard error and an exit code.</summary>
internal static class Failure
{
    private const string Prefix = "everheap: ";

    /// <summary>Writes one line to standard error.</summary>
    /// <param name="message">The line, without prefix and line end.</param>
    public static void Line(string message)
    {
        using TextWriter error = PlainOutput.OpenError();

        // One line, and of text alone: names of heaps, and what another machine says, may be anything.
        error.WriteLine(Prefix + string.Concat(message.ReplaceLineEndings(" ").Select(c => char.IsControl(c) ? '?' : c)));
    }

    /// <summary>Reports a failure.</summary>
    /// <param name="exception">What was thrown.</param>
    /// <param name="program">The program that it was thrown by, where there are several.</param>
    /// <returns>The exit code.</returns>
    public static int Report(Exception exception, string? program = null)
    {
        string prefix = program is null ? "" : program + ": ";
        switch (exception)
        {
            case CommandException expected:
                Line(prefix + expected.Message);
                return expected.ExitCode;
            case WasmFormatException or LinkException:
                Line(prefix + exception.Message);
                return ExitCode.Module;
            case HeapTransferException:
                Line(exception.Message);
                return ExitCode.Transfer;
            case HeapException or IOException or UnauthorizedAccessException:
                Line(prefix + exception.Message);
                return ExitCode.File;
            default:
                Line($"{prefix}unexpected {exception.GetType().FullName}: {exception.Message}; this is a fault of everheap: please report it with the lines below");
                using (TextWriter error = PlainOutput.OpenError())
                {
                    error.WriteLine(exception.StackTrace);
                }

                return ExitCode.Internal;
        }
    }
}
