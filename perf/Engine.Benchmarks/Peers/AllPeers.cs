namespace Everheap.Engine.Benchmarks.Peers;

/// <summary>Everheap and all it is compared with, in the order of the tables.</summary>
internal static class AllPeers
{
    public static IReadOnlyList<PeerKind> Kinds { get; } =
    [
        EverheapPeer.Kind,
        LmdbPeer.Kind,
        RocksDbPeer.Kind,
        FasterPeer.Kind,
        ZoneTreePeer.Kind,
        SqlitePeer.Kind,
        LiteDbPeer.Kind,
    ];

    public static PeerKind Find(string name) => Kinds.Single(kind => kind.Name == name);
}
