using System.IO.Pipelines;
using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Simulation;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.Transfer;

/// <summary>Receives that break off, anywhere, and go on: from the start again, from the resume point, over closing and opening.</summary>
[TestFixture]
internal sealed class InterruptionTests
{
    private const ulong Address = SimulatedStores.Address;
    private const ulong PageSize = PersistentHeap.PageSize;
    private const int Pages = 500;
    private const long SaveIntervalBytes = 40 * 4096;

    private TransferBench _bench = null!;
    private PersistentHeap _heap = null!;

    [SetUp]
    public void CreateStores()
    {
        _bench = new TransferBench();
        _heap = _bench.Source.CreateHeap(TransferBench.HeapName);
        SimulatedStores.Fill(_heap, Address, Pages, version: 1);
        _heap.Checkpoint();
        _bench.Source.Retain(TransferBench.HeapName, 1);
        SimulatedStores.Fill(_heap, Address + (20 * PageSize), 100, version: 2);
        _heap.Clear(Address + (200 * PageSize), 100 * PageSize);
        SimulatedStores.Fill(_heap, Address + (400 * PageSize), Pages, version: 2);
        _heap.Checkpoint();
    }

    [TearDown]
    public void CloseStores()
    {
        _heap.Dispose();
        _bench.Dispose();
    }

    [TestCase(null)]
    [TestCase(1L)]
    public void A_receive_that_breaks_off_at_any_block_goes_on_from_its_resume_point(long? from)
    {
        byte[] stream = _bench.Send(from: from);
        List<int> starts = TransferBench.BlockStarts(stream);
        Assert.That(starts, Has.Count.AtLeast(15));
        for (int block = 0; block < starts.Count; block++)
        {
            string name = Prepare(from, $"heap {block}");
            TransferResumePoint? point = BreakOff(stream[..starts[block]], name);
            Assert.That(point is null, Is.EqualTo(block == 0), "the first block is what there is to keep");
            AssertGoesOn(point, from, name, stream.Length - (starts[block] - starts[0]));
        }
    }

    [Test]
    public void A_receive_that_breaks_off_at_random_bytes_again_and_again_arrives_in_the_end()
    {
        Random random = new(1);
        foreach (long? from in new long?[] { null, 1L })
        {
            for (int run = 0; run < (TestSeeds.IsLong ? 200 : 10); run++)
            {
                string name = Prepare(from, $"run {run} {from}");
                TransferResumePoint? point = null;
                for (int attempt = 0; attempt < 6; attempt++)
                {
                    byte[] rest = _bench.Send(from: from, resumeFrom: point);
                    TransferResumePoint? next = BreakOff(rest[..random.Next(rest.Length)], name);
                    Assert.That(next?.NextPage ?? 0, Is.AtLeast(point?.NextPage ?? 0), "nothing that was kept is lost");
                    point = next ?? point;
                    if (random.Next(3) == 0)
                    {
                        _bench.ReopenTarget();
                    }
                }

                AssertGoesOn(point, from, name, int.MaxValue);
            }
        }
    }

    [Test]
    public void A_heap_that_is_received_in_part_is_not_there_for_others_and_survives_opening_again()
    {
        BreakOff(_bench.Send()[..300_000], TransferBench.HeapName);
        for (int i = 0; i < 2; i++)
        {
            Assert.Multiple(() =>
            {
                Assert.That(_bench.Target.HeapNames, Is.Empty);
                Assert.That(_bench.Target.Heaps, Is.Empty);
                Assert.That(() => _bench.Target.OpenHeap(TransferBench.HeapName), Throws.InstanceOf<HeapException>().With.Message.Contains("there is no heap"));
                Assert.That(() => _bench.Target.OpenSnapshot(TransferBench.HeapName), Throws.InstanceOf<HeapException>());
                Assert.That(() => _bench.Target.Fork(TransferBench.HeapName, 1, "fork"), Throws.InstanceOf<HeapException>());
                Assert.That(() => _bench.Target.DropHeap(TransferBench.HeapName), Throws.InstanceOf<HeapException>());
                UnfinishedReceive unfinished = HeapTransfer.GetUnfinished(_bench.Target).Single();
                Assert.That(unfinished.HeapName, Is.EqualTo(TransferBench.HeapName));
                Assert.That(unfinished.CheckpointNumber, Is.EqualTo(2));
                Assert.That(unfinished.Pages, Is.InRange(32, 80));
                Assert.That(unfinished.IsActive, Is.False);
            });
            _bench.AssertTargetSound();
            _bench.ReopenTarget();
        }
    }

    [Test]
    public void A_new_heap_of_the_same_name_may_be_made_meanwhile_and_then_the_receive_is_refused()
    {
        byte[] stream = _bench.Send();
        BreakOff(stream[..300_000], TransferBench.HeapName);
        using (PersistentHeap other = _bench.Target.CreateHeap(TransferBench.HeapName))
        {
            other.Write(0, [42]);
            other.Checkpoint();
        }

        Assert.That(() => _bench.Receive(stream), Throws.InstanceOf<HeapException>().With.Message.Contains("there is a heap 'origin' already"));
        _bench.ReopenTarget();
        byte[] found = new byte[1];
        using (HeapSnapshot snapshot = _bench.Target.OpenSnapshot(TransferBench.HeapName))
        {
            snapshot.Read(0, found);
        }

        Assert.That(found[0], Is.EqualTo(42));
        _bench.Target.DropHeap(TransferBench.HeapName);
        _bench.Receive(stream);
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, TransferBench.HeapName);
        _bench.AssertTargetSound();
    }

    [Test]
    public void The_same_stream_from_the_start_goes_on_where_the_first_one_broke_off()
    {
        byte[] stream = _bench.Send();
        BreakOff(stream[..(stream.Length / 2)], TransferBench.HeapName);
        long written = _bench.TargetMedium.WriteCount;
        long pages = HeapTransfer.GetUnfinished(_bench.Target).Single().Pages;
        ReceivedCheckpoint received = _bench.Receive(stream);
        Assert.Multiple(() =>
        {
            Assert.That(received.Added, Is.EqualTo(800));
            Assert.That(_bench.Target.History(TransferBench.HeapName).Single().Pages, Is.EqualTo(800));
            Assert.That(pages, Is.AtLeast(350));
            Assert.That(_bench.TargetMedium.WriteCount - written, Is.LessThan(60));
        });
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, TransferBench.HeapName);
    }

    [Test]
    public void A_stream_that_goes_on_is_refused_where_nothing_or_less_has_come()
    {
        byte[] stream = _bench.Send();
        TransferResumePoint far = BreakOff(stream[..(stream.Length - 10)], "far")!.Value;
        byte[] rest = _bench.Send(resumeFrom: far);
        HeapTransferException nothing = Assert.Throws<HeapTransferException>(() => _bench.Receive(rest, "nothing"))!;
        Assert.That(nothing.Message, Does.Contain($"goes on from page {far.NextPage}"));
        Assert.That(nothing.ResumePoint, Is.Null);
        TransferResumePoint near = BreakOff(stream[..300_000], "near")!.Value;
        HeapTransferException less = Assert.Throws<HeapTransferException>(() => _bench.Receive(rest, "near"))!;
        Assert.That(less.ResumePoint, Is.EqualTo(near), "it says where to go on");
        _bench.Receive(_bench.Send(resumeFrom: near), "far");
        _bench.Receive(_bench.Send(resumeFrom: near), "near");
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, "far");
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, "near");
    }

    [Test]
    public void What_came_of_one_checkpoint_gives_way_to_another_for_the_same_heap()
    {
        BreakOff(_bench.Send(to: 1)[..300_000], TransferBench.HeapName);
        TransferResumePoint second = BreakOff(_bench.Send(to: 2)[..400_000], TransferBench.HeapName)!.Value;
        Assert.That(HeapTransfer.GetUnfinished(_bench.Target).Single().ResumePoint, Is.EqualTo(second));
        _bench.Receive(_bench.Send(resumeFrom: second));
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, TransferBench.HeapName);
        _bench.AssertTargetSound();
    }

    [Test]
    public void What_was_abandoned_can_be_dropped_and_its_space_comes_back()
    {
        _bench.Receive(_bench.Send(to: 1), "base");
        long before = UsedAfterReclaim();
        byte[] whole = _bench.Send();
        byte[] difference = _bench.Send(from: 1);
        BreakOff(whole[..(whole.Length - 1)], "whole");
        BreakOff(difference[..(difference.Length - 1)], "base");
        Assert.That(_bench.Target.Space.UsedBytes - before, Is.GreaterThan(Pages * (long)PageSize));
        HeapTransfer.DropUnfinished(_bench.Target, "whole");
        HeapTransfer.DropUnfinished(_bench.Target, "base");
        Assert.That(HeapTransfer.GetUnfinished(_bench.Target), Is.Empty);
        Assert.That(UsedAfterReclaim(), Is.EqualTo(before));
        Assert.That(() => HeapTransfer.DropUnfinished(_bench.Target, "whole"), Throws.InstanceOf<HeapException>().With.Message.Contains("nothing was received in part"));
        _bench.AssertTargetSound();
    }

    [Test]
    public void A_cancelled_receive_keeps_what_has_come_and_goes_on()
    {
        byte[] stream = _bench.Send();
        Pipe pipe = new();
        using CancellationTokenSource cancellation = new();
        SynchronousProgress progress = new();
        Task<ReceivedCheckpoint> receiving = HeapTransfer.ReceiveAsync(_bench.Target, pipe.Reader, null, progress, cancellation.Token);
        pipe.Writer.WriteAsync(stream.AsMemory(0, stream.Length / 2)).AsTask().GetAwaiter().GetResult();
        cancellation.Cancel();
        Assert.That(() => receiving.GetAwaiter().GetResult(), Throws.InstanceOf<OperationCanceledException>());
        pipe.Reader.Complete();
        UnfinishedReceive unfinished = HeapTransfer.GetUnfinished(_bench.Target).Single();
        _bench.ReopenTarget();
        _bench.Receive(_bench.Send(resumeFrom: unfinished.ResumePoint));
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, TransferBench.HeapName);
    }

    [Test]
    public void A_cancelled_send_ends_and_leaves_a_stream_that_breaks_off()
    {
        using HeapSnapshot snapshot = _bench.Source.OpenSnapshot(TransferBench.HeapName);
        using CancellationTokenSource cancellation = new();
        MemoryStream stream = new();
        PipeWriter writer = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        CancellingProgress progress = new(cancellation);
        Assert.That(
            () => HeapTransfer.SendAsync(null, snapshot, writer, null, progress, cancellation.Token).GetAwaiter().GetResult(), Throws.InstanceOf<OperationCanceledException>());
        writer.Complete();
        Assert.That(stream.Length, Is.GreaterThan(1 << 20));
        Assert.That(BreakOff(stream.ToArray(), TransferBench.HeapName), Is.Not.Null);
    }

    [Test]
    public void A_reader_that_fails_is_a_stream_that_breaks_off()
    {
        byte[] stream = _bench.Send();
        PipeReader reader = PipeReader.Create(new FailingStream(stream[..300_000]));
        HeapTransferException broken = Assert.Throws<HeapTransferException>(() => HeapTransfer.ReceiveAsync(_bench.Target, reader).GetAwaiter().GetResult())!;
        Assert.That(broken.InnerException, Is.InstanceOf<IOException>());
        Assert.That(broken.Message, Does.Contain("breaks off").And.Contain("the cable was pulled"));
        Assert.That(broken.ResumePoint, Is.Not.Null);
    }

    [Test]
    public void A_full_medium_refuses_the_rest_and_once_there_is_room_it_goes_on()
    {
        _bench.Target.CreateHeap("room").Dispose();
        byte[] stream = _bench.Send();
        _bench.TargetMedium.Capacity = 2 << 20;
        Assert.That(() => _bench.Receive(stream, saveIntervalBytes: SaveIntervalBytes), Throws.InstanceOf<HeapFullException>());
        Assert.That(_bench.Target.HeapNames, Is.Empty);
        UnfinishedReceive unfinished = HeapTransfer.GetUnfinished(_bench.Target).Single();
        Assert.That(unfinished.Pages, Is.Positive);
        _bench.AssertTargetSound();
        _bench.TargetMedium.Capacity = long.MaxValue;
        _bench.Receive(_bench.Send(resumeFrom: unfinished.ResumePoint));
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, TransferBench.HeapName);
        _bench.AssertTargetSound();
    }

    [Test]
    public void What_follows_the_end_of_a_stream_is_left_in_the_pipe_for_the_next()
    {
        byte[] both = [.. _bench.Send(to: 1), .. _bench.Send(from: 1), 1, 2, 3];
        PipeReader reader = PipeReader.Create(new MemoryStream(both));
        HeapTransfer.ReceiveAsync(_bench.Target, reader).GetAwaiter().GetResult();
        HeapTransfer.ReceiveAsync(_bench.Target, reader).GetAwaiter().GetResult();
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, TransferBench.HeapName);
        Assert.That(reader.ReadAsync().AsTask().GetAwaiter().GetResult().Buffer.Length, Is.EqualTo(3));
        reader.Complete();
    }

    [Test]
    public void Progress_is_told_on_both_sides_and_ends_with_all()
    {
        using HeapSnapshot snapshot = _bench.Source.OpenSnapshot(TransferBench.HeapName);
        Pipe pipe = new();
        SynchronousProgress sending = new();
        SynchronousProgress receiving = new();
        Task<TransferProgress> send = HeapTransfer.SendAsync(null, snapshot, pipe.Writer, null, sending);
        Task<ReceivedCheckpoint> receive = HeapTransfer.ReceiveAsync(_bench.Target, pipe.Reader, null, receiving);
        Task.WaitAll(send, receive);
        foreach (SynchronousProgress progress in new[] { sending, receiving })
        {
            Assert.That(progress.Reports, Has.Count.AtLeast(3));
            Assert.That(progress.Reports.Select(report => report.Bytes), Is.Ordered);
            Assert.That(progress.Reports.Select(report => report.PagesExpected), Is.All.EqualTo(800));
            Assert.That(progress.Reports[^1], Is.EqualTo(send.Result));
            Assert.That(progress.Reports[^1].Pages, Is.EqualTo(800));
        }
    }

    /// <summary>Gives a receive of a difference a heap of its own to advance.</summary>
    private string Prepare(long? from, string name)
    {
        if (from is { } number)
        {
            _bench.Receive(_bench.Send(to: number), name);
        }

        return name;
    }

    private TransferResumePoint? BreakOff(byte[] part, string name)
    {
        string before = Describe(name);
        HeapTransferException broken = Assert.Throws<HeapTransferException>(() => _bench.Receive(part, name, SaveIntervalBytes))!;
        Assert.That(Describe(name), Is.EqualTo(before), "nothing that others see has changed");
        TransferResumePoint? unfinished = HeapTransfer.GetUnfinished(_bench.Target).FirstOrDefault(receive => receive.HeapName == name)?.ResumePoint;
        Assert.That(broken.ResumePoint ?? unfinished, Is.EqualTo(unfinished));
        return unfinished;
    }

    private void AssertGoesOn(TransferResumePoint? point, long? from, string name, int lengthMax)
    {
        byte[] rest = _bench.Send(from: from, resumeFrom: point);
        Assert.That(rest, Has.Length.AtMost(lengthMax), "no block is sent twice");
        _bench.Receive(rest, name);
        TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, null, _bench.Target, name);
        Assert.That(HeapTransfer.GetUnfinished(_bench.Target), Is.Empty);
        _bench.AssertTargetSound();
        _bench.Target.DropHeap(name);
    }

    private string Describe(string name) => _bench.Target.HeapNames.Contains(name)
        ? $"{_bench.Target.GetHeap(name)}: {string.Join(", ", _bench.Target.History(name))}"
        : "nothing";

    private long UsedAfterReclaim()
    {
        while (_bench.Target.Reclaim())
        {
        }

        _bench.Target.Reclaim();
        _bench.Target.Reclaim();
        return _bench.Target.Space.UsedBytes;
    }

    private sealed class SynchronousProgress : IProgress<TransferProgress>
    {
        public List<TransferProgress> Reports { get; } = [];

        public void Report(TransferProgress value) => Reports.Add(value);
    }

    private sealed class CancellingProgress(CancellationTokenSource cancellation) : IProgress<TransferProgress>
    {
        public void Report(TransferProgress value) => cancellation.Cancel();
    }

    private sealed class FailingStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            Position == Length ? throw new IOException("the cable was pulled") : base.ReadAsync(buffer, cancellationToken);
    }
}
