using System.Buffers;
using System.IO.Pipelines;
using Everheap.Engine.Tests.Simulation;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.Transfer;

/// <summary>Neither side holds more of a stream than a block, however large it is and however slow the other side.</summary>
[TestFixture]
internal sealed class BackPressureTests
{
    private const int BlockBytesMax = BlockHeader.Size + TransferFormat.PayloadBytesMax;

    [Test]
    public void A_sender_waits_for_its_pipe_with_one_block_in_it()
    {
        using TransferBench bench = new();
        using PersistentHeap heap = bench.Source.CreateHeap(TransferBench.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 1000, version: 1);
        heap.Checkpoint();
        using HeapSnapshot snapshot = bench.Source.OpenSnapshot(TransferBench.HeapName);
        Pipe pipe = new(new PipeOptions(pauseWriterThreshold: 1, resumeWriterThreshold: 1));
        Task<TransferProgress> sending = Send();
        long total = 0;
        long largest = 0;
        ReadResult result;
        do
        {
            result = pipe.Reader.ReadAsync().AsTask().GetAwaiter().GetResult();
            largest = Math.Max(largest, result.Buffer.Length);
            total += result.Buffer.Length;
            pipe.Reader.AdvanceTo(result.Buffer.End);
        }
        while (!result.IsCompleted);

        Assert.That(largest, Is.LessThanOrEqualTo(BlockBytesMax));
        Assert.That(total, Is.EqualTo(sending.Result.Bytes));

        async Task<TransferProgress> Send()
        {
            TransferProgress sent = await HeapTransfer.SendAsync(null, snapshot, pipe.Writer);
            await pipe.Writer.CompleteAsync();
            return sent;
        }
    }

    [Test]
    public void A_receiver_leaves_in_the_pipe_what_is_not_of_the_block_it_reads()
    {
        using TransferBench bench = new();
        using PersistentHeap heap = bench.Source.CreateHeap(TransferBench.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 1000, version: 1);
        heap.Checkpoint();
        CountingReader reader = new(PipeReader.Create(new ReadOnlySequence<byte>(bench.Send())));
        HeapTransfer.ReceiveAsync(bench.Target, reader).GetAwaiter().GetResult();
        Assert.That(reader.LargestStep, Is.LessThanOrEqualTo(TransferFormat.PayloadBytesMax));
    }

    /// <summary>Notes how much is consumed at once: no more than that is copied out of the pipe.</summary>
    private sealed class CountingReader(PipeReader inner) : PipeReader
    {
        private ReadOnlySequence<byte> _buffer;

        public long LargestStep { get; private set; }

        public override void AdvanceTo(SequencePosition consumed)
        {
            LargestStep = Math.Max(LargestStep, _buffer.Slice(0, consumed).Length);
            inner.AdvanceTo(consumed);
        }

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => inner.AdvanceTo(consumed, examined);

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            ReadResult result = await inner.ReadAsync(cancellationToken);
            _buffer = result.Buffer;
            return result;
        }

        public override bool TryRead(out ReadResult result) => inner.TryRead(out result);
    }
}
