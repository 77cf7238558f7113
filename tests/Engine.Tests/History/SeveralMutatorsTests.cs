using System.Collections.Concurrent;
using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.History;

/// <summary>Several heaps of a store, each with a thread of its own, while others read snapshots, and fork and drop: real threads, at whatever moments.</summary>
[TestFixture]
[NonParallelizable]
internal sealed class SeveralMutatorsTests
{
    private const int Mutators = 4;
    private const int Rounds = 60;
    private const int RoundsLong = 3000;
    private const int Pages = 300;
    private const ulong Address = SimulatedStores.Address;

    private static int[] Seeds => TestSeeds.Take(2);

    [TestCaseSource(nameof(Seeds))]
    public void Heaps_driven_by_threads_of_their_own_keep_apart_and_share_roots(int seed)
    {
        using SlowFlushes medium = new(new SimulatedMedium(seed));
        using HeapStore store = HeapStore.Create(medium, new HeapStoreOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin });
        ConcurrentDictionary<(string Heap, long Number), int[]> sealedVersions = [];
        int rounds = TestSeeds.IsLong ? RoundsLong : Rounds;
        int mutating = Mutators;
        int looks = 0;
        Task[] mutators = [.. Enumerable.Range(0, Mutators).Select(i => Task.Factory.StartNew(
            () =>
            {
                Mutate(store, $"heap {i}", new Random((seed * 100) + i), rounds, sealedVersions);
                Interlocked.Decrement(ref mutating);
            },
            TaskCreationOptions.LongRunning))];
        Task reader = Task.Run(() => Repeat(() => looks += Look(store, sealedVersions)));
        Task forker = Task.Run(() => Repeat(() => ForkAndDrop(store, sealedVersions)));
        Task.WaitAll([.. mutators, reader, forker]);

        Assert.That(store.Verify().Problems, Is.Empty);
        long checkpoints = 0;
        foreach (HeapInfo heap in store.Heaps)
        {
            checkpoints += heap.LatestCheckpoint;
            Assert.That(LooksAsSealed(store, heap.Name, null, sealedVersions), Is.True, $"seed {seed}: {heap.Name}");
        }

        TestContext.Out.WriteLine($"seed {seed}: {checkpoints} checkpoints in {store.CommitNumber} commits, {looks} snapshots read");
        Assert.Multiple(() =>
        {
            Assert.That(store.HeapNames, Has.Count.EqualTo(Mutators));
            Assert.That(looks, Is.Positive);
            Assert.That((long)store.CommitNumber, Is.LessThan(checkpoints), "checkpoints that coincide go into one root");
        });

        void Repeat(Action action)
        {
            while (Volatile.Read(ref mutating) > 0)
            {
                action();
            }
        }
    }

    private static void Mutate(HeapStore store, string name, Random random, int rounds, ConcurrentDictionary<(string, long), int[]> sealedVersions)
    {
        using PersistentHeap heap = store.CreateHeap(name);
        int[] versions = new int[Pages];
        for (int round = 1; round <= rounds; round++)
        {
            for (int i = random.Next(1, 60); i > 0; i--)
            {
                int page = random.Next(Pages);
                versions[page] = round;
                heap.Write(Address + ((ulong)page * PersistentHeap.PageSize), SimulatedStores.PageContent((ulong)page, round));
            }

            // Known before anybody can see the checkpoint.
            sealedVersions[(name, round)] = [.. versions];
            PendingCheckpoint pending = heap.BeginCheckpoint();
            Assert.That(pending.Number, Is.EqualTo(round));
            if (random.Next(3) == 0)
            {
                pending.Wait();
            }
        }

        sealedVersions[(name, rounds + 1)] = [.. versions];
        heap.Checkpoint();
    }

    private static int Look(HeapStore store, ConcurrentDictionary<(string, long), int[]> sealedVersions)
    {
        int looks = 0;
        foreach (HeapInfo heap in store.Heaps.Where(heap => heap.OriginName is null))
        {
            Assert.That(LooksAsSealed(store, heap.Name, null, sealedVersions), Is.True, heap.Name);
            looks++;
        }

        return looks;
    }

    private static bool LooksAsSealed(HeapStore store, string name, string? origin, ConcurrentDictionary<(string, long), int[]> sealedVersions)
    {
        using HeapSnapshot snapshot = store.OpenSnapshot(name);
        int[] versions = sealedVersions[(origin ?? name, snapshot.CheckpointNumber)];
        byte[] found = new byte[PersistentHeap.PageSize];
        for (int page = 0; page < Pages; page++)
        {
            snapshot.Read(Address + ((ulong)page * PersistentHeap.PageSize), found);
            byte[] expected = versions[page] == 0 ? new byte[PersistentHeap.PageSize] : SimulatedStores.PageContent((ulong)page, versions[page]);
            if (!found.AsSpan().SequenceEqual(expected))
            {
                return false;
            }
        }

        return true;
    }

    private static void ForkAndDrop(HeapStore store, ConcurrentDictionary<(string, long), int[]> sealedVersions)
    {
        foreach (HeapInfo heap in store.Heaps)
        {
            try
            {
                store.Fork(heap.Name, store.GetHeap(heap.Name).LatestCheckpoint, "fork");
            }
            catch (HeapException moved) when (moved.GetType() == typeof(HeapException) && moved.Message.Contains("not retained", StringComparison.Ordinal))
            {
                continue; // It has made another checkpoint since.
            }

            Assert.That(LooksAsSealed(store, "fork", heap.Name, sealedVersions), Is.True, $"a fork of {heap.Name}");
            store.DropHeap("fork");
        }
    }

    /// <summary>A medium whose flushes take a while, as a disk's do: so that checkpoints become ready while another's root is being written.</summary>
    private sealed class SlowFlushes(IStorageMedium inner) : IStorageMedium
    {
        public string Name => inner.Name;

        public bool IsReadOnly => inner.IsReadOnly;

        public long Length => inner.Length;

        public void Read(long offset, Span<byte> destination) => inner.Read(offset, destination);

        public void Write(long offset, ReadOnlySpan<byte> source) => inner.Write(offset, source);

        public void Resize(long length) => inner.Resize(length);

        public void Flush()
        {
            Thread.Sleep(1);
            inner.Flush();
        }

        public void Dispose() => inner.Dispose();
    }
}
