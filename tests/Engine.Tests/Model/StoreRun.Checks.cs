namespace Everheap.Engine.Tests.Model;

/// <content>What has to hold whenever one looks.</content>
internal sealed partial class StoreRun
{
    /// <summary>Walks the store with the verifier: everything matches, and exactly what is reachable is allocated.</summary>
    public VerifyReport AssertSound(string when)
    {
        VerifyReport report = Store.Verify();
        if (!report.IsSound || report.AllocatedPages != report.ReachablePages)
        {
            throw new AssertionException(
                $"{when}: {report.ProblemCount} problems, {report.AllocatedPages} pages allocated and {report.ReachablePages} reachable; "
                + string.Join("; ", report.Problems.Take(5).Select(p => $"{p.Subject} of '{p.HeapName}' at {p.FileOffset}: {p.Message}")));
        }

        return report;
    }

    /// <summary>Compares what the store says of its heaps, and what all their checkpoints hold, with the model.</summary>
    /// <param name="when">For messages.</param>
    /// <param name="olderMax">How many checkpoints that are not the latest are looked at: some of those there are.</param>
    public void AssertEqualsModel(string when, int olderMax = int.MaxValue)
    {
        Quiet();
        string found = StoreModel.Describe(Store);
        if (found != _durable.Describe())
        {
            throw new AssertionException($"{when}: at root {_root} the store holds\n{found}\ninstead of\n{_durable.Describe()}");
        }

        List<(ModelHeap Heap, ModelCheckpoint Checkpoint)> latest = [.. _durable.Heaps.Values.Select(heap => (heap, heap.Checkpoints[^1]))];
        (ModelHeap Heap, ModelCheckpoint Checkpoint)[] older = [.. _durable.Heaps.Values.SelectMany(heap => heap.Retained.SkipLast(1).Select(checkpoint => (heap, checkpoint)))];
        if (older.Length > olderMax)
        {
            _random.Shuffle(older);
        }

        foreach ((ModelHeap heap, ModelCheckpoint checkpoint) in latest.Concat(older.Take(olderMax)))
        {
            OpenedSnapshot opened = Pin(heap, checkpoint);
            checkpoint.Content!.AssertEquals(opened.Snapshot, when);
            Unpin(opened);
        }
    }

    /// <summary>What is in memory of open heaps is what the model says.</summary>
    public void AssertOpenHeapsEqualModels(string when)
    {
        foreach (OpenHeap heap in _heaps)
        {
            _medium.Gate.Driven = heap;
            heap.Work.AssertHeapEqualsModel(when);
        }
    }
}
