using System.Globalization;
using Everheap.Engine;

namespace Everheap.Cli.History;

/// <summary>
/// Draws heaps and their checkpoints as a tree: a fork stands below the checkpoint that it was made from, if that is still remembered; else below its origin;
/// else, if that is gone, by itself.
/// </summary>
/// <param name="logs">The heaps, in the order in which they were made.</param>
/// <param name="zone">The zone that times are shown in.</param>
/// <param name="output">Where to.</param>
internal sealed class LogTree(IReadOnlyList<HeapLog> logs, TimeZoneInfo zone, TextWriter output)
{
    private const string Branch = "├─ ";
    private const string LastBranch = "└─ ";
    private const string Line = "│  ";
    private const string Blank = "   ";

    /// <summary>Columns of a checkpoint's own text begin here at least, so that the columns of forks line up with those of their origins.</summary>
    private const int NumberColumns = 12;

    /// <summary>Draws the tree.</summary>
    /// <param name="heapName">Only the tree of this heap; null for all.</param>
    public void Write(string? heapName)
    {
        foreach (HeapLog log in logs)
        {
            if (heapName is null ? OriginOf(log) is null : log.Heap.Name == heapName)
            {
                output.WriteLine(Title(log));
                WriteBelow(log, "");
            }
        }
    }

    private void WriteBelow(HeapLog log, string indent)
    {
        HeapLog[] forks = [.. logs.Where(other => OriginOf(other) == log)];
        HeapLog[] forgotten = [.. forks.Where(fork => log.Checkpoints.All(checkpoint => checkpoint.Number != fork.Heap.OriginCheckpoint))];
        int left = forgotten.Length + log.Checkpoints.Count;
        foreach (HeapLog fork in forgotten)
        {
            WriteFork(fork, indent, isLast: --left == 0);
        }

        foreach (CheckpointInfo checkpoint in log.Checkpoints)
        {
            bool isLast = --left == 0;
            string head = indent + (isLast ? LastBranch : Branch) + checkpoint.Number.ToString(CultureInfo.InvariantCulture);
            output.WriteLine(head.PadRight(Math.Max(NumberColumns, head.Length + 1)) + Describe(log, checkpoint));
            HeapLog[] here = [.. forks.Where(fork => fork.Heap.OriginCheckpoint == checkpoint.Number)];
            for (int index = 0; index < here.Length; index++)
            {
                WriteFork(here[index], indent + (isLast ? Blank : Line), isLast: index == here.Length - 1);
            }
        }
    }

    private void WriteFork(HeapLog fork, string indent, bool isLast)
    {
        output.WriteLine(indent + (isLast ? LastBranch : Branch) + Title(fork));
        WriteBelow(fork, indent + (isLast ? Blank : Line));
    }

    private string Title(HeapLog log)
    {
        string origin = log.Heap.OriginCheckpoint == 0
            ? ""
            : string.Create(CultureInfo.InvariantCulture, $", forked from {log.Heap.OriginName ?? "a heap that is not here"}@{log.Heap.OriginCheckpoint}");
        return $"{log.Heap.Name}  created {Local(log.Heap.Created):yyyy-MM-dd HH:mm:ss}{origin}, {RetentionOptions.Describe(log.Heap.Retention)}";
    }

    private string Describe(HeapLog log, CheckpointInfo checkpoint)
    {
        string name = checkpoint.Name is { } given ? $" \"{given}\"" : "";
        string line = string.Create(
            CultureInfo.InvariantCulture,
            $"{Local(checkpoint.Time):yyyy-MM-dd HH:mm:ss.fff} {checkpoint.Pages,9:N0} pages {ByteSize.Format(checkpoint.Bytes),10}  {log.KeptAs(checkpoint)}{name}");
        return line.TrimEnd();
    }

    private HeapLog? OriginOf(HeapLog log) =>
        log.Heap.OriginName is { } name ? logs.FirstOrDefault(other => other.Heap.Name == name) : null;

    private DateTimeOffset Local(DateTimeOffset time) => TimeZoneInfo.ConvertTime(time, zone);
}
