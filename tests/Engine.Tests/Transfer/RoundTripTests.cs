using System.IO.Compression;
using System.IO.Pipelines;
using Everheap.Engine.Tests.Simulation;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.Transfer;

/// <summary>What is sent arrives: whole heaps, differences, forks, heaps of every shape.</summary>
[TestFixture]
internal sealed class RoundTripTests
{
    private const ulong Address = SimulatedStores.Address;
    private const ulong PageSize = PersistentHeap.PageSize;

    private TransferBench _bench = null!;
    private PersistentHeap _heap = null!;

    [SetUp]
    public void CreateStores()
    {
        _bench = new TransferBench();
        _heap = _bench.Source.CreateHeap(TransferBench.HeapName);
    }

    [TearDown]
    public void CloseStores()
    {
        _heap.Dispose();
        _bench.Dispose();
    }

    [Test]
    public void An_empty_heap_arrives_as_an_empty_heap()
    {
        _heap.Checkpoint();
        byte[] stream = _bench.Send();
        ReceivedCheckpoint received = _bench.Receive(stream);
        Assert.Multiple(() =>
        {
            Assert.That(stream, Has.Length.EqualTo(StreamHeader.Size + BlockHeader.Size + EndRecord.Size));
            Assert.That(received, Is.EqualTo(new ReceivedCheckpoint(TransferBench.HeapName, received.Checkpoint, 0, 0, 0, stream.Length)));
            Assert.That(received.Checkpoint.Number, Is.EqualTo(1));
        });
        AssertArrived();
    }

    [Test]
    public void Ten_thousand_pages_arrive_under_budgets_of_one_MiB()
    {
        SimulatedStores.Fill(_heap, Address, 10_000, version: 1);
        _heap.Checkpoint();
        ReceivedCheckpoint received = _bench.Receive(_bench.Send(), saveIntervalBytes: 4 << 20);
        Assert.That(received.Added, Is.EqualTo(10_000));
        AssertArrived();
    }

    [Test]
    public void A_sparse_heap_arrives_with_the_pages_at_both_ends_of_its_addresses_and_the_account_of_its_ranges()
    {
        _heap.Write(0, [1]);
        for (int bit = 13; bit < 47; bit++)
        {
            _heap.Write((1UL << bit) - 5, SimulatedStores.PageContent((ulong)bit, 1));
        }

        _heap.Write(PersistentHeap.AddressEnd - 1, [2]);
        ulong range = _heap.Allocate(1 << 20);
        ulong next = _heap.Allocate(1 << 20);
        _heap.Release(range, 1 << 20);
        _heap.Checkpoint();
        _bench.Receive(_bench.Send());
        AssertArrived();
        using PersistentHeap arrived = _bench.Target.OpenHeap(TransferBench.HeapName);
        Assert.That(arrived.Allocate(1 << 20), Is.EqualTo(range), "the released range is free there, too");
        Assert.That(() => arrived.Release(next, 1 << 20), Throws.Nothing);
    }

    [Test]
    public void Pages_of_zeros_cost_a_record_and_arrive_as_pages()
    {
        _heap.Write(Address, new byte[300 * PageSize]);
        _heap.Checkpoint();
        byte[] stream = _bench.Send();
        Assert.That(stream, Has.Length.EqualTo(StreamHeader.Size + BlockHeader.Size + (300 * 8) + BlockHeader.Size + EndRecord.Size));
        _bench.Receive(stream);
        AssertArrived();
    }

    [Test]
    public void The_same_checkpoint_is_the_same_stream_again()
    {
        SimulatedStores.Fill(_heap, Address, 100, version: 1);
        _heap.Checkpoint();
        byte[] first = _bench.Send();
        Assert.That(_bench.Send(), Is.EqualTo(first));
    }

    [Test]
    public void A_checkpoint_keeps_its_number_its_time_and_its_content_id()
    {
        for (int version = 1; version <= 5; version++)
        {
            SimulatedStores.Fill(_heap, Address, 3, version);
            _heap.Checkpoint();
        }

        CheckpointInfo sent = _bench.Source.History(TransferBench.HeapName)[^1];
        CheckpointInfo received = _bench.Receive(_bench.Send(), "copy").Checkpoint;
        Assert.Multiple(() =>
        {
            Assert.That(received.Number, Is.EqualTo(5));
            Assert.That(received.Time, Is.EqualTo(sent.Time));
            Assert.That(received.ContentId, Is.EqualTo(sent.ContentId).And.Not.EqualTo(Guid.Empty));
            Assert.That(received.IsRetained, Is.True);
            Assert.That(_bench.Target.HeapNames, Is.EqualTo(new[] { "copy" }));
            Assert.That(_bench.Target.History("copy"), Has.Count.EqualTo(1));
            Assert.That(_bench.Target.History("copy")[0], Is.EqualTo(received));
        });
        _bench.ReopenTarget();
        Assert.That(_bench.Target.History("copy")[0].ContentId, Is.EqualTo(sent.ContentId));
        using PersistentHeap copy = _bench.Target.OpenHeap("copy");
        Assert.That(copy.Checkpoint().Number, Is.EqualTo(6), "it goes on from there");
    }

    [Test]
    public void A_difference_brings_what_was_added_changed_cleared_and_zeroed_and_nothing_else()
    {
        _bench.Source.CreateHeap("other").Dispose();
        SimulatedStores.Fill(_heap, Address, 1000, version: 1);
        _heap.Checkpoint();
        _bench.Source.Retain(TransferBench.HeapName, 1);
        _bench.Receive(_bench.Send());
        SimulatedStores.Fill(_heap, Address + (1000 * PageSize), 40, version: 2);
        SimulatedStores.Fill(_heap, Address + (10 * PageSize), 5, version: 2);
        _heap.Clear(Address + (500 * PageSize), 300 * PageSize);
        _heap.Write(Address + (900 * PageSize), new byte[7 * PageSize]);
        _heap.Checkpoint();
        byte[] stream = _bench.Send(from: 1);
        ReceivedCheckpoint received = _bench.Receive(stream);
        Assert.Multiple(() =>
        {
            Assert.That(received.Added, Is.EqualTo(40));
            Assert.That(received.Changed, Is.EqualTo(5 + 7));
            Assert.That(received.Removed, Is.EqualTo(300));
            Assert.That(received.Checkpoint.Number, Is.EqualTo(2));
            Assert.That(stream.Length, Is.LessThan(46 * (int)PageSize + 8 * 352));
        });
        AssertArrived();
    }

    [Test]
    public void A_chain_of_differences_keeps_the_receiver_in_step_and_its_own_policy_decides_what_is_retained()
    {
        SimulatedStores.Fill(_heap, Address, 200, version: 1);
        _heap.Checkpoint();
        _bench.Source.SetRetention(TransferBench.HeapName, new RetentionPolicy { KeepLast = 2 });
        _bench.Receive(_bench.Send());
        _bench.Target.SetRetention(TransferBench.HeapName, new RetentionPolicy { KeepLast = 4 });
        Random random = new(7);
        for (int version = 2; version <= 12; version++)
        {
            ulong first = Address + ((ulong)random.Next(200) * PageSize);
            SimulatedStores.Fill(_heap, first, random.Next(1, 50), version);
            _heap.Clear(Address + ((ulong)random.Next(250) * PageSize), (ulong)random.Next(20) * PageSize);
            _heap.Checkpoint();
            _bench.Receive(_bench.Send(from: version - 1));
            AssertArrived();
        }

        Assert.That(
            _bench.Target.History(TransferBench.HeapName).Where(c => c.IsRetained).Select(c => c.Number), Is.EqualTo(new long[] { 9, 10, 11, 12 }));
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, 11, _bench.Target, TransferBench.HeapName, 11);
    }

    [Test]
    public void What_differs_between_a_heap_and_its_fork_arrives_as_a_fork_that_shares_its_pages()
    {
        SimulatedStores.Fill(_heap, Address, 1000, version: 1);
        _heap.Checkpoint();
        _bench.Receive(_bench.Send());
        long before = _bench.Target.Space.UsedBytes;
        _bench.Source.Fork(TransferBench.HeapName, 1, "fork");
        using (PersistentHeap fork = _bench.Source.OpenHeap("fork"))
        {
            SimulatedStores.Fill(fork, Address, 10, version: 2);
            fork.Checkpoint();
        }

        _bench.Receive(TransferBench.Send(_bench.Source, "fork", null, TransferBench.HeapName, 1));
        TransferBench.AssertSame(_bench.Source, "fork", null, _bench.Target, "fork");
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, 1, _bench.Target, TransferBench.HeapName);
        HeapInfo arrived = _bench.Target.GetHeap("fork");
        Assert.Multiple(() =>
        {
            Assert.That(arrived.OriginName, Is.EqualTo(TransferBench.HeapName));
            Assert.That(arrived.OriginCheckpoint, Is.EqualTo(1));
            Assert.That(_bench.Target.Space.UsedBytes - before, Is.LessThan(60 * (long)PageSize));
        });
        _bench.AssertTargetSound();
    }

    [Test]
    public void A_heap_that_was_reverted_on_either_side_still_takes_what_differs_from_what_it_holds()
    {
        for (int version = 1; version <= 2; version++)
        {
            SimulatedStores.Fill(_heap, Address, 50, version);
            _heap.Checkpoint();
            _bench.Source.Retain(TransferBench.HeapName, version);
            _bench.Receive(version == 1 ? _bench.Send() : _bench.Send(from: 1));
            _bench.Target.Retain(TransferBench.HeapName, version);
        }

        _bench.Target.Revert(TransferBench.HeapName, 1); // number 3, content of 1
        _heap.Revert(1);
        SimulatedStores.Fill(_heap, Address, 5, version: 4);
        _heap.Checkpoint(); // number 4
        ReceivedCheckpoint received = _bench.Receive(_bench.Send(to: 4, from: 1));
        Assert.That(received.Checkpoint.Number, Is.EqualTo(4));
        AssertArrived();
        SimulatedStores.Fill(_heap, Address, 5, version: 5);
        _heap.Checkpoint();
        _bench.Target.Revert(TransferBench.HeapName, 2);
        _bench.Target.Revert(TransferBench.HeapName, 2); // number 6
        Assert.That(_bench.Receive(_bench.Send(to: 5, from: 2)).Checkpoint.Number, Is.EqualTo(7), "numbers go up, whatever the sender's is");
        AssertArrived();
    }

    [Test]
    public void The_note_of_the_heap_goes_along_if_that_is_wanted_and_is_handed_over_not_written()
    {
        SimulatedStores.Fill(_heap, Address, 3, version: 1);
        _heap.Checkpoint();
        using HeapSnapshot snapshot = _bench.Source.OpenSnapshot(TransferBench.HeapName);
        byte[] without = Send();
        _heap.WriteNote([1, 2, 3]);
        byte[] with = Send();
        Assert.That(with, Has.Length.EqualTo(without.Length + BlockHeader.Size + 3));
        Assert.That(_bench.Receive(without, "without").Note.Length, Is.Zero);
        Assert.That(_bench.Receive(with, "with").Note.ToArray(), Is.EqualTo(new byte[] { 1, 2, 3 }));
        using PersistentHeap received = _bench.Target.OpenHeap("with");
        Assert.That(received.TryReadNote(new byte[PersistentHeap.NoteLengthMax], out _), Is.False);

        byte[] Send()
        {
            MemoryStream stream = new();
            PipeWriter writer = PipeWriter.Create(stream);
            HeapTransfer.SendAsync(null, snapshot, writer, new SendOptions { IncludesNote = true }).GetAwaiter().GetResult();
            return stream.ToArray();
        }
    }

    [Test]
    public void A_checkpoint_is_sent_and_received_while_both_heaps_go_on()
    {
        SimulatedStores.Fill(_heap, Address, 500, version: 1);
        _heap.Checkpoint();
        using HeapSnapshot snapshot = _bench.Source.OpenSnapshot(TransferBench.HeapName, 1);
        SimulatedStores.Fill(_heap, Address, 500, version: 2);
        _heap.Checkpoint();
        _bench.Receive(_bench.Send(to: 1), "first");
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, 1, _bench.Target, "first");
        _bench.AssertTargetSound();
    }

    [Test]
    public void A_store_of_version_1_can_be_sent_and_a_copy_of_it_has_the_same_content_ids()
    {
        using HeapStore old = HeapStore.Open(Version1Medium(), TransferBench.Options);
        using HeapStore copy = HeapStore.Open(Version1Medium(), TransferBench.Options);
        string name = old.HeapNames[0];
        Assert.That(old.History(name)[^1].ContentId, Is.EqualTo(copy.History(name)[^1].ContentId).And.Not.EqualTo(Guid.Empty));
        Assert.That(old.History(name).Select(c => c.ContentId), Is.Unique);
        _bench.Receive(TransferBench.Send(old, name, null, name, null));
        TransferBench.AssertSame(old, name, null, _bench.Target, name);
    }

    private static SimulatedMedium Version1Medium()
    {
        using Stream packed = typeof(RoundTripTests).Assembly.GetManifestResourceStream("version1.heap.gz")!;
        using GZipStream unpacked = new(packed, CompressionMode.Decompress);
        MemoryStream bytes = new();
        unpacked.CopyTo(bytes);
        SparseImage image = new();
        image.Resize(bytes.Length);
        image.Write(0, bytes.ToArray());
        return new SimulatedMedium(1, image);
    }

    private void AssertArrived()
    {
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, TransferBench.HeapName);
        _bench.AssertTargetSound();
        _bench.ReopenTarget();
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, TransferBench.HeapName);
    }
}
