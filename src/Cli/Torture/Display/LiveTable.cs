using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Everheap.Cli.Torture.Display;

/// <summary>A table on the terminal that is drawn anew while the run goes on, and is gone at the end. Fits into a narrow terminal.</summary>
internal sealed class LiveTable : IDisposable
{
    private const int FailureLengthMax = 200;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    private readonly TortureContext _context;
    private readonly IAnsiConsole _console;
    private readonly CancellationTokenSource _end = new();
    private readonly Thread _thread;

    /// <summary>Begins.</summary>
    /// <param name="context">The run.</param>
    /// <param name="console">The terminal.</param>
    public LiveTable(TortureContext context, IAnsiConsole console)
    {
        _context = context;
        _console = console;
        _thread = new Thread(Show) { IsBackground = true, Name = "Display" };
        _thread.Start();
    }

    /// <summary>What is shown of a run now.</summary>
    /// <param name="context">The run.</param>
    public static IRenderable Draw(TortureContext context)
    {
        Tally tally = context.Tally;
        CultureInfo culture = CultureInfo.InvariantCulture;
        var table = new Table { Border = TableBorder.Rounded, ShowHeaders = false };
        table.AddColumn("").AddColumn(new TableColumn("") { Alignment = Justify.Right });
        Row(table, "elapsed", context.Options.Time is { } time ? $"{context.Elapsed:hh\\:mm\\:ss} of {time:hh\\:mm\\:ss}" : $"{context.Elapsed:hh\\:mm\\:ss}");
        Row(table, "rounds", tally[Tally.Count.Rounds].ToString("N0", culture));
        Row(table, "kills", tally.KillCount.ToString("N0", culture));
        Row(table, "checkpoints", tally[Tally.Count.Checkpoints].ToString("N0", culture));
        Row(table, "written", ByteSize.Format(tally[Tally.Count.BytesWritten]));
        Row(table, "pages compared", tally[Tally.Count.PagesCompared].ToString("N0", culture));
        Row(table, "damaged files", tally.Images.Values.Sum().ToString("N0", culture));
        Row(table, "programs", tally[Tally.Count.GuestRuns].ToString("N0", culture));
        IReadOnlyList<FailureRecord> failures = tally.Failures;
        table.AddRow(new Text("failures"), new Text(failures.Count.ToString(culture), failures.Count == 0 ? Color.Green : Color.Red));
        return failures is [.., { } last]
            ? new Rows(table, new Text($"{last.Stage}: {Shortened(last.Message)}", Color.Red))
            : table;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _end.Cancel();
        _thread.Join();
        _end.Dispose();
    }

    private static void Row(Table table, string label, string value) => table.AddRow(new Text(label), new Text(value));

    private static string Shortened(string text) => text.Length <= FailureLengthMax ? text : text[..FailureLengthMax] + "...";

    private void Show() => _console.Live(Draw(_context)).AutoClear(true).Start(live =>
    {
        do
        {
            live.UpdateTarget(Draw(_context));
            live.Refresh();
        }
        while (!_end.Token.WaitHandle.WaitOne(Interval));
    });
}
