using System.Runtime.InteropServices;
using Everheap.Engine.Benchmarks.Workloads;
using ZoneTree;
using ZoneTree.Logger;
using ZoneTree.Options;
using ZoneTree.Serializers;

namespace Everheap.Engine.Benchmarks.Peers;

/// <summary>ZoneTree, a log-structured merge tree in C#.</summary>
internal sealed class ZoneTreePeer : IKeyValuePeer
{
    /// <summary>What an item of the mutable segment takes beside its value: key, node, operation number.</summary>
    private const int ItemOverheadBytes = 32;

    private readonly IZoneTree<long, RecordValue> _tree;
    private readonly IMaintainer _maintainer;

    private ZoneTreePeer(PeerSetup setup)
    {
        string folder = setup.File("zonetree");
        _tree = new ZoneTreeFactory<long, RecordValue>()
            .SetDataDirectory(folder)
            .SetWriteAheadLogDirectory(folder)
            .SetLogger(new ConsoleLogger(LogLevel.Error))
            .SetValueSerializer(new StructSerializer<RecordValue>())
            .SetMutableSegmentMaxItemCount((int)Math.Max(1024, setup.BudgetBytes / 4 / (Records.ValueBytes + ItemOverheadBytes)))
            .ConfigureWriteAheadLogOptions(options => options.WriteAheadLogMode = WriteAheadLogMode.Sync)
            .ConfigureDiskSegmentOptions(options => options.CompressionMethod = CompressionMethod.None)
            .DisableDeletion()
            .OpenOrCreate();
        _maintainer = _tree.CreateMaintainer();
        _maintainer.EnableJobForCleaningInactiveCaches = true;
    }

    public static PeerKind Kind { get; } = new(
        "ZoneTree 2.1.3",
        "no compression, mutable segment = a quarter of the budget, maintainer with its cache-cleaning job on, deletion off; block cache has no limit but time",
        "write-ahead log mode `Sync`, and `SyncWALAsync()` awaited",
        setup => new ZoneTreePeer(setup));

    public bool TryRead(long key, Span<byte> value)
    {
        bool isFound = _tree.TryGet(in key, out RecordValue found);
        MemoryMarshal.AsBytes(new ReadOnlySpan<RecordValue>(in found)).CopyTo(value);
        return isFound;
    }

    public void Write(long key, ReadOnlySpan<byte> value)
    {
        RecordValue copy = MemoryMarshal.Read<RecordValue>(value);
        _tree.Upsert(in key, in copy);
    }

    public void Commit() => _tree.SyncWALAsync().GetAwaiter().GetResult();

    public void Dispose()
    {
        _maintainer.WaitForBackgroundThreads();
        _maintainer.Dispose();
        _tree.Dispose();
    }
}
