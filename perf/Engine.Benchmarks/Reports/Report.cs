using Everheap.Engine.Benchmarks.Peers;
using Everheap.Measuring;
using Everheap.Measuring.Reports;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>All sections, in the order of docs/benchmarks.md.</summary>
internal static class Report
{
    /// <summary>The marker of the table of what was to be reached.</summary>
    private const string FindingsName = "targets";

    private static readonly (string Name, Func<ReportSection> Run)[] Sections =
    [
        (PageLevelReport.Name, PageLevelReport.Run),
        (CheckpointReport.Name, CheckpointReport.Run),
        (MutatorReport.Name, MutatorReport.Run),
        (RecoveryReport.Name, RecoveryReport.Run),
        (ForkReport.Name, ForkReport.Run),
        (FlushReport.Name, FlushReport.Run),
        (WorkingSetReport.Name, WorkingSetReport.Run),
        (PeerSettingsReport.Name, PeerSettingsReport.Run),
        (PeerReport.Name, PeerReport.Run),
    ];

    public static IEnumerable<string> Names => Sections.Select(section => section.Name);

    /// <summary>The lines that a document must have to take all sections.</summary>
    public static IEnumerable<string> Markers => Names.Append(FindingsName).Append(MachineReport.Name).SelectMany(name => new[] { $"<!-- {name}: begin -->", $"<!-- {name}: end -->" });

    /// <summary>Runs sections and prints them.</summary>
    /// <param name="only">Which; empty for all.</param>
    /// <param name="documents">Where results are to be entered as well; null for nowhere.</param>
    /// <param name="output">Where they are printed.</param>
    public static int Run(IReadOnlyCollection<string> only, DocumentFolder? documents, TextWriter output)
    {
        List<Finding> findings = [];
        MachineReport machine = new();
        foreach ((string name, Func<ReportSection> run) in Sections.Where(section => only.Count == 0 || only.Contains(section.Name)))
        {
            machine.NoteLoad();
            output.WriteLine($"# {name}\n");
            ReportSection section = run();
            output.WriteLine(section.Markdown);
            output.Flush();
            documents?.Enter(section);
            findings.AddRange(section.Findings);
        }

        ReportSection machineSection = machine.Describe();
        output.WriteLine(machineSection.Markdown);
        if (only.Count == 0)
        {
            documents?.Enter(machineSection);
        }

        if (findings.Count > 0)
        {
            ReportSection targets = new(FindingsName);
            targets.Add(Table(findings));
            output.WriteLine(targets.Markdown);
            if (only.Count == 0)
            {
                documents?.Enter(targets);
            }
        }

        return 0;
    }

    /// <summary>Counts the flushes of all peers.</summary>
    public static int CountFlushes(DocumentFolder? documents, TextWriter output)
    {
        ReportSection section = FlushCountReport.Run();
        output.WriteLine(section.Markdown);
        documents?.Enter(section);
        return 0;
    }

    /// <summary>Says which peers are there.</summary>
    public static int ListPeers(TextWriter output)
    {
        foreach (PeerKind kind in AllPeers.Kinds)
        {
            output.WriteLine(kind.WhyNotAvailable() is { } reason ? $"{kind.Name}: not available: {reason}" : kind.Name);
        }

        return 0;
    }

    private static MarkdownTable Table(List<Finding> findings)
    {
        MarkdownTable table = new("what", "to reach", "reached", "");
        foreach (Finding finding in findings)
        {
            table.Add(finding.What, finding.Target, finding.Reached, finding.IsMet ? "yes" : "**no**");
        }

        return table;
    }
}
