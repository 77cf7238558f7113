using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Engine.Benchmarks.Workloads;

namespace Everheap.Engine.Benchmarks.Peers;

/// <summary>Everheap as a key-value store: an array of fixed-size records in a heap, the key is the index.</summary>
internal sealed class EverheapPeer : IKeyValuePeer
{
    private readonly HeapStore _store;
    private readonly PersistentHeap _heap;
    private readonly ulong _address;

    private EverheapPeer(PeerSetup setup)
    {
        string path = setup.File("everheap.heap");
        HeapStoreOptions options = new() { ResidentBytes = setup.BudgetBytes };
        if (File.Exists(path))
        {
            _store = HeapStore.Open(path, options);
            _heap = _store.OpenHeap(HeapFixture.HeapName);
            _address = SparseHeap.FirstAddress;
        }
        else
        {
            _store = HeapStore.Create(path, options);
            _heap = _store.CreateHeap(HeapFixture.HeapName);
            _address = _heap.Allocate((ulong)(setup.RecordCount * Records.ValueBytes));
            if (_address != SparseHeap.FirstAddress)
            {
                throw new InvalidOperationException($"The first range of a heap was expected at {SparseHeap.FirstAddress}, not at {_address}.");
            }
        }
    }

    public static PeerKind Kind { get; } = new(
        "Everheap",
        "`ResidentBytes` = budget; records of 256 bytes in one allocated range",
        "`Checkpoint()`: flush, root, flush",
        setup => new EverheapPeer(setup));

    public HeapStatistics Statistics => _heap.Statistics;

    public bool TryRead(long key, Span<byte> value)
    {
        _heap.Read(_address + ((ulong)key * Records.ValueBytes), value);
        return true;
    }

    public void Write(long key, ReadOnlySpan<byte> value) => _heap.Write(_address + ((ulong)key * Records.ValueBytes), value);

    public void Commit() => _heap.Checkpoint();

    public void Dispose()
    {
        _heap.Dispose();
        _store.Dispose();
    }
}
