using System.CommandLine;
using System.Globalization;
using Everheap.Cli.Addressing;
using Everheap.Engine;

namespace Everheap.Cli.History;

/// <summary><c>everheap drop</c>: gives up a checkpoint, or a whole heap, and gets its space back.</summary>
internal static class DropCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        Argument<string> file = StoreAddress.FileArgument();
        Argument<CheckpointReference?> checkpoint = CheckpointReference.Argument(
            "N", "The checkpoint to drop: its number or name. Without it, the whole heap that --heap names.", isOptional: true);
        var heap = new Option<string?>("--heap")
        {
            HelpName = "NAME",
            Description = "The checkpoint's heap, or the heap to drop.",
        };
        var command = new Command("drop", "Give up a retained checkpoint, or a heap with its history; the space is free for the rest.") { file, checkpoint, heap };
        command.SetAction(result =>
        {
            string path = result.GetRequiredValue(file);
            string? heapName = result.GetValue(heap);
            return result.GetValue(checkpoint) switch
            {
                { } given => DropCheckpoint(path, given, heapName),
                null when heapName is not null => DropHeap(path, heapName),
                _ => throw new CommandException(ExitCode.Usage, "'drop' needs a checkpoint (N), or a whole heap (--heap NAME); see: everheap drop --help"),
            };
        });
        return command;
    }

    private static int DropCheckpoint(string path, CheckpointReference checkpoint, string? heapName)
    {
        using HeapStore store = HeapFile.OpenForWriting(path);
        string name = HeapChoice.Choose(store, heapName);
        long number = checkpoint.Resolve(store, name);
        return Drop(store, string.Create(CultureInfo.InvariantCulture, $"{name}@{number}"), () => store.DropCheckpoint(name, number));
    }

    private static int DropHeap(string path, string heapName)
    {
        using HeapStore store = HeapFile.OpenForWriting(path);
        string name = HeapChoice.Choose(store, heapName);
        return store.Heaps.Count == 1
            ? throw new CommandException(ExitCode.File, $"'{name}' is all that is in {path}; delete the file instead")
            : Drop(store, name, () => store.DropHeap(name));
    }

    private static int Drop(HeapStore store, string what, Action drop)
    {
        long before = store.Space.UsedBytes;
        drop();
        while (store.Reclaim())
        {
            // Each step is a commit: whatever ends this command, the rest comes back later.
        }

        using TextWriter output = PlainOutput.Open();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"dropped {what}: {Math.Max(before - store.Space.UsedBytes, 0)} bytes of {store.Path} are free again"));
        return ExitCode.Success;
    }
}
