using Everheap.Measuring.Reports;
using Everheap.Vm.Benchmarks.Peers;
using Everheap.Vm.Benchmarks.Programs;

namespace Everheap.Vm.Benchmarks.Reports;

/// <summary>All sections, in the order of docs/benchmarks.md.</summary>
internal static class Report
{
    private static readonly (string Name, Func<Options, IReadOnlyList<Peer>, ReportSection> Run)[] Sections =
    [
        ("programs", (options, peers) => ProgramReport.Run("programs", ProgramSet.Kernels(options.IsSmoke), options, [.. peers.Where(peer => peer.Name != AllPeers.Again)])),
        ("applications", (options, peers) => ProgramReport.Run("applications", ProgramSet.Applications(options.IsSmoke), options, [.. peers.Where(peer => peer.Name != AllPeers.Plain)])),
        (StartupReport.Name, StartupReport.Run),
        (InstanceReport.Name, InstanceReport.Run),
    ];

    public static IEnumerable<string> Names => Sections.Select(section => section.Name);

    /// <summary>Runs sections and prints them.</summary>
    /// <exception cref="InvalidOperationException">A program failed, or gave something else than expected.</exception>
    public static void Run(Options options, AllPeers peers, TextWriter output)
    {
        Directory.CreateDirectory(ProgramSet.WorkFolder);
        Progress.IsSilent = options.IsSmoke;
        IReadOnlyList<Peer> chosen = [.. peers.Present.Where(peer => options.Peers.Count == 0 || options.Peers.Contains(peer.Name))];
        foreach (Peer peer in peers.All)
        {
            output.WriteLine($"{peer.Title}: {peer.WhyMissing ?? peer.Description}");
        }

        foreach ((string name, Func<Options, IReadOnlyList<Peer>, ReportSection> run) in Sections.Where(section => options.Sections.Count == 0 || options.Sections.Contains(section.Name)))
        {
            ReportSection section = run(options, chosen);
            output.WriteLine($"\n# {name}\n");
            output.WriteLine(section.Markdown);
            output.Flush();
            options.Documents?.Enter(section);
        }
    }
}
