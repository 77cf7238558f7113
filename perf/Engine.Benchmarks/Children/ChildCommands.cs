using System.Globalization;
using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Engine.Benchmarks.Peers;
using Everheap.Engine.Benchmarks.Workloads;

namespace Everheap.Engine.Benchmarks.Children;

/// <summary>What this executable can be asked to do as a child of itself.</summary>
internal static class ChildCommands
{
    public static int Run(string[] command) => command switch
    {
        [SparseHeap.MakeAndDieCommand, var path, var bytes, var stride] => SparseHeap.MakeAndDie(path, Unsigned(bytes), Unsigned(stride)),
        [PeerRun.Command, var name, var folder, var records, var budget, .. var phases] =>
            PeerRun.Run(AllPeers.Find(name), new PeerSetup(folder, Number(records), Number(budget)), phases, Console.Out),
        [PeerRun.TalkCommand, var name, var folder, var records, var budget] =>
            PeerRun.Talk(AllPeers.Find(name), new PeerSetup(folder, Number(records), Number(budget)), Console.In, Console.Out),
        _ => throw new ArgumentException($"No such child: {string.Join(' ', command)}", nameof(command)),
    };

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static ulong Unsigned(string text) => ulong.Parse(text, CultureInfo.InvariantCulture);
}
