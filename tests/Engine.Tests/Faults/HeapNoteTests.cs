using System.IO.Pipelines;
using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.Faults;

/// <summary>Notes of heaps: each heap's own, on the way that it goes, whatever becomes of the others.</summary>
[TestFixture]
internal sealed class HeapNoteTests
{
    private SimulatedMedium _medium = null!;
    private HeapStore _store = null!;

    private static HeapStoreOptions Options => new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin, BackgroundReclaim = false };

    [SetUp]
    public void CreateStore()
    {
        _medium = new SimulatedMedium(1);
        _store = HeapStore.Create(_medium, Options);
    }

    [TearDown]
    public void CloseStore()
    {
        _store.Dispose();
        _medium.Dispose();
    }

    [Test]
    public void Every_heap_reads_its_own_note_at_once_and_after_the_process_died()
    {
        PersistentHeap[] heaps = [.. Enumerable.Range(0, 5).Select(i => Created($"heap {i}"))];
        Assert.That(heaps.Select(Note), Is.All.Null);
        for (byte round = 1; round <= 3; round++)
        {
            for (byte i = 0; i < heaps.Length; i++)
            {
                heaps[i].WriteNote([round, i]);
            }

            using HeapStore after = AfterDeath();
            for (byte i = 0; i < heaps.Length; i++)
            {
                using PersistentHeap heap = after.OpenHeap($"heap {i}");
                Assert.That(Note(heap), Is.EqualTo(new[] { round, i }));
                Assert.That(Note(heaps[i]), Is.EqualTo(new[] { round, i }));
            }
        }
    }

    [Test]
    public void A_note_of_any_length_up_to_the_limit_is_read_back()
    {
        using PersistentHeap heap = Created("heap");
        for (int length = 0; length <= PersistentHeap.NoteLengthMax; length += 16)
        {
            byte[] note = [.. Enumerable.Range(1, length).Select(i => (byte)i)];
            heap.WriteNote(note);
            Assert.That(Note(heap), Is.EqualTo(note));
        }

        Assert.That(() => heap.WriteNote(new byte[PersistentHeap.NoteLengthMax + 1]), Throws.InstanceOf<ArgumentException>());
    }

    [Test]
    public void A_fork_starts_without_a_note_and_its_origin_keeps_its_own()
    {
        using PersistentHeap origin = Created("origin");
        origin.WriteNote([1]);
        _store.Fork("origin", 1, "fork");
        using PersistentHeap fork = _store.OpenHeap("fork");
        Assert.That(Note(fork), Is.Null);
        fork.WriteNote([2]);
        Assert.That(Note(origin), Is.EqualTo(new byte[] { 1 }));
        Assert.That(Note(fork), Is.EqualTo(new byte[] { 2 }));
        Assert.That(_store.GetHeap("fork").BranchCheckpoint, Is.EqualTo(1));
        Assert.That(_store.GetHeap("origin").BranchCheckpoint, Is.Zero);
    }

    [Test]
    public void A_revert_makes_the_note_void([Values] bool isOpen)
    {
        PersistentHeap heap = Created("heap");
        heap.WriteNote([1]);
        if (isOpen)
        {
            Assert.That(heap.Revert(1).Number, Is.EqualTo(2));
        }
        else
        {
            heap.Dispose();
            _store.Revert("heap", 1);
            heap = _store.OpenHeap("heap");
        }

        Assert.That(Note(heap), Is.Null);
        Assert.That(_store.GetHeap("heap").BranchCheckpoint, Is.EqualTo(2));
        heap.WriteNote([2]);
        using HeapStore after = AfterDeath();
        using PersistentHeap found = after.OpenHeap("heap");
        Assert.That(Note(found), Is.EqualTo(new byte[] { 2 }));
    }

    [Test]
    public async Task What_is_received_from_another_store_makes_the_note_void()
    {
        using var source = HeapStore.Create(new SimulatedMedium(2), Options);
        using PersistentHeap origin = source.CreateHeap("heap");
        origin.Checkpoint();
        source.Retain("heap", 1);
        await TransferAsync(null, 1);
        using (PersistentHeap heap = _store.OpenHeap("heap"))
        {
            Assert.That(Note(heap), Is.Null);
            heap.WriteNote([1]);
            Assert.That(Note(heap), Is.EqualTo(new byte[] { 1 }));
        }

        origin.Write(SimulatedStores.Address, [1]);
        origin.Checkpoint();
        await TransferAsync(1, 2);
        using PersistentHeap advanced = _store.OpenHeap("heap");
        Assert.That(advanced.LatestCheckpointNumber, Is.EqualTo(2));
        Assert.That(Note(advanced), Is.Null);
        Assert.That(_store.GetHeap("heap").BranchCheckpoint, Is.EqualTo(2));

        async Task TransferAsync(long? from, long to)
        {
            var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
            using HeapSnapshot? before = from is null ? null : source.OpenSnapshot("heap", from);
            using HeapSnapshot after = source.OpenSnapshot("heap", to);
            await HeapTransfer.SendAsync(before, after, pipe.Writer);
            await pipe.Writer.CompleteAsync();
            await HeapTransfer.ReceiveAsync(_store, pipe.Reader);
        }
    }

    [Test]
    public void A_heap_that_no_checkpoint_knew_leaves_no_note_to_the_next_of_its_id()
    {
        using (PersistentHeap lost = _store.CreateHeap("lost"))
        {
            lost.WriteNote([1]);
            Assert.That(Note(lost), Is.EqualTo(new byte[] { 1 }));
        }

        // The process dies, and the next one's first heap gets the same id.
        using HeapStore after = AfterDeath();
        using PersistentHeap heap = after.CreateHeap("found");
        heap.Checkpoint();
        Assert.That(Note(heap), Is.Null);
    }

    [Test]
    public void When_all_places_are_taken_a_new_heap_is_refused_until_another_is_dropped()
    {
        for (int i = 0; i < PersistentHeap.NoteCountMax; i++)
        {
            using PersistentHeap heap = Created($"heap {i}");
            heap.WriteNote([(byte)i]);
        }

        using PersistentHeap late = Created("late");
        Assert.That(() => late.WriteNote([99]), Throws.TypeOf<HeapException>().With.Message.Contains("64 heaps"));
        Assert.That(Note(late), Is.Null);
        _store.DropHeap("heap 7");
        late.WriteNote([99]);
        using HeapStore after = AfterDeath();
        for (int i = 0; i < PersistentHeap.NoteCountMax; i++)
        {
            if (i != 7)
            {
                using PersistentHeap heap = after.OpenHeap($"heap {i}");
                Assert.That(Note(heap), Is.EqualTo(new[] { (byte)i }));
            }
        }

        using PersistentHeap found = after.OpenHeap("late");
        Assert.That(Note(found), Is.EqualTo(new byte[] { 99 }));
    }

    [Test]
    public void A_lost_or_torn_note_leaves_the_one_before_it_and_those_of_other_heaps()
    {
        using PersistentHeap first = Created("first");
        using PersistentHeap second = Created("second");
        first.WriteNote([1]);
        second.WriteNote([2]);
        first.Checkpoint();
        byte[] newer = new byte[PersistentHeap.NoteLengthMax];
        newer.AsSpan().Fill(9);
        first.WriteNote(newer);
        foreach (CrashFlavour flavour in Enum.GetValues<CrashFlavour>())
        {
            for (int seed = 0; seed < 20; seed++)
            {
                using HeapStore after = HeapStore.Open(new SimulatedMedium(1, _medium.Image(flavour, new Random(seed))), Options);
                using PersistentHeap firstFound = after.OpenHeap("first");
                using PersistentHeap secondFound = after.OpenHeap("second");
                Assert.That(Note(firstFound), Is.EqualTo(new byte[] { 1 }).Or.EqualTo(newer), $"{flavour}, {seed}");
                Assert.That(Note(secondFound), Is.EqualTo(new byte[] { 2 }), $"{flavour}, {seed}");
            }
        }
    }

    [Test]
    public void A_damaged_note_is_not_served()
    {
        using PersistentHeap heap = Created("heap");
        heap.WriteNote([1, 2, 3]);
        heap.WriteNote([4, 5, 6]);
        Random random = new(1);
        for (int i = 0; i < 100; i++)
        {
            SparseImage damaged = _medium.Current();
            damaged.Flip(FileLayout.HeapNoteOffset(0, 0) + random.Next(HeapNoteRecord.Size), random.Next(8));
            damaged.Flip(FileLayout.HeapNoteOffset(0, 1) + random.Next(HeapNoteRecord.Size), random.Next(8));
            using HeapStore after = HeapStore.Open(new SimulatedMedium(1, damaged), Options);
            using PersistentHeap found = after.OpenHeap("heap");
            Assert.That(Note(found), Is.Null);
        }
    }

    [Test]
    public void The_notes_of_a_store_and_of_its_heaps_are_different_things()
    {
        using PersistentHeap heap = Created("heap");
        _store.WriteNote([1]);
        heap.WriteNote([2]);
        byte[] bytes = new byte[HeapStore.NoteLengthMax];
        Assert.That(_store.TryReadNote(bytes, out int length), Is.True);
        Assert.That(bytes[..length], Is.EqualTo(new byte[] { 1 }));
        Assert.That(Note(heap), Is.EqualTo(new byte[] { 2 }));
    }

    private static byte[]? Note(PersistentHeap heap)
    {
        byte[] bytes = new byte[PersistentHeap.NoteLengthMax];
        return heap.TryReadNote(bytes, out int length) ? bytes[..length] : null;
    }

    private PersistentHeap Created(string name)
    {
        PersistentHeap heap = _store.CreateHeap(name);
        heap.Write(SimulatedStores.Address, [1]);
        heap.Checkpoint();
        return heap;
    }

    private HeapStore AfterDeath() => HeapStore.Open(new SimulatedMedium(1, _medium.Image(CrashFlavour.KeepAll, new Random(1))), Options);
}
