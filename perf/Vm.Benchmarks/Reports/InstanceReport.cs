using System.Globalization;
using Everheap.Measuring;
using Everheap.Measuring.Reports;
using Everheap.Vm.Benchmarks.Children;
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

    private static readonly (string Title, InstanceKind Kind)[] Kinds =
        [("a file each", InstanceKind.Files), ("forks", InstanceKind.Forks), ("machines", InstanceKind.Machines)];

    /// <summary>A program that greets, and reads its input.</summary>
    public static string ModulePath { get; } = Path.Combine(GuestCatalog.RepositoryRoot, "samples", "hello.wasm");

    /// <summary>Makes the instances on each peer.</summary>
    /// <exception cref="InvalidOperationException">They could not be made.</exception>
    public static ReportSection Run(Options options, IReadOnlyList<Peer> peers)
    {
        int[] counts = options.IsSmoke ? SmokeCounts : Counts;
        IReadOnlyList<(string Title, Peer Peer, InstanceKind Kind)> measured =
        [
            .. peers.Where(peer => peer.HoldsModules).SelectMany(peer => peer.Name == AllPeers.Everheap
                ? Kinds.Select(kind => ($"{peer.Title}, {kind.Title}", peer, kind.Kind))
                : [(peer.Title, peer, default)]),
        ];
        var table = new MarkdownTable(["instances", .. measured.Select(column => column.Title)]);
        var kibibytes = measured.ToDictionary(column => column, _ => new List<long>());
        foreach (int count in counts)
        {
            foreach ((string Title, Peer Peer, InstanceKind Kind) column in measured)
            {
                Progress.Tell(string.Create(CultureInfo.InvariantCulture, $"{Name}: {count} under {column.Title}"));
                kibibytes[column].Add(ProgramRun.MakeInstances(column.Peer, column.Kind, ModulePath, count));
            }

            table.Add([count.ToString("N0", CultureInfo.InvariantCulture), .. measured.Select(column => Units.Bytes(kibibytes[column][^1] * 1024.0))]);
        }

        // From the middle on: the first ones pay for what all share.
        int more = counts[^1] - counts[^2];
        table.Add(["each one more", .. measured.Select(column => Units.Bytes((kibibytes[column][^1] - kibibytes[column][^2]) * 1024.0 / more))]);
        var section = new ReportSection(Name);
        section.Add($"Resident memory of a process with so many idle instances of {Path.GetFileName(ModulePath)} ({Units.Bytes(new FileInfo(ModulePath).Length)}). Everheap's programs have run to their first safepoint, are captured, and are in a checkpoint, in a file each or as forks in one; machines of a host app, and the peers' instances, are instantiated:");
        section.Add(table);
        return section;
    }
}
