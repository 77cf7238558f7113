using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Everheap.Cli.Torture.Display;
using Everheap.Cli.Torture.Workers;
using Spectre.Console;

namespace Everheap.Cli.Torture;

/// <summary><c>everheap torture</c>: runs the crash recovery suite on a folder of the user's.</summary>
internal static class TortureCommand
{
    private const double MinutesMax = 60 * 24 * 365;

    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var folder = new Argument<string>("FOLDER")
        {
            Description = "A folder on the disk to be tested (default: the current one). One folder is made in it, and removed.",
            Arity = ArgumentArity.ZeroOrOne,
            DefaultValueFactory = _ => ".",
        };
        var minutes = new Option<double?>("--minutes")
        {
            HelpName = "N",
            Description = $"How long to go on (default {TortureOptions.TimeDefault.TotalMinutes}); may be a fraction.",
            CustomParser = ParseMinutes,
        };
        var rounds = new Option<int?>("--rounds")
        {
            HelpName = "N",
            Description = "How many rounds to go through; without --minutes, whatever time that takes.",
            CustomParser = result => ParseWhole(result, "--rounds", 1),
        };
        var seed = new Option<int?>("--seed")
        {
            HelpName = "S",
            Description = "Draw the same operations and moments as the run that named this seed.",
            CustomParser = result => ParseWhole(result, "--seed", 0),
        };
        var size = new Option<long?>("--size")
        {
            HelpName = "SIZE",
            Description = $"The most room to use on the disk at once (default {ByteSize.Format(TortureOptions.SizeBytesDefault)}).",
            CustomParser = ParseSize,
        };
        var report = new Option<string?>("--report")
        {
            HelpName = "FILE",
            Description = "Write the report to a file, too, as Markdown.",
        };
        var command = new Command("torture", "Test crash recovery on a disk of yours: kill, damage, fill up, and check all.") { folder, minutes, rounds, seed, size, report };
        command.SetAction(result => Run(new TortureOptions
        {
            Folder = result.GetRequiredValue(folder),
            Rounds = result.GetValue(rounds),
            Time = result.GetValue(minutes) is { } time ? TimeSpan.FromMinutes(time) : result.GetValue(rounds) is null ? TortureOptions.TimeDefault : null,
            Seed = result.GetValue(seed) ?? Random.Shared.Next(1, 1_000_000_000),
            SizeBytes = result.GetValue(size) ?? TortureOptions.SizeBytesDefault,
            ReportPath = result.GetValue(report),
        }));
        return command;
    }

    private static int Run(TortureOptions options)
    {
        // Before anything else is written: it looks at the terminal's type.
        IAnsiConsole console = AnsiConsole.Console;
        using StreamWriter? reportFile = OpenReport(options.ReportPath);
        using TortureFolder folder = TortureFolder.Create(options.Folder, options.SizeBytes);
        using var termination = new Termination();
        using var context = new TortureContext(options, folder.WorkPath, WorkerCommand.Current(), termination.Suspend);
        Announce(options, folder);
        using (Show(context, console))
        {
            new TortureRun(context, folder).Run();
        }

        var report = new TortureReport(context, folder);
        using TextWriter output = PlainOutput.Open();
        report.Write(output);
        if (reportFile is not null)
        {
            report.Write(reportFile);
        }

        return context.Tally.Failures.Count == 0 ? ExitCode.Success : ExitCode.ProblemsFound;
    }

    private static IDisposable Show(TortureContext context, IAnsiConsole console) =>
        Console.IsOutputRedirected || !console.Profile.Capabilities.Ansi ? new PlainProgress(context) : new LiveTable(context, console);

    private static void Announce(TortureOptions options, TortureFolder folder)
    {
        using TextWriter output = PlainOutput.Open();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"torture of {Path.GetFullPath(options.Folder)} ({folder.FileSystem}, {ByteSize.Format(folder.FreeBytes)} free), seed {options.Seed}, files in {folder.WorkPath}"));
    }

    /// <summary>Opens the report's file at once: a run of an hour is not to end with a file that cannot be written.</summary>
    private static StreamWriter? OpenReport(string? path)
    {
        try
        {
            return path is null ? null : new StreamWriter(path) { NewLine = "\n" };
        }
        catch (Exception refusal) when (refusal is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.File, $"the report cannot be written: {refusal.Message}");
        }
    }

    private static double? ParseMinutes(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double minutes) && minutes is > 0 and <= MinutesMax)
        {
            return minutes;
        }

        result.AddError($"--minutes {text}: expected a number above 0, such as 5 or 0.5");
        return null;
    }

    private static int? ParseWhole(ArgumentResult result, string name, int minimum)
    {
        string text = result.Tokens[0].Value;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= minimum)
        {
            return number;
        }

        result.AddError($"{name} {text}: expected a whole number from {minimum} to {int.MaxValue}");
        return null;
    }

    private static long? ParseSize(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (!ByteSize.TryParse(text, out long bytes))
        {
            result.AddError($"--size {text}: expected {ByteSize.Accepted}");
            return null;
        }

        if (bytes is < TortureOptions.SizeBytesMin or > TortureOptions.SizeBytesMax)
        {
            result.AddError($"--size {text}: expected {ByteSize.Format(TortureOptions.SizeBytesMin)} to {ByteSize.Format(TortureOptions.SizeBytesMax)}");
            return null;
        }

        return bytes;
    }
}
