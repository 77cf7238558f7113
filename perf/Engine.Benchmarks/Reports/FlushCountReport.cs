using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Everheap.Engine.Benchmarks.Children;
using Everheap.Engine.Benchmarks.Peers;
using Everheap.Engine.Benchmarks.Workloads;
using Everheap.Measuring;
using Everheap.Measuring.Reports;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>
/// How often each peer really flushes for a commit, and whether it has done so when the commit returns, as strace sees it.
/// </summary>
internal static class FlushCountReport
{
    public const string Name = "flush-counts";

    private const string Tracer = "strace";
    private const long BudgetBytes = 16L << 20;
    private const long RecordCount = 20_000;
    private const int Commits = 101;

    /// <summary>Why it cannot be done here; null if it can.</summary>
    public static string? WhyNotAvailable()
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(Tracer, ["-V"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0 ? null : $"{Tracer} does not run";
        }
        catch (Win32Exception)
        {
            return $"{Tracer} is not installed";
        }
    }

    public static ReportSection Run()
    {
        ReportSection section = new(Name);
        if (WhyNotAvailable() is { } reason)
        {
            section.Add($"Not counted: {reason}.");
            return section;
        }

        MarkdownTable table = new("peer", "records a commit", "`fsync`", "`fdatasync`", "`msync`", "writes to files opened with `O_SYNC` or `O_DSYNC`", "flushed before they returned");
        foreach (PeerKind kind in AllPeers.Kinds)
        {
            foreach (int records in new[] { 1, 100 })
            {
                if (kind.WhyNotAvailable() is { } why)
                {
                    table.Add(kind.Name, $"{records}", "", "", "", "", $"not available: {why}");
                    continue;
                }

                FlushCounts counts = Count(kind, records);
                table.Add(
                    kind.Name,
                    $"{records}",
                    Units.Ratio(counts.FsyncEach),
                    Units.Ratio(counts.FdatasyncEach),
                    Units.Ratio(counts.MsyncEach),
                    Units.Ratio(counts.SynchronousWritesEach),
                    $"{counts.DurableCommits} of {counts.Commits}");
            }
        }

        section.Add(table);
        return section;
    }

    private static FlushCounts Count(PeerKind kind, int records)
    {
        using WorkFolder folder = new();
        string log = folder.File("trace");
        string peerFolder = Directory.CreateDirectory(folder.File("files")).FullName;
        string[] wrapper = [Tracer, "-f", "-y", "-qq", "-e", $"trace={FlushCounts.TracedCalls}", "-o", log];
        string[] command =
        [
            PeerRun.Command,
            kind.Name,
            peerFolder,
            RecordCount.ToString(CultureInfo.InvariantCulture),
            BudgetBytes.ToString(CultureInfo.InvariantCulture),
            Phase.Load(5_000).ToString(),
            Phase.MarkedCommits(Commits, records).ToString(),
        ];
        _ = ChildProcess.Run(command, limit: null, wrapper).Figures;
        return FlushCounts.Parse(File.ReadLines(log), PeerRun.MarkerName);
    }
}
