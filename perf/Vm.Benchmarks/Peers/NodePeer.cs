using System.Diagnostics;
using Everheap.Vm.Benchmarks.Children;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Benchmarks.Peers;

/// <summary>V8, with the system interface of node, where that is installed.</summary>
internal sealed class NodePeer : Peer
{
    private static readonly string Script = Path.Combine(AppContext.BaseDirectory, "Peers", "run-wasi.mjs");

    private readonly string? _version = Tool.TryRun("node", "-p", "`V8 ${process.versions.v8} in node ${process.versions.node}`");

    public NodePeer()
        : base("v8", "V8")
    {
    }

    public override string Description => _version ?? "";

    public override string? WhyMissing => _version is null ? "node is not installed" : null;

    // Without fast calls of the host: with them, node 20's WASI ends in a fault when optimised code calls proc_exit.
    public override ProcessStartInfo Start(GuestCase? program, ChildCommand command) =>
        new("node", ["--no-warnings", "--expose-gc", "--no-turbo-fast-api-calls", Script, .. command.ToArguments()]);
}
