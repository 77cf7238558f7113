namespace Everheap.Engine.Tests.Model;

/// <content>Snapshots, open over what comes later, and the differences between them.</content>
internal sealed partial class StoreRun
{
    private const int SnapshotsMax = 4;

    private readonly List<OpenedSnapshot> _snapshots = [];

    private void OpenSnapshot()
    {
        if (_snapshots.Count >= SnapshotsMax)
        {
            return;
        }

        (ModelHeap? heap, ModelCheckpoint? checkpoint) = AnyCheckpoint(onlyRetained: true);
        if (heap is not null && checkpoint is not null)
        {
            Pin(heap, checkpoint);
        }
    }

    private void ReadSnapshot()
    {
        if (_snapshots.Count == 0)
        {
            return;
        }

        OpenedSnapshot opened = _snapshots[_random.Next(_snapshots.Count)];
        if (_random.Next(4) == 0)
        {
            opened.Content.AssertEquals(opened.Snapshot, "in the middle of the run");
            return;
        }

        byte[] found = new byte[_random.Next(1, 3 * PageSize)];
        byte[] expected = new byte[found.Length];
        ulong[] pages = [.. opened.Content.PageNumbers.Order(), 1UL << 30];
        ulong address = (pages[_random.Next(pages.Length)] * PageSize) + (ulong)_random.Next(PageSize);
        opened.Snapshot.Read(address, found);
        opened.Content.Read(address, expected);
        if (!found.AsSpan().SequenceEqual(expected))
        {
            throw new AssertionException($"Snapshot {opened.Number} of heap '{opened.Snapshot.HeapName}' differs from its model at {address}.");
        }
    }

    private void CloseSnapshot()
    {
        if (_snapshots.Count > 0)
        {
            Quiet();
            Unpin(_snapshots[_random.Next(_snapshots.Count)]);
        }
    }

    private void CompareSnapshots()
    {
        if (_snapshots.Count < 2)
        {
            return;
        }

        OpenedSnapshot before = _snapshots[_random.Next(_snapshots.Count)];
        OpenedSnapshot after = _snapshots[_random.Next(_snapshots.Count)];
        List<PageDifference> found = [.. Store.Difference(before.Snapshot, after.Snapshot).Where(difference => difference.PageNumber < HeapModel.PagesEnd)];
        List<PageDifference> expected = [.. HeapModel.Difference(before.Content, after.Content)];
        if (!found.SequenceEqual(expected))
        {
            throw new AssertionException(
                $"The difference of {before.Snapshot.HeapName}/{before.Number} and {after.Snapshot.HeapName}/{after.Number} is {string.Join(", ", found)} instead of {string.Join(", ", expected)}.");
        }
    }

    private OpenedSnapshot Pin(ModelHeap heap, ModelCheckpoint checkpoint)
    {
        long? number = checkpoint.Number == heap.Number && _random.Next(2) == 0 ? null : checkpoint.Number;
        HeapSnapshot snapshot = Store.OpenSnapshot(heap.Name, number);
        OpenedSnapshot opened = new(snapshot, heap.Id, checkpoint.Number, checkpoint.Content!);
        lock (_lock)
        {
            _snapshots.Add(opened);
        }

        if (snapshot.CheckpointNumber != checkpoint.Number)
        {
            throw new AssertionException($"Of heap '{heap.Name}', checkpoint {snapshot.CheckpointNumber} was opened instead of {checkpoint.Number}.");
        }

        return opened;
    }

    private void Unpin(OpenedSnapshot opened)
    {
        opened.Snapshot.Dispose();
        lock (_lock)
        {
            _snapshots.Remove(opened);
            Unpinned(opened.HeapId, opened.Number);
        }
    }

    /// <summary>A snapshot was closed. Under the lock.</summary>
    private void Unpinned(int heapId, long number)
    {
        if (!IsPinned(heapId, number) && _durable.Find(heapId)!.Number != number)
        {
            _unpruned.Add(heapId); // The next root looks.
        }
    }

    private sealed record OpenedSnapshot(HeapSnapshot Snapshot, int HeapId, long Number, HeapModel Content);
}
