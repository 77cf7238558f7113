using System.IO.Pipelines;
using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Properties;
using Everheap.Engine.Tests.Simulation;
using Everheap.Engine.Transfer;
using FsCheck;
using FsCheck.Fluent;

namespace Everheap.Engine.Tests.Transfer;

/// <summary>Whatever is done to the source and however the streams come, the target ends with what was sent.</summary>
[TestFixture]
internal sealed class TransferProperties
{
    private const ulong PageSize = PersistentHeap.PageSize;
    private const int Cases = 25;
    private const int PageSpan = 3000;

    [Test]
    public void The_target_follows_the_source_through_changes_forks_and_reverts_whatever_pieces_the_streams_come_in()
    {
        // A step is what is done (by weight), and the seed of how.
        Gen<(int Kind, int Seed)> step =
            from kind in Gen.Choose(0, 13)
            from seed in Gen.Choose(0, int.MaxValue)
            select (kind, seed);
        Config config = Config.QuickThrowOnFailure.WithMaxTest(TestSeeds.IsLong ? Cases * 40 : Cases);
        Prop.ForAll(step.ListsOf(), steps =>
        {
            using Run run = new();
            foreach ((int kind, int seed) in steps)
            {
                run.Step(kind, new Random(seed));
            }

            run.Finish();
            return true;
        }).Check(config);
    }

    private sealed class Run : IDisposable
    {
        private readonly TransferBench _bench = new();
        private readonly PersistentHeap _heap;
        private long? _sent;

        public Run()
        {
            _heap = _bench.Source.CreateHeap(TransferBench.HeapName);
            _heap.Checkpoint();
            _bench.Source.SetRetention(TransferBench.HeapName, new RetentionPolicy { KeepLast = 1000 });
        }

        public void Step(int kind, Random random)
        {
            ulong first = (ulong)random.Next(PageSpan) * (random.Next(10) == 0 ? 1UL << 20 : 1);
            int pages = random.Next(1, 1 << random.Next(1, 8));
            switch (kind)
            {
                case <= 3:
                    SimulatedStores.Fill(_heap, first * PageSize, pages, random.Next());
                    break;
                case 4:
                    _heap.Clear(first * PageSize, (ulong)pages * PageSize);
                    break;
                case 5:
                    _heap.Write(first * PageSize, new byte[pages * (int)PageSize]);
                    break;
                case 6:
                    _heap.Allocate((ulong)pages * PageSize);
                    break;
                case 7 or 8:
                    _heap.Checkpoint();
                    break;
                case 9:
                    _heap.Revert(random.Next(1, (int)_heap.LatestCheckpointNumber + 1));
                    break;
                case 10:
                    SendWhole(random);
                    break;
                default:
                    SendOn(random);
                    break;
            }
        }

        public void Finish()
        {
            _heap.Checkpoint();
            SendOn(new Random(1));
            _bench.AssertTargetSound();
            Assert.That(HeapTransfer.GetUnfinished(_bench.Target), Is.Empty);
        }

        public void Dispose()
        {
            _heap.Dispose();
            _bench.Dispose();
        }

        private void SendWhole(Random random)
        {
            if (_bench.Target.HeapNames.Contains("whole"))
            {
                _bench.Target.DropHeap("whole");
            }

            Transfer(null, random.Next(1, (int)_heap.LatestCheckpointNumber + 1), "whole", random);
        }

        /// <summary>Sends the latest checkpoint, as what differs from what was sent last.</summary>
        private void SendOn(Random random)
        {
            long latest = (long)_heap.LatestCheckpointNumber;
            Guid to = ContentId(latest);
            if (_sent is { } number && ContentId(number) == to)
            {
                return; // reverted to what is there already
            }

            Transfer(_sent, latest, "copy", random);
            _sent = latest;
        }

        private void Transfer(long? from, long to, string name, Random random)
        {
            TransferResumePoint? point = null;
            for (int attempt = random.Next(3); attempt >= 0; attempt--)
            {
                byte[] stream = _bench.Send(to: to, from: from, resumeFrom: point);
                byte[] part = attempt == 0 ? stream : stream[..random.Next(stream.Length)];
                PipeReader reader = PipeReader.Create(new PiecemealStream(part, random), new StreamPipeReaderOptions(bufferSize: 1 << random.Next(4, 18), minimumReadSize: 1));
                ReceiveOptions options = new() { HeapName = name, SaveIntervalBytes = 4096L << random.Next(8) };
                Task<ReceivedCheckpoint> receiving = HeapTransfer.ReceiveAsync(_bench.Target, reader, options);
                if (attempt > 0)
                {
                    Assert.Throws<HeapTransferException>(() => receiving.GetAwaiter().GetResult());
                    point = HeapTransfer.GetUnfinished(_bench.Target).SingleOrDefault(unfinished => unfinished.HeapName == name)?.ResumePoint;
                    if (random.Next(4) == 0)
                    {
                        _bench.ReopenTarget();
                    }
                }
                else
                {
                    receiving.GetAwaiter().GetResult();
                }
            }

            TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, to, _bench.Target, name);
        }

        private Guid ContentId(long number) => _bench.Source.History(TransferBench.HeapName).Single(c => c.Number == number).ContentId;
    }

    /// <summary>Gives a few bytes at a time.</summary>
    private sealed class PiecemealStream(byte[] bytes, Random random) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, random.Next(1, 1 << random.Next(1, 18)))], cancellationToken);
    }
}
