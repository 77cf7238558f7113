using System.Buffers.Binary;
using RocksDbSharp;

namespace Everheap.Engine.Benchmarks.Peers;

/// <summary>RocksDB, with a batch a commit.</summary>
internal sealed class RocksDbPeer : IKeyValuePeer
{
    /// <summary>Two write buffers, of which one may be on its way out.</summary>
    private const int WriteBufferCount = 2;

    private const int BlockBytes = 4096;
    private const int BloomBitsPerKey = 10;
    private const int BackgroundJobs = 2;

    private readonly RocksDb _database;
    private readonly WriteOptions _durable = new WriteOptions().SetSync(true);
    private readonly ReadOptions _reading = new();
    private readonly WriteBatch _batch = new();

    private RocksDbPeer(PeerSetup setup)
    {
        BlockBasedTableOptions table = new BlockBasedTableOptions()
            .SetBlockSize(BlockBytes)
            .SetBlockCache(Cache.CreateLru((ulong)setup.BudgetBytes / 2))
            .SetCacheIndexAndFilterBlocks(true)
            .SetPinL0FilterAndIndexBlocksInCache(true)
            .SetFilterPolicy(BloomFilterPolicy.Create(BloomBitsPerKey, false));
        DbOptions options = new DbOptions()
            .SetCreateIfMissing(true)
            .SetCompression(Compression.No)
            .SetBlockBasedTableFactory(table)
            .SetWriteBufferSize((ulong)(setup.BudgetBytes / 2 / WriteBufferCount))
            .SetMaxWriteBufferNumber(WriteBufferCount)
            .SetLevelCompactionDynamicLevelBytes(true)
            .IncreaseParallelism(BackgroundJobs);
        _database = RocksDb.Open(options, setup.File("rocksdb"));
    }

    public static PeerKind Kind { get; } = new(
        "RocksDB 11.12",
        "no compression (values are incompressible), LRU block cache = half the budget with index and filter blocks in it, 2 write buffers of a quarter each, 4 KiB blocks, Bloom filter of 10 bits, dynamic level sizes, 2 background jobs",
        "one `WriteBatch` with `sync = true`",
        setup => new RocksDbPeer(setup));

    public bool TryRead(long key, Span<byte> value)
    {
        Span<byte> keyBytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(keyBytes, key);
        return _database.GetFixedSizeValue(keyBytes, value, cf: null, _reading);
    }

    public void Write(long key, ReadOnlySpan<byte> value)
    {
        Span<byte> keyBytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(keyBytes, key);
        _batch.Put(keyBytes, value);
    }

    public void Commit()
    {
        _database.Write(_batch, _durable);
        _batch.Clear();
    }

    public void Dispose()
    {
        _batch.Dispose();
        _database.Dispose();
    }
}
