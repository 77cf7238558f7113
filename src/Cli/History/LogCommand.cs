using System.CommandLine;
using System.Globalization;
using Everheap.Cli.Addressing;
using Everheap.Engine;

namespace Everheap.Cli.History;

/// <summary><c>everheap log</c>: the heaps of a file and the checkpoints that are remembered of them; for people a tree, for scripts columns.</summary>
internal static class LogCommand
{
    /// <summary>Below this many columns the tree would break its lines, so plain columns are printed.</summary>
    private const int TreeColumnsMin = 60;

    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        Argument<string> file = StoreAddress.FileArgument();
        var heap = new Option<string?>("--heap") { HelpName = "NAME", Description = "This heap only (default: all)." };
        var tree = new Option<bool>("--tree") { Description = "Draw the tree in a pipe, too." };
        var command = new Command("log", "List the checkpoints of all heaps, forks below their origins; also while a program runs.") { file, heap, tree };
        command.SetAction(result => Show(result.GetRequiredValue(file), result.GetValue(heap), result.GetValue(tree)));
        return command;
    }

    private static int Show(string path, string? heapName, bool isTree)
    {
        using HeapStore store = HeapFile.OpenForReading(path);
        string? chosen = heapName is null ? null : HeapChoice.Choose(store, heapName);
        HeapLog[] logs = [.. store.Heaps.OrderBy(heap => heap.Created).ThenBy(heap => heap.Name, StringComparer.Ordinal).Select(heap => new HeapLog(heap, store.History(heap.Name)))];
        using TextWriter output = PlainOutput.Open();
        if (isTree || (!Console.IsOutputRedirected && Console.WindowWidth >= TreeColumnsMin))
        {
            new LogTree(logs, TimeZoneInfo.Local, output).Write(chosen);
        }
        else
        {
            WriteColumns(logs.Where(log => chosen is null || log.Heap.Name == chosen), output);
        }

        return ExitCode.Success;
    }

    /// <summary>
    /// Columns for scripts, separated by spaces: one header line, numbers right aligned, UTC times without spaces, names with what would break a column
    /// written as %20 and the like.
    /// </summary>
    private static void WriteColumns(IEnumerable<HeapLog> logs, TextWriter output)
    {
        output.WriteLine($"{"number",10} {"time",24} {"pages",10} {"bytes",14} {"kept",-8} heap origin name");
        foreach (HeapLog log in logs)
        {
            string origin = log.Heap.OriginCheckpoint == 0
                ? "-"
                : string.Create(CultureInfo.InvariantCulture, $"{(log.Heap.OriginName is { } name ? Word(name) : "")}@{log.Heap.OriginCheckpoint}");
            foreach (CheckpointInfo checkpoint in log.Checkpoints)
            {
                output.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{checkpoint.Number,10} {checkpoint.Time.UtcDateTime,24:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {checkpoint.Pages,10} {checkpoint.Bytes,14} " +
                    $"{log.KeptAs(checkpoint) ?? "-",-8} {Word(log.Heap.Name)} {origin} {(checkpoint.Name is { } given ? Word(given) : "-")}"));
            }
        }
    }

    private static string Word(string text) => text.Any(IsBreaking)
        ? string.Concat(text.Select(c => IsBreaking(c) ? Uri.HexEscape(c) : c.ToString()))
        : text;

    private static bool IsBreaking(char c) => c is <= ' ' or '%' or '\x7F';
}

/// <summary>A heap with the checkpoints that are remembered of it.</summary>
/// <param name="Heap">The heap.</param>
/// <param name="Checkpoints">Its checkpoints, oldest first.</param>
internal sealed record HeapLog(HeapInfo Heap, IReadOnlyList<CheckpointInfo> Checkpoints)
{
    /// <summary>In which way a checkpoint is kept.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <returns><c>latest</c>; <c>held</c> until it is dropped; <c>retained</c> by the heap's policy; null if it is only remembered.</returns>
    public string? KeptAs(CheckpointInfo checkpoint) =>
        checkpoint.IsHeld ? "held"
        : checkpoint.Number == Heap.LatestCheckpoint ? "latest"
        : checkpoint.IsRetained ? "retained"
        : null;
}
