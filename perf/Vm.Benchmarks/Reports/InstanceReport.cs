using System.Globalization;
using Everheap.Measuring;
using Everheap.Measuring.Reports;
using Everheap.Vm.Benchmarks.Peers;
using Everheap.Vm.Benchmarks.Running;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Benchmarks.Reports;

/// <summary>How much memory idle instances of a small module take, all in one process.</summary>
internal static class InstanceReport
{
    public const string Name = "instances";

    private static readonly int[] Counts = [1, 100, 1000];
    private static readonly int[] SmokeCounts = [1, 5];

    /// <summary>A program that greets, and reads its input.</summary>
    public static string ModulePath { get; } = Path.Combine(GuestCatalog.RepositoryRoot, "samples", "hello.wasm");

    /// <summary>Makes the instances on each peer.</summary>
    /// <exception cref="InvalidOperationException">They could not be made.</exception>
    public static ReportSection Run(Options options, IReadOnlyList<Peer> peers)
    {
        int[] counts = options.IsSmoke ? SmokeCounts : Counts;
        IReadOnlyList<Peer> measured = [.. peers.Where(peer => peer.RunsModules && !peer.IsVariant)];
        var table = new MarkdownTable(["instances", .. measured.Select(peer => peer.Title)]);
        var kibibytes = measured.ToDictionary(peer => peer, _ => new List<long>());
        foreach (int count in counts)
        {
            foreach (Peer peer in measured)
            {
                Progress.Tell(string.Create(CultureInfo.InvariantCulture, $"{Name}: {count} under {peer.Title}"));
                kibibytes[peer].Add(ProgramRun.MakeInstances(peer, ModulePath, count));
            }

            table.Add([count.ToString("N0", CultureInfo.InvariantCulture), .. measured.Select(peer => Units.Bytes(kibibytes[peer][^1] * 1024.0))]);
        }

        int more = counts[^1] - counts[0];
        table.Add(["each one more", .. measured.Select(peer => Units.Bytes((kibibytes[peer][^1] - kibibytes[peer][0]) * 1024.0 / more))]);
        var section = new ReportSection(Name);
        section.Add($"Resident memory of a process with so many idle instances of {Path.GetFileName(ModulePath)} ({Units.Bytes(new FileInfo(ModulePath).Length)}). Everheap's have run to their first safepoint, are captured, and are in a checkpoint; the others are instantiated:");
        section.Add(table);
        return section;
    }
}
