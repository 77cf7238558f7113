using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Everheap.Cli.Addressing;
using Everheap.Engine;
using Everheap.Vm;

namespace Everheap.Cli;

/// <summary><c>everheap stack</c>: the call stack that the last checkpoint holds.</summary>
internal static class StackCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        Argument<string> file = StoreAddress.FileArgument();
        Option<string?> heap = HeapChoice.Option("The program");
        Option<CheckpointReference?> checkpoint = CheckpointReference.Option("--checkpoint", "A retained checkpoint: its number or name (default: the latest).");
        var frames = new Option<int?>("--frames")
        {
            HelpName = "N",
            Description = $"Print the N innermost frames only (default and most: {TrapInfo.BacktraceFramesMax}).",
            CustomParser = ParseFrames,
        };
        var command = new Command("stack", "Show the captured WebAssembly backtrace with its locals; also while the program runs.") { file, heap, checkpoint, frames };
        command.SetAction(result => Show(
            Inspect(result.GetRequiredValue(file), result.GetValue(heap), result.GetValue(checkpoint)),
            result.GetValue(frames) ?? int.MaxValue));
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

    private static ProcessInspection Inspect(string path, string? heapName, CheckpointReference? checkpoint)
    {
        using HeapStore store = HeapFile.OpenForReading(path);
        string name = HeapChoice.Choose(store, heapName);
        using HeapSnapshot snapshot = store.OpenSnapshot(name, checkpoint?.Resolve(store, name));
        return Process.Inspect(snapshot);
    }

    private static int Show(ProcessInspection inspection, int framesMax)
    {
        using TextWriter output = PlainOutput.Open();
        string command = string.Join(' ', inspection.CommandLine.Select(ShellWord.Quote));
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
}
