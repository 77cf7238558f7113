using Everheap.Engine;
using Everheap.Engine.Storage;

namespace Everheap.Media.Tests.Histories;

/// <summary>A store is written until its medium is full; what was committed is still there; there is room again, and it goes on.</summary>
/// <param name="path">Where the store is created.</param>
/// <param name="seed">The history's seed.</param>
/// <param name="goesOn">Whether the same process goes on, or the store is opened again, as must be when writing it has failed.</param>
internal sealed class FullMediumScenario(string path, int seed, bool goesOn)
{
    /// <summary>More than any medium has room for that is filled here.</summary>
    private const int StepsMax = 2000;

    private const int StepsAfterwards = 3;

    private readonly RandomHistory _history = new(seed, pages: 1 << 14, pagesEach: 300);

    /// <summary>Steps of the history that are committed.</summary>
    private long _committed;

    private long _checkpoint;

    /// <summary>What was thrown when the medium was full.</summary>
    public HeapException? Full { get; private set; }

    /// <summary>Steps of the history that were committed before.</summary>
    public long CommittedBefore { get; private set; }

    public void Run(Action makeRoom)
    {
        using (HeapStore store = HeapStore.Create(path, RandomHistory.Options))
        {
            using PersistentHeap heap = store.CreateHeap(RandomHistory.HeapName);
            Full = WriteUntilFull(heap);
            CommittedBefore = _committed;
            Assert.That(store.GetHeap(RandomHistory.HeapName).LatestCheckpoint, Is.EqualTo(_checkpoint));
            Assert.That(store.Verify().IsSound, "while the medium is full");
            if (goesOn && Full is HeapFullException)
            {
                makeRoom();
                GoOn(heap);
            }
        }

        AssertHolds("reopened");
        if (!goesOn || Full is not HeapFullException)
        {
            makeRoom();
            using HeapStore store = HeapStore.Open(path, RandomHistory.Options);
            using PersistentHeap heap = store.OpenHeap(RandomHistory.HeapName);
            GoOn(heap);
        }

        AssertHolds("after it went on");
    }

    private HeapException WriteUntilFull(PersistentHeap heap)
    {
        try
        {
            while (_committed < StepsMax)
            {
                WriteNext(heap);
            }
        }
        catch (HeapFullException full)
        {
            return full;
        }
        catch (HeapFailedException failure)
        {
            // Where no room can be reserved, the medium is found full in the middle of a write.
            Assert.That(failure.InnerException, Is.InstanceOf<MediumFullException>(), failure.ToString());
            return failure;
        }

        throw new AssertionException($"the medium was not full after {StepsMax} checkpoints");
    }

    private void GoOn(PersistentHeap heap)
    {
        for (int i = 0; i < StepsAfterwards; i++)
        {
            WriteNext(heap);
        }
    }

    private void WriteNext(PersistentHeap heap)
    {
        _history.Write(heap, _committed + 1);
        long checkpoint = heap.Checkpoint().Number;
        Assert.That(checkpoint, Is.GreaterThan(_checkpoint));
        _checkpoint = checkpoint;
        _committed++;
    }

    private void AssertHolds(string when)
    {
        using HeapStore store = HeapStore.Open(path, RandomHistory.Options);
        using PersistentHeap heap = store.OpenHeap(RandomHistory.HeapName);
        Assert.That(heap.LatestCheckpointNumber, Is.EqualTo(_checkpoint), when);
        _history.AssertIs(heap, _committed);
        VerifyReport report = store.Verify();
        Assert.That(report.IsSound, $"{when}: {string.Join('\n', report.Problems)}");
    }
}
