namespace Everheap.Engine.Tests.Model;

/// <content>Runs that meet a crash, or a failure of the medium.</content>
internal sealed partial class StoreRun
{
    private bool IsBroken => _medium.HasCrashed || _medium.Struck.Count > 0;

    /// <summary>Creates the store and works on it, until the end or the crash.</summary>
    public void CreateAndRunUntilBroken(int operations)
    {
        UntilBroken(() =>
        {
            Create();
            Run(operations);
        });
    }

    /// <summary>Opens what is on the medium, checks it, and works on it, until the end or the crash.</summary>
    public void OpenAndRunUntilBroken(IReadOnlyCollection<(ulong Root, StoreModel State)> acceptable, int operations, string when)
    {
        UntilBroken(() =>
        {
            Open(acceptable, when);
            Run(operations);
        });
    }

    /// <summary>
    /// After a failure: nothing can be changed any more, and what is committed, and what is in memory, can be read.
    /// </summary>
    public void AssertServesAfterFailure(string when)
    {
        Assert.That(() => Store.WriteNote([1]), Throws.InstanceOf<HeapFailedException>(), when);
        foreach (ModelHeap heap in _durable.Heaps.Values)
        {
            using HeapSnapshot snapshot = Store.OpenSnapshot(heap.Name);
            heap.Content.AssertEquals(snapshot, when);
            Assert.That(() => Store.DropHeap(heap.Name), Throws.InstanceOf<HeapFailedException>(), when);
        }

        foreach (OpenedSnapshot opened in _snapshots)
        {
            opened.Content.AssertEquals(opened.Snapshot, when);
        }

        foreach (OpenHeap heap in _heaps)
        {
            Assert.That(heap.Heap.Checkpoint, Throws.InstanceOf<HeapFailedException>(), when);
            try
            {
                heap.Work.AssertHeapEqualsModel(when);
            }
            catch (HeapFailedException)
            {
                // All frames are full of what cannot be written any more.
            }
        }
    }

    private void UntilBroken(Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (IsBroken && e is HeapException or IOException)
        {
        }

        Settle();
    }
}
