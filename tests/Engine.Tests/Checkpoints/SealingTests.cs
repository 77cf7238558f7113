using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Checkpoints;

/// <summary>What is called before a heap is sealed: it may write, and it may refuse.</summary>
[TestFixture]
internal sealed class SealingTests
{
    private const ulong Address = 8 * PersistentHeap.PageSize;

    [Test]
    public void What_is_written_before_the_seal_is_part_of_the_checkpoint()
    {
        SimulatedMedium medium = new(1);
        using (HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest))
        using (PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName))
        {
            heap.Sealing += sealing => sealing.Write(Address, [42]);
            heap.Checkpoint();
        }

        medium.Reattach();
        using HeapStore again = HeapStore.Open(medium, SimulatedStores.Smallest);
        using PersistentHeap opened = again.OpenHeap(SimulatedStores.HeapName);
        byte[] found = new byte[1];
        opened.Read(Address, found);
        Assert.That(found[0], Is.EqualTo(42));
    }

    [Test]
    public void What_is_thrown_before_the_seal_keeps_the_checkpoint_from_being_made_and_nothing_else()
    {
        SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        bool refuses = true;
        heap.Sealing += _ =>
        {
            if (refuses)
            {
                throw new InvalidOperationException("an invariant does not hold");
            }
        };
        heap.Write(Address, [1]);

        Assert.That(() => heap.BeginCheckpoint(), Throws.InvalidOperationException);
        Assert.That(heap.LatestCheckpointNumber, Is.Zero);

        refuses = false;
        Assert.That(heap.Checkpoint().Number, Is.EqualTo(1));
    }
}
