using Everheap.Engine.Benchmarks.Peers;
using Everheap.Measuring;
using Everheap.Measuring.Reports;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>Which settings each peer runs with.</summary>
internal static class PeerSettingsReport
{
    public const string Name = "peer-settings";

    public static ReportSection Run()
    {
        ReportSection section = new(Name);
        MarkdownTable table = new("peer", "settings", "a commit is");
        foreach (PeerKind kind in AllPeers.Kinds)
        {
            table.Add(kind.Name, kind.Settings, kind.Durability);
        }

        section.Add(table);
        return section;
    }
}
