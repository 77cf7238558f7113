using System.Reflection;
using Everheap.Vm.Benchmarks.Children;

namespace Everheap.Vm.Benchmarks.Peers;

/// <summary>All peers, in the order in which they run and stand in the tables.</summary>
internal sealed class AllPeers : IDisposable
{
    /// <summary>The name of the peer that the others are compared with.</summary>
    public const string Yardstick = "wasmtime";

    /// <summary>The name of Everheap with everything at its default.</summary>
    public const string Everheap = "everheap";

    /// <summary>The name of Everheap with the compiled code that an earlier run has left.</summary>
    public const string Again = "again";

    /// <summary>The name of Everheap's compiler with plain memory.</summary>
    public const string Plain = "plain";

    private static readonly ManagedPeer[] Managed =
    [
        new(Everheap, "Everheap", "everything at its default: a heap file, a checkpoint every second", hasCache: true, isVariant: false, command => EverheapChild.Run(command, EverheapMode.Durable)),
        new(Again, "again", "the same, with the code that a run before has left in the cache on disk", hasCache: true, isVariant: false, command => EverheapChild.Run(command, EverheapMode.Durable), takesUpCache: true),
        new("paged", "by pages", "the same, with `MemoryAddressing.Paged`", hasCache: false, isVariant: true, command => EverheapChild.Run(command, EverheapMode.Paged)),
        new(Plain, "plain memory", "the same compiler without file, checkpoints and marks of stores", hasCache: false, isVariant: true, command => EverheapChild.Run(command, EverheapMode.Plain)),
        new(Yardstick, "Wasmtime", $"the NuGet package {WasmtimeVersion()}, its optimising compiler", hasCache: true, isVariant: false, WasmtimeChild.Run),
    ];

    private readonly NativePeer _native = new();

    public AllPeers() => All = [.. Managed, new NodePeer(), _native];

    public IReadOnlyList<Peer> All { get; }

    /// <summary>Those that can be had here.</summary>
    public IReadOnlyList<Peer> Present => [.. All.Where(peer => peer.WhyMissing is null)];

    /// <summary>What a child of this executable runs; null if there is no such peer.</summary>
    public static ManagedPeer? FindManaged(string name) => Array.Find(Managed, peer => peer.Name == name);

    public void Dispose() => _native.Dispose();

    private static string WasmtimeVersion() =>
        typeof(Wasmtime.Engine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";
}
