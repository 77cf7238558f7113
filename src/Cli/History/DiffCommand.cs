using System.CommandLine;
using System.Globalization;
using Everheap.Cli.Addressing;
using Everheap.Engine;

namespace Everheap.Cli.History;

/// <summary><c>everheap diff</c>: the pages in which two checkpoints differ, of one heap or of two.</summary>
internal static class DiffCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        const string Forms = "N, @N, a checkpoint's name, HEAP@N, or HEAP for its latest";
        Argument<string> file = StoreAddress.FileArgument();
        var before = new Argument<string>("A") { Description = $"One checkpoint: {Forms}." };
        var after = new Argument<string>("B") { Description = "The other." };
        Option<string?> heap = HeapChoice.Option("The heap of what does not name one");
        var summary = new Option<bool>("--summary") { Description = "Print the last line only: how many pages and bytes." };
        var command = new Command("diff", "List the pages in which two checkpoints differ; takes time by what differs.") { file, before, after, heap, summary };
        command.SetAction(result =>
        {
            using HeapStore store = HeapFile.OpenForReading(result.GetRequiredValue(file));
            string? heapName = result.GetValue(heap);
            using HeapSnapshot from = Open(store, result.GetRequiredValue(before), heapName);
            using HeapSnapshot to = Open(store, result.GetRequiredValue(after), heapName);
            Show(store, from, to, isSummary: result.GetValue(summary));
            return ExitCode.Success;
        });
        return command;
    }

    private static HeapSnapshot Open(HeapStore store, string text, string? heapName)
    {
        int at = text.LastIndexOf('@');
        if (at > 0)
        {
            string named = HeapChoice.Choose(store, text[..at]);
            return store.OpenSnapshot(named, at == text.Length - 1 ? null : CheckpointReference.Parse(text[(at + 1)..]).Resolve(store, named));
        }

        CheckpointReference reference = CheckpointReference.Parse(text);
        if (reference.Number is null && store.Heaps.Any(heap => heap.Name == text))
        {
            return store.OpenSnapshot(text);
        }

        string chosen = HeapChoice.Choose(store, heapName);
        return store.OpenSnapshot(chosen, reference.Resolve(store, chosen));
    }

    private static void Show(HeapStore store, HeapSnapshot before, HeapSnapshot after, bool isSummary)
    {
        using TextWriter output = PlainOutput.Open();
        if (!isSummary)
        {
            output.WriteLine($"{"kind",-8} {"page",12} {"pages",10}");
        }

        var counts = new long[3];
        Run? run = null;
        foreach (PageDifference page in store.Difference(before, after))
        {
            counts[(int)page.Kind]++;
            if (run is { } open && open.Kind == page.Kind && open.First + (ulong)open.Count == page.PageNumber)
            {
                run = open with { Count = open.Count + 1 };
                continue;
            }

            Write(run);
            run = new Run(page.Kind, page.PageNumber, 1);
        }

        Write(run);
        long pages = counts.Sum();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{before.HeapName}@{before.CheckpointNumber} to {after.HeapName}@{after.CheckpointNumber}: {pages} pages differ, {pages * PersistentHeap.PageSize} bytes: " +
            $"{counts[(int)PageDifferenceKind.Added]} added, {counts[(int)PageDifferenceKind.Changed]} changed, {counts[(int)PageDifferenceKind.Removed]} removed"));

        void Write(Run? run)
        {
            if (!isSummary && run is { } ended)
            {
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{ended.Kind.ToString().ToLowerInvariant(),-8} {ended.First,12} {ended.Count,10}"));
            }
        }
    }

    /// <summary>Pages in a row that differ in the same way.</summary>
    private readonly record struct Run(PageDifferenceKind Kind, ulong First, long Count);
}
