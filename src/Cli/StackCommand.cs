using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Everheap.Vm;

namespace Everheap.Cli;

/// <summary><c>everheap stack</c>: the call stack that the last checkpoint holds.</summary>
internal static class StackCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var file = new Argument<string>("FILE") { Description = "The heap file." };
        var frames = new Option<int?>("--frames")
        {
            HelpName = "N",
            Description = $"Print the N innermost frames only (default and most: {TrapInfo.BacktraceFramesMax}).",
            CustomParser = ParseFrames,
        };
        var command = new Command("stack", "Show the captured WebAssembly backtrace with its locals.") { file, frames };
        command.SetAction(result => Show(result.GetRequiredValue(file), result.GetValue(frames) ?? int.MaxValue));
        return command;
    }

    private static int? ParseFrames(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count >= 1)
        {
            return count;
        }

        result.AddError($"--frames {text}: expected a whole number from 1");
        return null;
    }

    private static int Show(string path, int framesMax)
    {
        HeapFile.RequireExisting(path);
        ProcessInspection inspection = Process.Inspect(path);
        using TextWriter output = PlainOutput.Open();
        string command = string.Join(' ', inspection.CommandLine.Select(Quoted));
        string state = inspection.State switch
        {
            ProcessState.Exited => string.Create(CultureInfo.InvariantCulture, $"ended with exit code {inspection.ExitCode}"),
            ProcessState.Trapped => "trapped: " + inspection.Trap!.Reason,
            _ => string.Create(CultureInfo.InvariantCulture, $"unfinished, {inspection.FrameCount} frames"),
        };
        output.WriteLine($"{command}: {state}");
        Backtrace.Write(inspection.Backtrace, inspection.FrameCount, framesMax, withValues: true, output);
        return ExitCode.Success;
    }

    private static string Quoted(string argument) =>
        argument.Length > 0 && !argument.Any(c => char.IsWhiteSpace(c) || c is '\'' or '"') ? argument : $"'{argument.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
