using System.IO.Pipelines;
using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.Transfer;

/// <summary>Streams that do not fit the receiver, or are put together wrongly, change nothing and say why.</summary>
[TestFixture]
internal sealed class RefusalTests
{
    private const ulong Address = SimulatedStores.Address;

    private TransferBench _bench = null!;
    private PersistentHeap _heap = null!;

    [SetUp]
    public void CreateStores()
    {
        _bench = new TransferBench();
        _heap = _bench.Source.CreateHeap(TransferBench.HeapName);
        _bench.Source.CreateHeap("nothing").Dispose();
        for (int version = 1; version <= 3; version++)
        {
            SimulatedStores.Fill(_heap, Address, 200, version);
            _heap.Checkpoint();
            _bench.Source.Retain(TransferBench.HeapName, version);
        }
    }

    [TearDown]
    public void CloseStores()
    {
        _heap.Dispose();
        _bench.Dispose();
    }

    [Test]
    public void A_whole_checkpoint_is_refused_where_there_is_a_heap_of_that_name()
    {
        _bench.Receive(_bench.Send(to: 1));
        AssertRefused<HeapException>(_bench.Send(to: 2), "there is a heap 'origin' already");
    }

    [Test]
    public void A_checkpoint_that_is_there_already_is_refused_whole_and_as_a_difference()
    {
        _bench.Receive(_bench.Send(to: 2));
        AssertRefused<HeapException>(_bench.Send(to: 2), "has this checkpoint already, as its number 2");
        AssertRefused<HeapException>(_bench.Send(to: 2, from: 1), "has this checkpoint already, as its number 2");
    }

    [Test]
    public void A_difference_is_refused_by_a_heap_that_is_at_another_checkpoint_than_its_base()
    {
        _bench.Receive(_bench.Send(to: 1));
        AssertRefused<HeapException>(_bench.Send(to: 3, from: 2), "what differs from another checkpoint than heap 'origin' is at (number 1)");
        using (PersistentHeap changed = _bench.Target.OpenHeap(TransferBench.HeapName))
        {
            changed.Write(0, [1]);
            changed.Checkpoint();
        }

        AssertRefused<HeapException>(_bench.Send(to: 2, from: 1), "what differs from another checkpoint than heap 'origin' is at (number 2)");
    }

    [Test]
    public void A_difference_is_refused_by_a_store_that_has_not_its_base()
    {
        AssertRefused<HeapException>(_bench.Send(to: 3, from: 2), "what differs from a checkpoint that is not here");
        _bench.Receive(_bench.Send(to: 1));
        AssertRefused<HeapException>(_bench.Send(to: 3, from: 2), "what differs from a checkpoint that is not here", heapName: "new");
    }

    [Test]
    public void A_difference_is_refused_while_the_heap_is_open_and_taken_once_it_is_closed()
    {
        _bench.Receive(_bench.Send(to: 1));
        PersistentHeap open = _bench.Target.OpenHeap(TransferBench.HeapName);
        AssertRefused<HeapException>(_bench.Send(to: 2, from: 1), "the heap 'origin' is open");
        open.Dispose();
        _bench.Receive(_bench.Send(to: 2, from: 1));
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, 2, _bench.Target, TransferBench.HeapName);
    }

    [Test]
    public void A_heap_that_changes_while_a_difference_for_it_is_on_its_way_refuses_it_at_the_end()
    {
        _bench.Receive(_bench.Send(to: 1));
        byte[] stream = _bench.Send(to: 2, from: 1);
        Pipe pipe = new();
        Task<ReceivedCheckpoint> receiving = HeapTransfer.ReceiveAsync(_bench.Target, pipe.Reader, new ReceiveOptions { SaveIntervalBytes = PersistentHeap.PageSize });
        pipe.Writer.WriteAsync(stream.AsMemory(0, stream.Length - 10)).AsTask().GetAwaiter().GetResult();
        while (HeapTransfer.GetUnfinished(_bench.Target) is not [{ Pages: > 0 }])
        {
            Thread.Yield();
        }

        _bench.Target.Revert(TransferBench.HeapName, 1); // the same content: that is no change
        using (PersistentHeap changed = _bench.Target.OpenHeap(TransferBench.HeapName))
        {
            changed.Write(0, [1]);
            changed.Checkpoint();
        }

        pipe.Writer.WriteAsync(stream.AsMemory(stream.Length - 10)).AsTask().GetAwaiter().GetResult();
        Assert.That(() => receiving.GetAwaiter().GetResult(), Throws.InstanceOf<HeapException>().With.Message.Contains("is at (number 3)"));
        Assert.That(_bench.Target.GetHeap(TransferBench.HeapName).LatestCheckpoint, Is.EqualTo(3));
        _bench.AssertTargetSound();
        pipe.Reader.Complete();
    }

    [Test]
    public void A_second_receive_for_the_same_heap_is_refused_while_the_first_goes_on()
    {
        byte[] stream = _bench.Send();
        Pipe pipe = new();
        Task<ReceivedCheckpoint> receiving = HeapTransfer.ReceiveAsync(_bench.Target, pipe.Reader);
        pipe.Writer.WriteAsync(stream.AsMemory(0, 1000)).AsTask().GetAwaiter().GetResult();
        while (HeapTransfer.GetUnfinished(_bench.Target) is not [{ IsActive: true }])
        {
            Thread.Yield();
        }

        Assert.That(() => _bench.Receive(stream), Throws.InstanceOf<HeapException>().With.Message.Contains("is being received already"));
        Assert.That(() => HeapTransfer.DropUnfinished(_bench.Target, TransferBench.HeapName), Throws.InstanceOf<HeapException>().With.Message.Contains("is being received already"));
        pipe.Writer.WriteAsync(stream.AsMemory(1000)).AsTask().GetAwaiter().GetResult();
        Assert.That(receiving.GetAwaiter().GetResult().Added, Is.EqualTo(200));
        pipe.Reader.Complete();
    }

    [Test]
    public void Two_heaps_are_received_at_once()
    {
        byte[] stream = _bench.Send();
        Task.WaitAll(Task.Run(() => _bench.Receive(stream, "a", saveIntervalBytes: 1 << 16)), Task.Run(() => _bench.Receive(stream, "b", saveIntervalBytes: 1 << 16)));
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, "a");
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, "b");
        _bench.AssertTargetSound();
    }

    [Test]
    public void A_store_that_is_open_for_reading_receives_nothing_and_sends()
    {
        using HeapStore readOnly = HeapStore.Open(
            new SimulatedMedium(3, SimulatedStores.Image()) { IsReadOnly = true }, new HeapStoreOptions { ReadOnly = true, ResidentBytes = HeapStoreOptions.ResidentBytesMin });
        Assert.That(() => TransferBench.Receive(readOnly, _bench.Send()), Throws.InstanceOf<HeapException>().With.Message.Contains("for reading only"));
        _bench.Receive(TransferBench.Send(readOnly, SimulatedStores.HeapName, null, SimulatedStores.HeapName, null));
        TransferBench.AssertSame(readOnly, SimulatedStores.HeapName, null, _bench.Target, SimulatedStores.HeapName);
    }

    [Test]
    public void Blocks_that_are_left_out_repeated_exchanged_or_of_another_stream_are_refused()
    {
        byte[] stream = _bench.Send();
        byte[] other = _bench.Send(to: 2);
        List<int> starts = TransferBench.BlockStarts(stream);
        List<byte[]> blocks = [.. starts.Select((start, i) => stream[start..(i + 1 < starts.Count ? starts[i + 1] : stream.Length)])];
        byte[] header = stream[..StreamHeader.Size];
        for (int i = 0; i < blocks.Count - 1; i++)
        {
            int block = i;
            string where = $"at byte {starts[block]}";
            AssertRefused<HeapTransferException>(Join(header, [.. blocks.Where((_, j) => j != block)]), where);
            AssertRefused<HeapTransferException>(Join(header, [.. blocks[..block], blocks[block], .. blocks[block..]]), $"at byte {starts[block] + blocks[block].Length}");
            AssertRefused<HeapTransferException>(Join(header, [.. blocks[..block], blocks[block + 1], blocks[block], .. blocks[(block + 2)..]]), where);
            AssertRefused<HeapTransferException>(Join(header, [.. blocks[..block], other[starts[block]..starts[block + 1]], .. blocks[(block + 1)..]]), where);
        }

        Assert.That(HeapTransfer.GetUnfinished(_bench.Target), Is.Not.Empty, "what came before is kept");
        AssertRefused<HeapTransferException>(Join(other[..StreamHeader.Size], blocks), $"at byte {starts[0]}");
        Assert.That(HeapTransfer.GetUnfinished(_bench.Target), Is.Empty, "until a stream of another checkpoint comes");
    }

    [Test]
    public void What_is_no_stream_or_of_a_newer_version_is_refused()
    {
        AssertRefused<HeapTransferException>([], "Nothing has come");
        AssertRefused<HeapTransferException>(new byte[1000], "not a stream that a heap was sent as");
        AssertRefused<HeapTransferException>([.. Enumerable.Repeat((byte)'x', 255)], "breaks off after 255 bytes");
        byte[] newer = _bench.Send();
        newer[8] = 2;
        SealHeader(newer);
        AssertRefused<HeapTransferException>(newer, "of version 2");
    }

    [Test]
    public void Headers_that_say_what_cannot_be_are_refused()
    {
        (int Offset, int Size, ulong Value)[] fields =
        [
            (12, 4, 8192), (72, 8, 0), (72, 8, ulong.MaxValue), (96, 8, ulong.MaxValue), (104, 8, ulong.MaxValue), (116, 4, 0), (116, 4, 65), (120, 1, 0xFF),
        ];
        foreach ((int offset, int size, ulong value) in fields)
        {
            byte[] stream = _bench.Send();
            BitConverter.GetBytes(value).AsSpan(0, size).CopyTo(stream.AsSpan(offset));
            SealHeader(stream);
            AssertRefused<HeapTransferException>(stream, "says what cannot be");
        }
    }

    [Test]
    public void A_stream_that_is_whole_but_has_not_as_many_pages_as_the_senders_heap_is_refused_and_forgotten()
    {
        byte[] stream = _bench.Send();
        stream[96]++;
        SealHeader(stream);
        SealBlocks(stream);
        AssertRefused<HeapTransferException>(stream, "200 pages where the sender's has 201");
        Assert.That(HeapTransfer.GetUnfinished(_bench.Target), Is.Empty);
    }

    [Test]
    public void Records_that_cannot_be_are_refused_though_their_checksums_match()
    {
        (ulong Record, string What)[] records =
        [
            (TransferFormat.Record(5, PageRecordKind.Removed), "kind 3"),
            (TransferFormat.Record(5, PageRecordKind.Changed), "kind 2"),
            (TransferFormat.Record(5, PageRecordKind.None), "kind 0"),
            (TransferFormat.Record(5, (PageRecordKind)77), "kind 77"),
            (TransferFormat.Record(1UL << 36, PageRecordKind.Added), "page 68719476736"),
            (TransferFormat.Record(1UL << 55, PageRecordKind.Added), "page 36028797018963968"),
            (TransferFormat.Record(5, PageRecordKind.AddedZero), "32 contents for 31 records"),
        ];
        foreach ((ulong record, string what) in records)
        {
            byte[] stream = _bench.Send();
            BitConverter.GetBytes(record).CopyTo(stream, StreamHeader.Size + BlockHeader.Size);
            SealBlocks(stream);
            AssertRefused<HeapTransferException>(stream, what);
        }

        byte[] twice = _bench.Send();
        twice.AsSpan(StreamHeader.Size + BlockHeader.Size, 8).CopyTo(twice.AsSpan(StreamHeader.Size + BlockHeader.Size + 8));
        SealBlocks(twice);
        AssertRefused<HeapTransferException>(twice, "its record 1 cannot be");
    }

    [Test]
    public void Totals_that_do_not_agree_with_what_came_are_refused_though_their_checksum_matches()
    {
        int start = TransferBench.BlockStarts(_bench.Send())[^1];
        for (int field = 0; field < 7; field++)
        {
            byte[] stream = _bench.Send();
            stream[start + BlockHeader.Size + (8 * field)] ^= 1;
            SealBlocks(stream);
            AssertRefused<HeapTransferException>(stream, "counts other pages than came");
        }
    }

    [Test]
    public void Arguments_that_do_not_belong_together_are_refused_before_anything_is_sent_or_read()
    {
        using HeapSnapshot first = _bench.Source.OpenSnapshot(TransferBench.HeapName, 1);
        using HeapSnapshot third = _bench.Source.OpenSnapshot(TransferBench.HeapName, 3);
        _bench.Receive(_bench.Send());
        using HeapSnapshot foreign = _bench.Target.OpenSnapshot(TransferBench.HeapName);
        PipeWriter writer = PipeWriter.Create(Stream.Null);
        PipeReader reader = PipeReader.Create(Stream.Null);
        SendOptions resume = new() { ResumeFrom = new TransferResumePoint(third.Checkpoint.ContentId, Guid.Empty, 5) };
        Assert.Multiple(() =>
        {
            Assert.That(() => HeapTransfer.SendAsync(foreign, third, writer), Throws.ArgumentException);
            Assert.That(() => HeapTransfer.SendAsync(first, third, writer, resume), Throws.ArgumentException);
            Assert.That(() => HeapTransfer.SendAsync(null, first, writer, resume), Throws.ArgumentException);
            Assert.That(() => HeapTransfer.ReceiveAsync(_bench.Target, reader, new ReceiveOptions { SaveIntervalBytes = 100 }), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => _bench.Receive(_bench.Send(), ""), Throws.ArgumentException);
            Assert.That(() => _bench.Receive(_bench.Send(), new string('x', 65)), Throws.ArgumentException);
        });
    }

    [Test]
    public void A_sender_whose_reader_has_gone_ends_with_an_exception()
    {
        using HeapSnapshot snapshot = _bench.Source.OpenSnapshot(TransferBench.HeapName);
        Pipe pipe = new();
        pipe.Reader.Complete();
        Assert.That(() => HeapTransfer.SendAsync(null, snapshot, pipe.Writer).GetAwaiter().GetResult(), Throws.InstanceOf<HeapTransferException>().With.Message.Contains("takes no more"));
    }

    [Test]
    public void A_damaged_page_of_the_sender_ends_the_stream_and_the_receiver_refuses_what_it_got()
    {
        SparseImage image = SimulatedStores.Image(checkpoints: 1, pages: 300);
        long offset = new StoreImage(image).Walk().Where(place => place.Level == 0).ElementAt(150).Offset;
        image.Flip(offset, 3);
        using HeapStore damaged = HeapStore.Open(new SimulatedMedium(1, image), TransferBench.Options);
        using HeapSnapshot snapshot = damaged.OpenSnapshot(SimulatedStores.HeapName);
        MemoryStream stream = new();
        PipeWriter writer = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        Assert.That(() => HeapTransfer.SendAsync(null, snapshot, writer).GetAwaiter().GetResult(), Throws.InstanceOf<HeapCorruptedException>());
        writer.Complete();
        AssertRefused<HeapTransferException>(stream.ToArray(), "breaks off");
    }

    /// <summary>The stream is refused with this message, and the target shows what it showed before.</summary>
    private void AssertRefused<TException>(byte[] stream, string message, string? heapName = null)
        where TException : HeapException
    {
        string before = Describe();
        TException refused = Assert.Throws<TException>(() => _bench.Receive(stream, heapName))!;
        Assert.That(refused.Message, Does.Contain(message));
        Assert.That(Describe(), Is.EqualTo(before));
        _bench.AssertTargetSound();
    }

    private string Describe() => string.Join(
        "\n", _bench.Target.HeapNames.Select(name => $"{_bench.Target.GetHeap(name)}: {string.Join(", ", _bench.Target.History(name))}"));

    private static byte[] Join(byte[] header, IEnumerable<byte[]> blocks) => [.. header, .. blocks.SelectMany(block => block)];

    private static void SealHeader(byte[] stream)
    {
        ref StreamHeader header = ref DiskView.As<StreamHeader>(stream);
        header.Checksum = DiskView.HashWithout(ref header, ref header.Checksum);
    }

    /// <summary>Makes the checksums of all blocks match what the stream says now.</summary>
    private static void SealBlocks(byte[] stream)
    {
        ulong chain = DiskView.As<StreamHeader>(stream).Checksum;
        List<int> starts = TransferBench.BlockStarts(stream);
        for (int i = 0; i < starts.Count; i++)
        {
            Span<byte> block = stream.AsSpan(starts[i]..(i + 1 < starts.Count ? starts[i + 1] : stream.Length));
            ref ulong checksum = ref DiskView.As<BlockHeader>(block).Checksum;
            checksum = 0;
            checksum = chain = System.IO.Hashing.XxHash3.HashToUInt64(block, (long)chain);
        }
    }
}
