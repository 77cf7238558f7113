using System.CommandLine;
using System.Globalization;
using Everheap.Cli.Addressing;
using Everheap.Engine;

namespace Everheap.Cli.History;

/// <summary><c>everheap retain</c>: keeps a checkpoint, and says which ones a heap keeps by itself.</summary>
internal static class RetainCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        Argument<string> file = StoreAddress.FileArgument();
        Argument<CheckpointReference?> checkpoint = CheckpointReference.Argument(
            "N", "The checkpoint to keep until it is dropped: its number or name (default: the latest, unless\none of --keep-last and --keep-for is given).", isOptional: true);
        Option<string?> heap = HeapChoice.Option("The heap");
        var name = new Option<string?>("--name") { HelpName = "X", Description = "A name for the checkpoint." };
        var retention = new RetentionOptions();
        var command = new Command("retain", "Keep a checkpoint until it is dropped; or say which ones a heap keeps by itself.") { file, checkpoint, heap, name };
        retention.AddTo(command);
        command.SetAction(result =>
        {
            using HeapStore store = HeapFile.OpenForWriting(result.GetRequiredValue(file));
            string heapName = HeapChoice.Choose(store, result.GetValue(heap));
            using TextWriter output = PlainOutput.Open();
            RetentionPolicy? policy = retention.Read(result, store.GetHeap(heapName).Retention);
            string? chosenName = result.GetValue(name);
            if (result.GetValue(checkpoint) is { } given)
            {
                Retain(store, heapName, given.Resolve(store, heapName), chosenName, output);
            }
            else if (policy is null || chosenName is not null)
            {
                Retain(store, heapName, store.GetHeap(heapName).LatestCheckpoint, chosenName, output);
            }

            if (policy is not null)
            {
                store.SetRetention(heapName, policy);
                output.WriteLine($"{heapName} {RetentionOptions.Describe(policy)}");
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static void Retain(HeapStore store, string heapName, long number, string? name, TextWriter output)
    {
        if (name is not null && (CheckpointReference.IsNumber(name) || name.Contains('@')))
        {
            throw new CommandException(ExitCode.Usage, $"--name {name}: a name is not a number, and has no @, so that it can be told from a checkpoint's number; see: everheap retain --help");
        }

        try
        {
            store.Retain(heapName, number, name);
        }
        catch (ArgumentException exception)
        {
            throw new CommandException(ExitCode.Usage, $"--name {name}: {exception.Message}; see: everheap retain --help");
        }

        string suffix = name is null ? "" : $" as {name}";
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"retained {heapName}@{number}{suffix}"));
    }
}
