using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Collections;

/// <summary>A heap under the smallest budget, on a medium that outlives it: it can be closed and opened again, with or without a checkpoint before.</summary>
internal sealed class ReopenableHeap : IDisposable
{
    private readonly SimulatedMedium _medium = new(1);
    private HeapStore _store;

    public ReopenableHeap()
    {
        _store = HeapStore.Create(_medium, SimulatedStores.Smallest);
        Heap = _store.CreateHeap(SimulatedStores.HeapName);
        Heap.Checkpoint();
    }

    public PersistentHeap Heap { get; private set; }

    /// <summary>Closes the heap and opens what its last checkpoint has.</summary>
    public void Reopen(bool readOnly = false)
    {
        Close();
        _medium.Reattach();
        _store = HeapStore.Open(_medium, new HeapStoreOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin, ReadOnly = readOnly });
        Heap = _store.OpenHeap(SimulatedStores.HeapName);
    }

    public void CheckpointAndReopen(bool readOnly = false)
    {
        Heap.Checkpoint();
        Reopen(readOnly);
    }

    public VerifyReport Verify() => _store.Verify();

    public void Dispose()
    {
        Close();
        _medium.Dispose();
    }

    private void Close()
    {
        Heap.Dispose();
        _store.Dispose();
    }
}
