using System.CommandLine;
using System.Globalization;
using Everheap.Engine;
using Spectre.Console;

namespace Everheap.Cli;

/// <summary><c>everheap log</c>: the checkpoints a heap file remembers, oldest first.</summary>
internal static class LogCommand
{
    /// <summary>Below this many columns a drawn table would break its lines, so plain text is printed.</summary>
    private const int TableColumnsMin = 60;

    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var file = new Argument<string>("FILE") { Description = "The heap file." };
        var command = new Command("log", "List the checkpoints: number, time, pages, bytes.") { file };
        command.SetAction(result => Show(result.GetRequiredValue(file)));
        return command;
    }

    private static int Show(string path)
    {
        HeapFile.RequireExisting(path);
        using HeapStore store = HeapStore.Open(path, new HeapStoreOptions { ReadOnly = true });
        HeapFile.ReportSkippedRoots(path, store);
        IReadOnlyList<CheckpointInfo> checkpoints = store.HeapNames is [string name, ..] ? store.History(name) : [];
        if (Console.IsOutputRedirected || Console.WindowWidth < TableColumnsMin)
        {
            WritePlain(checkpoints);
        }
        else
        {
            WriteTable(checkpoints);
        }

        return ExitCode.Success;
    }

    /// <summary>Columns for scripts: separated by spaces, right aligned, one header line, UTC times without spaces.</summary>
    private static void WritePlain(IReadOnlyList<CheckpointInfo> checkpoints)
    {
        using TextWriter output = PlainOutput.Open();
        output.WriteLine($"{"number",10} {"time",24} {"pages",10} {"bytes",14}");
        foreach (CheckpointInfo checkpoint in checkpoints)
        {
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{checkpoint.Number,10} {checkpoint.Time.UtcDateTime,24:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {checkpoint.Pages,10} {checkpoint.Bytes,14}"));
        }
    }

    private static void WriteTable(IReadOnlyList<CheckpointInfo> checkpoints)
    {
        var table = new Table { Border = TableBorder.Rounded };
        foreach (string heading in (string[])["number", "time", "pages", "bytes"])
        {
            table.AddColumn(new TableColumn(heading) { Alignment = Justify.Right, NoWrap = true });
        }

        CultureInfo culture = CultureInfo.InvariantCulture;
        foreach (CheckpointInfo checkpoint in checkpoints)
        {
            table.AddRow(
                checkpoint.Number.ToString(culture),
                checkpoint.Time.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss.fff", culture),
                checkpoint.Pages.ToString("N0", culture),
                ByteSize.Format(checkpoint.Bytes));
        }

        AnsiConsole.Write(table);
    }
}
