using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Faults;

/// <summary>The session note: written in place in turn, so that a torn one leaves the one before it.</summary>
[TestFixture]
internal sealed class NoteTests
{
    [Test]
    public void A_new_store_has_no_note()
    {
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        Assert.That(Note(store), Is.Null);
    }

    [Test]
    public void A_note_is_read_back_at_once_and_after_the_process_died()
    {
        SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        for (int length = 0; length <= FileLayout.NoteLengthMax; length += 32)
        {
            byte[] note = [.. Enumerable.Range(1, length).Select(i => (byte)i)];
            store.WriteNote(note);
            Assert.That(Note(store), Is.EqualTo(note));
            using HeapStore after = HeapStore.Open(new SimulatedMedium(1, medium.Image(CrashFlavour.KeepAll, new Random(1))));
            Assert.That(Note(after), Is.EqualTo(note), $"{length} bytes");
        }
    }

    [Test]
    public void A_note_that_is_too_long_is_refused()
    {
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        Assert.That(() => store.WriteNote(new byte[FileLayout.NoteLengthMax + 1]), Throws.InstanceOf<ArgumentException>());
    }

    [Test]
    public void A_lost_or_torn_note_leaves_the_one_before_it()
    {
        SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        byte[] older = [1, 2, 3];
        byte[] newer = new byte[200];
        newer.AsSpan().Fill(9);
        store.WriteNote(older);
        heap.Checkpoint();
        store.WriteNote(newer);
        foreach (CrashFlavour flavour in Enum.GetValues<CrashFlavour>())
        {
            for (int seed = 0; seed < 20; seed++)
            {
                using HeapStore after = HeapStore.Open(new SimulatedMedium(1, medium.Image(flavour, new Random(seed))));
                Assert.That(Note(after), Is.EqualTo(older).Or.EqualTo(newer), $"{flavour}, {seed}");
            }
        }

        using HeapStore lost = HeapStore.Open(new SimulatedMedium(1, medium.Image(CrashFlavour.LoseAll, new Random(1))));
        Assert.That(Note(lost), Is.EqualTo(older));
    }

    [Test]
    public void A_damaged_note_is_not_served()
    {
        SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        store.WriteNote([1, 2, 3]);
        store.WriteNote([4, 5, 6]);
        Random random = new(1);
        for (int i = 0; i < 100; i++)
        {
            SparseImage damaged = medium.Current();
            for (int slot = 0; slot < FileLayout.NoteSlotCount; slot++)
            {
                long offset = (FileLayout.NotePage + slot) * (long)FileLayout.PageSize;
                damaged.Flip(offset + random.Next(288), random.Next(8));
            }

            using HeapStore after = HeapStore.Open(new SimulatedMedium(1, damaged));
            Assert.That(Note(after), Is.Null);
        }
    }

    [Test]
    public void A_note_outlives_checkpoints_and_is_not_part_of_them()
    {
        SimulatedMedium medium = new(1);
        using (HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest))
        {
            using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
            heap.Checkpoint();
            store.WriteNote([7]);
            heap.Write(SimulatedStores.Address, [1]);
            heap.Checkpoint();
            store.WriteNote([8]);
        }

        medium.Reattach();
        using HeapStore again = HeapStore.Open(medium, SimulatedStores.Smallest);
        Assert.That(Note(again), Is.EqualTo(new byte[] { 8 }));
        again.WriteNote([9]);
        Assert.That(Note(again), Is.EqualTo(new byte[] { 9 }));
    }

    [Test]
    public void Notes_may_be_written_by_any_thread_while_a_checkpoint_is_written()
    {
        SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        Task writer = Task.Run(() =>
        {
            for (int i = 0; i < 500; i++)
            {
                store.WriteNote(BitConverter.GetBytes(i));
            }
        });
        for (int version = 1; version <= 10; version++)
        {
            SimulatedStores.Fill(heap, SimulatedStores.Address, 50, version);
            heap.Checkpoint();
        }

        writer.GetAwaiter().GetResult();
        Assert.That(Note(store), Is.EqualTo(BitConverter.GetBytes(499)));
    }

    private static byte[]? Note(HeapStore store)
    {
        byte[] bytes = new byte[FileLayout.NoteLengthMax];
        return store.TryReadNote(bytes, out int length) ? bytes[..length] : null;
    }
}
