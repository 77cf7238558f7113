using System.CommandLine;
using System.Globalization;
using Everheap.Cli.Addressing;
using Everheap.Engine;

namespace Everheap.Cli.History;

/// <summary><c>everheap compact</c>: makes a heap file as short as what is in it allows.</summary>
internal static class CompactCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        Argument<string> file = StoreAddress.FileArgument();
        var command = new Command("compact", "Make a heap file as short as what is in it allows; can be stopped and killed at any time.") { file };
        command.SetAction(result => Compact(result.GetRequiredValue(file)));
        return command;
    }

    private static int Compact(string path)
    {
        using HeapStore store = HeapFile.OpenForWriting(path);
        using var termination = new Termination();
        CompactionReport report;
        try
        {
            report = store.Compact(cancellation: termination.Suspend);
        }
        catch (OperationCanceledException)
        {
            Failure.Line($"stopped; {path} is whole, and shorter as far as it got. Go on with: everheap compact {path}");
            return termination.SignalExitCode;
        }

        using TextWriter output = PlainOutput.Open();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{path}: {report.FileBytesBefore} bytes before, {report.FileBytesAfter} after; {report.MovedPages} pages moved"));
        return ExitCode.Success;
    }
}
