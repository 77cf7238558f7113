using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Everheap.Cli.Torture;

/// <summary>What was done, and what came of it: Markdown that reads as plain text, too.</summary>
/// <param name="context">The run.</param>
/// <param name="folder">Where it was.</param>
internal sealed class TortureReport(TortureContext context, TortureFolder folder)
{
    private readonly Tally _tally = context.Tally;

    // Read once: what is printed and what is written to the file say the same.
    private readonly TimeSpan _elapsed = context.Elapsed;

    /// <summary>Writes the report.</summary>
    /// <param name="output">Where to.</param>
    public void Write(TextWriter output)
    {
        IReadOnlyList<FailureRecord> failures = _tally.Failures;
        string outcome = failures.Count == 0 ? "all held" : $"{failures.Count} {(failures.Count == 1 ? "failure" : "failures")}";
        output.WriteLine($"# everheap torture: {outcome}");
        Table(output, null, Circumstances());
        Table(output, "Kills", Kills());
        Table(output, "Checks", Checks());
        Table(output, "Full disk", FullDisk());
        Table(output, "Damaged files", [.. _tally.Images.Select(pair => (pair.Key, Number(pair.Value)))]);
        Table(output, "Several openers", Openers());
        Table(output, "Programs", Programs());
        WriteFailures(output, failures);
    }

    private static string Number(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    private static string Milliseconds(double time) => time.ToString("0.0", CultureInfo.InvariantCulture) + " ms";

    private static void Table(TextWriter output, string? title, List<(string Label, string Value)> rows)
    {
        if (rows.Count == 0)
        {
            return;
        }

        output.WriteLine();
        if (title is not null)
        {
            output.WriteLine($"## {title}");
            output.WriteLine();
        }

        int labelWidth = rows.Max(row => row.Label.Length);
        int valueWidth = rows.Max(row => row.Value.Length);
        output.WriteLine($"| {new string(' ', labelWidth)} | {new string(' ', valueWidth)} |");
        output.WriteLine($"|{new string('-', labelWidth + 2)}|{new string('-', valueWidth + 2)}|");
        foreach ((string label, string value) in rows)
        {
            output.WriteLine($"| {label.PadRight(labelWidth)} | {value.PadRight(valueWidth)} |");
        }
    }

    private List<(string, string)> Circumstances()
    {
        string version = typeof(TortureReport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
        return
        [
            ("folder", Path.GetFullPath(context.Options.Folder)),
            ("file system", $"{folder.FileSystem}, {ByteSize.Format(folder.FreeBytes)} free"),
            ("system", $"{RuntimeInformation.OSDescription}, {Environment.ProcessorCount} processors, .NET {Environment.Version}"),
            ("everheap", version),
            ("seed", context.Options.Seed.ToString(CultureInfo.InvariantCulture)),
            ("time", string.Create(CultureInfo.InvariantCulture, $"{_elapsed:hh\\:mm\\:ss}, {_tally[Tally.Count.Rounds]} rounds{(context.IsStopped ? ", stopped" : "")}")),
        ];
    }

    private List<(string, string)> Kills()
    {
        List<(string, string)> rows = [.. _tally.Kills.OrderByDescending(pair => pair.Value).Select(pair => (pair.Key, Number(pair.Value)))];
        long all = _tally.KillCount;
        rows.Add(("all", string.Create(CultureInfo.InvariantCulture, $"{all:N0}, {all / _elapsed.TotalMinutes:N0} a minute")));
        return rows;
    }

    private List<(string, string)> Checks()
    {
        IReadOnlyList<double> times = _tally.RecoveryMilliseconds;
        return
        [
            ("stores opened and compared with what was acknowledged", Number(times.Count)),
            ("time to open, median", times.Count == 0 ? "-" : Milliseconds(times[times.Count / 2])),
            ("time to open, longest", times.Count == 0 ? "-" : Milliseconds(times[^1])),
            ("operations acknowledged", Number(_tally[Tally.Count.Operations])),
            ("checkpoints acknowledged", Number(_tally[Tally.Count.Checkpoints])),
            ("transfers received, and gone on with after a kill", string.Create(CultureInfo.InvariantCulture, $"{_tally[Tally.Count.Transfers]:N0}, {_tally[Tally.Count.TransfersResumed]:N0}")),
            ("written by checkpoints and evictions", ByteSize.Format(_tally[Tally.Count.BytesWritten])),
            ("pages compared, byte by byte", Number(_tally[Tally.Count.PagesCompared])),
            ("walks over everything (verify), all sound", Number(_tally[Tally.Count.Walks])),
            ("pages seen by them", Number(_tally[Tally.Count.PagesWalked])),
            ("lives that ended without a kill", Number(_tally[Tally.Count.CleanEnds])),
        ];
    }

    private List<(string, string)> FullDisk() => Workers.FileSizeLimit.IsAvailable
        ?
        [
            ("refused for want of room", Number(_tally[Tally.Count.FullRefusals])),
            ("gone on in the same process once there was room", Number(_tally[Tally.Count.FullGoneOn])),
        ]
        : [("not tested: this system has no limit of file sizes", "")];

    private List<(string, string)> Openers() =>
    [
        ("kept out, and told by whom", Number(_tally[Tally.Count.OpenersRefused])),
        ("reading together", Number(_tally[Tally.Count.OpenersTogether])),
    ];

    private List<(string, string)> Programs() => Stages.GuestStage.IsAvailable
        ?
        [
            ("run to their end, output exact", Number(_tally[Tally.Count.GuestRuns])),
            ("kills on the way", Number(_tally[Tally.Count.GuestKills])),
            ("lines compared", Number(_tally[Tally.Count.GuestLines])),
        ]
        : [("not tested: there is no /bin/sh here", "")];

    private void WriteFailures(TextWriter output, IReadOnlyList<FailureRecord> failures)
    {
        if (failures.Count == 0)
        {
            return;
        }

        output.WriteLine();
        output.WriteLine("## Failures");
        foreach (FailureRecord failure in failures)
        {
            output.WriteLine();
            output.WriteLine($"In {failure.Stage}:");
            output.WriteLine();
            foreach (string line in failure.Message.TrimEnd().Split('\n'))
            {
                output.WriteLine("    " + line);
            }

            output.WriteLine();
            output.WriteLine(failure.KeptPath is { } kept ? $"The file is kept: {kept}" : "The file is not kept.");
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"To do the round again: everheap torture {context.Options.Folder} --seed {failure.Seed} --rounds 1 --size {context.Options.SizeBytes}"));
        }
    }
}
