using System.CommandLine;
using System.Globalization;
using System.IO.Pipelines;
using Everheap.Cli.Addressing;
using Everheap.Engine;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.History;

/// <summary><c>everheap fork</c>: a new heap that starts as a checkpoint of another, in the same file or in one of its own.</summary>
internal static class ForkCommand
{
    /// <summary>What the name of a new file ends in until it is complete.</summary>
    private const string UnfinishedSuffix = ".new";

    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var file = new Argument<string>("FILE[@N]") { Description = "The heap file, and the checkpoint to fork: its number or name (default: the latest)." };
        var newName = new Argument<string?>("NEWNAME") { Description = "The new heap's name; with --to it may be left out.", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> heap = HeapChoice.Option("The heap to fork");
        var to = new Option<string?>("--to")
        {
            HelpName = "NEWFILE",
            Description = "Copy it into a new file instead: also while a program runs in FILE, from a\ncheckpoint that it retains.",
        };
        var command = new Command("fork", "Make a new heap that starts as a checkpoint of another, and shares its pages.") { file, newName, heap, to };
        command.SetAction(result =>
        {
            StoreAddress address = StoreAddress.Parse(result.GetRequiredValue(file));
            string? name = result.GetValue(newName);
            if (result.GetValue(to) is { } newPath)
            {
                return Copy(address, result.GetValue(heap), name, newPath);
            }

            return name is null
                ? throw new CommandException(ExitCode.Usage, "'fork' needs a NEWNAME, or a new file (--to NEWFILE); see: everheap fork --help")
                : Fork(address, result.GetValue(heap), name);
        });
        return command;
    }

    private static int Fork(StoreAddress address, string? heapName, string newName)
    {
        using HeapStore store = Open(address.Path);
        string origin = HeapChoice.Choose(store, heapName);
        long number = address.Checkpoint?.Resolve(store, origin) ?? store.GetHeap(origin).LatestCheckpoint;
        try
        {
            store.Fork(origin, number, newName);
        }
        catch (ArgumentException exception)
        {
            throw new CommandException(ExitCode.Usage, $"NEWNAME '{newName}': {exception.Message}");
        }

        Tell(origin, number, newName, address.Path);
        return ExitCode.Success;
    }

    private static int Copy(StoreAddress address, string? heapName, string? newName, string newPath)
    {
        if (File.Exists(newPath) || Directory.Exists(newPath))
        {
            throw new CommandException(ExitCode.File, $"{newPath} is in the way; move it away, or name another file with --to");
        }

        using HeapStore store = HeapFile.OpenForReading(address.Path);
        string origin = HeapChoice.Choose(store, heapName);
        string name = newName ?? origin;
        using HeapSnapshot snapshot = store.OpenSnapshot(origin, address.Checkpoint?.Resolve(store, origin));
        string unfinishedPath = newPath + UnfinishedSuffix;
        File.Delete(unfinishedPath);
        try
        {
            using (HeapStore copy = HeapStore.Create(unfinishedPath))
            {
                CopyAsync(snapshot, copy, name).GetAwaiter().GetResult();
                copy.SetRetention(name, store.GetHeap(origin).Retention);
            }

            File.Move(unfinishedPath, newPath);
        }
        catch
        {
            File.Delete(unfinishedPath);
            throw;
        }

        Tell(origin, snapshot.CheckpointNumber, name, newPath);
        return ExitCode.Success;
    }

    /// <summary>Sends a checkpoint from the one store to the other; every page is checked on both sides.</summary>
    private static async Task CopyAsync(HeapSnapshot snapshot, HeapStore copy, string name)
    {
        var pipe = new Pipe();
        Task sending = SendAsync();
        Task receiving = ReceiveAsync();
        await Task.WhenAll(sending, receiving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // When one end fails, all that the other knows is that the stream broke off.
        await (receiving.Exception?.InnerException is null or HeapTransferException ? sending : receiving).ConfigureAwait(false);
        await receiving.ConfigureAwait(false);

        async Task SendAsync()
        {
            try
            {
                await HeapTransfer.SendAsync(null, snapshot, pipe.Writer).ConfigureAwait(false);
            }
            finally
            {
                await pipe.Writer.CompleteAsync().ConfigureAwait(false);
            }
        }

        async Task ReceiveAsync()
        {
            try
            {
                await HeapTransfer.ReceiveAsync(copy, pipe.Reader, new ReceiveOptions { HeapName = name }).ConfigureAwait(false);
            }
            finally
            {
                await pipe.Reader.CompleteAsync().ConfigureAwait(false);
            }
        }
    }

    private static HeapStore Open(string path)
    {
        try
        {
            return HeapFile.OpenForWriting(path);
        }
        catch (HeapLockedException exception)
        {
            throw new CommandException(ExitCode.File, $"{exception.Message} Or fork into a file of its own, which goes beside a running program: --to NEWFILE");
        }
    }

    private static void Tell(string origin, long number, string newName, string path)
    {
        using TextWriter output = PlainOutput.Open();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"forked {origin}@{number} as {newName} in {path}"));
    }
}
