using System.CommandLine;
using System.Globalization;
using Everheap.Cli.Addressing;
using Everheap.Engine;

namespace Everheap.Cli.History;

/// <summary><c>everheap revert</c>: takes a program back to an older checkpoint.</summary>
internal static class RevertCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        Argument<string> file = StoreAddress.FileArgument();
        Argument<CheckpointReference?> checkpoint = CheckpointReference.Argument("N", "The checkpoint to go back to: its number or name.");
        Option<string?> heap = HeapChoice.Option("The heap that goes back");
        var command = new Command("revert", "Take a program back to an older checkpoint; what came since stays in its history.") { file, checkpoint, heap };
        command.SetAction(result => Revert(result.GetRequiredValue(file), result.GetRequiredValue(checkpoint)!, result.GetValue(heap)));
        return command;
    }

    private static int Revert(string path, CheckpointReference checkpoint, string? heapName)
    {
        using HeapStore store = HeapFile.OpenForWriting(path);
        string name = HeapChoice.Choose(store, heapName);
        long number = checkpoint.Resolve(store, name);
        CheckpointInfo made = store.Revert(name, number);
        using TextWriter output = PlainOutput.Open();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} is again as at {name}@{number}, in its new checkpoint {name}@{made.Number}"));
        return ExitCode.Success;
    }
}
