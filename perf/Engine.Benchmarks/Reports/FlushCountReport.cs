using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Everheap.Engine.Benchmarks.Children;
using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Engine.Benchmarks.Measuring;
using Everheap.Engine.Benchmarks.Peers;
using Everheap.Engine.Benchmarks.Workloads;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>
/// How often each peer really flushes, as strace sees it. Each runs twice, with few commits and with more; the difference belongs to the commits alone.
/// </summary>
internal static class FlushCountReport
{
    public const string Name = "flush-counts";

    private const string Tracer = "strace";
    private const long BudgetBytes = 16L << 20;
    private const long RecordCount = 20_000;
    private const int FewCommits = 50;
    private const int MoreCommits = 150;

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

        MarkdownTable table = new("peer", "records a commit", "`fsync`", "`fdatasync`", "`msync`", "writes to files opened with `O_SYNC` or `O_DSYNC`", "durable commits?");
        foreach (PeerKind kind in AllPeers.Kinds)
        {
            foreach (int records in new[] { 1, 100 })
            {
                if (kind.WhyNotAvailable() is { } why)
                {
                    table.Add(kind.Name, $"{records}", "", "", "", "", $"not available: {why}");
                    continue;
                }

                FlushCounts few = Count(kind, FewCommits, records), more = Count(kind, MoreCommits, records);
                double Each(Func<FlushCounts, int> count) => (count(more) - count(few)) / (double)(MoreCommits - FewCommits);
                double flushes = Each(counts => counts.Fsync + counts.Fdatasync + counts.Msync + counts.SynchronousWrites);
                table.Add(
                    kind.Name,
                    $"{records}",
                    Units.Ratio(Each(counts => counts.Fsync)),
                    Units.Ratio(Each(counts => counts.Fdatasync)),
                    Units.Ratio(Each(counts => counts.Msync)),
                    Units.Ratio(Each(counts => counts.SynchronousWrites)),
                    flushes >= 1 ? "yes" : "**no**");
            }
        }

        section.Add(table);
        return section;
    }

    private static FlushCounts Count(PeerKind kind, int commits, int records)
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
            Phase.Commits(commits, records).ToString(),
        ];
        _ = ChildProcess.Run(command, limit: null, wrapper).Figures;
        return FlushCounts.Parse(File.ReadLines(log), peerFolder);
    }
}
