using Everheap.Engine;
using Everheap.Engine.Storage;

namespace Everheap.Media.Tests.Histories;

/// <summary>A store is written until its medium is full; what was committed is still there; there is room again, and it goes on.</summary>
internal sealed class FullMediumScenario(string path, int seed)
{
    /// <summary>More than any medium has that is filled here.</summary>
    private const int CheckpointsMax = 2000;

    private const int CheckpointsAfterwards = 3;

    private readonly RandomHistory _history = new(seed, pages: 1 << 14, pagesEach: 300);
    private long _committed;

    /// <summary>Checkpoints that were made before the medium was full.</summary>
    public long CommittedBeforeFull { get; private set; }

    /// <summary>What was thrown when it was.</summary>
    public Exception? Full { get; private set; }

    public void Run(Action makeRoom)
    {
        using (HeapStore store = HeapStore.Create(path, RandomHistory.Options))
        {
            using PersistentHeap heap = store.CreateHeap(RandomHistory.HeapName);
            WriteUntilFull(heap);
            CommittedBeforeFull = _committed;
            Assert.That(store.LatestCheckpointNumber, Is.EqualTo(_committed));
            Assert.That(store.Verify().IsSound, "while the medium is full");
        }

        AssertHolds("reopened while the medium is full");
        makeRoom();
        using (HeapStore store = HeapStore.Open(path, RandomHistory.Options))
        {
            using PersistentHeap heap = store.OpenHeap(RandomHistory.HeapName);
            GoOn(heap);
        }

        AssertHolds("after it went on");
    }

    private void WriteUntilFull(PersistentHeap heap)
    {
        try
        {
            while (_committed < CheckpointsMax)
            {
                WriteNext(heap);
            }
        }
        catch (HeapFailedException failure)
        {
            Full = failure;
            Assert.That(failure.InnerException, Is.InstanceOf<MediumFullException>(), failure.ToString());
            return;
        }

        Assert.Fail($"the medium was not full after {CheckpointsMax} checkpoints");
    }

    private void GoOn(PersistentHeap heap)
    {
        for (int i = 0; i < CheckpointsAfterwards; i++)
        {
            WriteNext(heap);
        }
    }

    private void WriteNext(PersistentHeap heap)
    {
        _history.Write(heap, _committed + 1);
        Assert.That(heap.Checkpoint().Number, Is.EqualTo(_committed + 1));
        _committed++;
    }

    private void AssertHolds(string when)
    {
        using HeapStore store = HeapStore.Open(path, RandomHistory.Options);
        using PersistentHeap heap = store.OpenHeap(RandomHistory.HeapName);
        Assert.That(store.LatestCheckpointNumber, Is.EqualTo(_committed), when);
        _history.AssertIs(heap, _committed);
        VerifyReport report = store.Verify();
        Assert.That(report.IsSound, $"{when}: {string.Join('\n', report.Problems)}");
    }
}
