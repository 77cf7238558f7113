namespace Everheap.Engine.Tests.Model;

/// <content>History: what is retained, what is dropped, going back, and giving space back.</content>
internal sealed partial class StoreRun
{
    private const int RetainedMax = 24;

    private readonly HashSet<int> _unpruned = [];

    private void Retain()
    {
        (ModelHeap? heap, ModelCheckpoint? checkpoint) = AnyCheckpoint(onlyRetained: _random.Next(8) != 0);
        if (heap is null || checkpoint is null || _durable.Heaps.Values.Sum(other => other.Retained.Count()) > RetainedMax)
        {
            return;
        }

        string? name = _random.Next(3) == 0 ? null : $"name-{_random.Next(5)}";
        bool isTaken = name is not null && heap.Checkpoints.Exists(other => other.Number != checkpoint.Number && other.Name == name);
        Change(
            () => Store.Retain(heap.Name, checkpoint.Number, name),
            checkpoint.IsRetained && !isTaken ? state => state.Retain(heap.Id, checkpoint.Number, name) : null);
    }

    private void SetRetention()
    {
        (ModelHeap? heap, _) = AnyCheckpoint(onlyRetained: true);
        if (heap is null)
        {
            return;
        }

        RetentionPolicy policy = new()
        {
            KeepLast = _random.Next(1, 5),
            KeepFor = _random.Next(3) == 0 ? TimeSpan.FromMinutes(_random.Next(1, 40)) : TimeSpan.Zero,
        };
        Change(() => Store.SetRetention(heap.Name, policy), state => state.SetRetention(heap.Id, policy, this));
    }

    private void DropCheckpoint()
    {
        (ModelHeap? heap, ModelCheckpoint? checkpoint) = AnyCheckpoint(onlyRetained: _random.Next(8) != 0, heap => heap.Retained.Count() > 1 || _random.Next(8) == 0);
        if (heap is null || checkpoint is null)
        {
            return;
        }

        bool isPossible = checkpoint.IsRetained && checkpoint.Number != heap.Number && !IsPinned(heap.Id, checkpoint.Number);
        Change(
            () => Store.DropCheckpoint(heap.Name, checkpoint.Number),
            isPossible ? state => state.DropCheckpoint(heap.Id, checkpoint.Number) : null);
    }

    private void RevertOpenHeap(OpenHeap open)
    {
        FinishCheckpoint(open);
        Quiet();
        if (_durable.Find(open.Identity.Id) is not { } heap)
        {
            return; // It has no checkpoint yet.
        }

        List<ModelCheckpoint> retained = [.. heap.Retained];
        ModelCheckpoint target = retained[_random.Next(retained.Count)];
        DateTime now = _clock.GetUtcNow().UtcDateTime;
        Change(() => open.Heap.Revert(target.Number), state => state.Revert(heap.Id, target.Number, now, this));

        // What had changed, or had been sealed and found no room, is gone.
        open.Stalled = null;
        open.Work.GoBackTo(target.Content!);
    }

    private void RevertClosedHeap()
    {
        (ModelHeap? heap, ModelCheckpoint? checkpoint) = AnyCheckpoint(onlyRetained: _random.Next(8) != 0);
        if (heap is null || checkpoint is null)
        {
            return;
        }

        bool isOpen = _heaps.Exists(open => open.Identity.Id == heap.Id);
        DateTime now = _clock.GetUtcNow().UtcDateTime;
        if (!isOpen || _random.Next(4) == 0)
        {
            Change(
                () => Store.Revert(heap.Name, checkpoint.Number),
                checkpoint.IsRetained && !isOpen ? state => state.Revert(heap.Id, checkpoint.Number, now, this) : null);
        }
    }

    private void Reclaim()
    {
        int pages = _random.Next(3) == 0 ? HeapStore.ReclaimPagesDefault : _random.Next(1, 400);
        Maintain(() => Store.Reclaim(pages));
    }

    private void Compact() => Maintain(() => Store.Compact());
}
