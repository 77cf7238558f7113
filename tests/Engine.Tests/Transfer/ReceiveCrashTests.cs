using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Simulation;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.Transfer;

/// <summary>
/// The machine crashes at each I/O of a receive. What is left opens, is sound, and has the heap as it was before or whole; and the receive goes on from what was kept,
/// as part of it or from the start, until it is whole.
/// </summary>
[TestFixture]
[Parallelizable(ParallelScope.All)]
internal sealed class ReceiveCrashTests
{
    private const int Pages = 120;
    private const int ImagesPerCrash = 1;
    private const int MetStride = 4;
    private const int IosMin = 60;
    private const long SaveIntervalBytes = 16 * 4096;

    private static readonly CrashFlavour[] Flavours = Enum.GetValues<CrashFlavour>();

    private static IEnumerable<TestCaseData> Cases => TestSeeds.Take(1).SelectMany(seed => new[] { new TestCaseData(seed, false), new TestCaseData(seed, true) });

    [TestCaseSource(nameof(Cases))]
    public void A_crash_at_any_io_of_a_receive_leaves_the_heap_as_it_was_or_whole(int seed, bool isDifference)
    {
        using Scene scene = new(isDifference);
        SimulatedMedium medium = new(seed, scene.Before);
        List<CrashMoment> moments = [];
        using (HeapStore store = HeapStore.Open(medium, TransferBench.Options))
        {
            medium.BeforeIo = _ => moments.Add(medium.Capture());
            TransferBench.Receive(store, scene.Stream, Scene.Name, SaveIntervalBytes);
            medium.BeforeIo = null;
            moments.Add(medium.Capture()); // it has returned: from here on there is no way back
        }

        int kept = 0;
        int whole = 0;
        int images = 0;
        for (int io = 0; io < moments.Count; io++)
        {
            for (int i = 0; i < (TestSeeds.IsLong ? Flavours.Length * 2 : ImagesPerCrash); i++)
            {
                CrashFlavour flavour = Flavours[((io * ImagesPerCrash) + i) % Flavours.Length];
                Random random = new(seed + (io * 1000) + i);
                SparseImage image = moments[io].Image(flavour, random);
                Outcome outcome = scene.Recover(image, random, $"seed {seed}, crash at I/O {io}, {flavour} ({i})");
                Assert.That(outcome == Outcome.Whole || io < moments.Count - 1, Is.True, $"seed {seed}, {flavour}: what had returned is gone");
                kept += outcome == Outcome.Kept ? 1 : 0;
                whole += outcome == Outcome.Whole ? 1 : 0;
                images++;
            }
        }

        TestContext.Out.WriteLine($"seed {seed}: {moments.Count} I/Os, {images} images: {kept} with something kept, {whole} whole");
        Assert.Multiple(() =>
        {
            Assert.That(moments, Has.Count.AtLeast(IosMin), "the receive is too short to prove much");
            Assert.That(kept, Is.GreaterThan(images / 2));
            Assert.That(whole, Is.Positive);
        });
    }

    [TestCaseSource(nameof(Cases))]
    public void A_receive_that_meets_the_crash_or_a_failure_ends_and_leaves_nothing_that_cannot_be_opened(int seed, bool isDifference)
    {
        using Scene scene = new(isDifference);
        bool more = true;
        for (int io = seed % MetStride; more; io += TestSeeds.IsLong ? 1 : MetStride)
        {
            foreach (bool fails in (bool[])[false, true])
            {
                SimulatedMedium medium = new(seed, scene.Before) { CrashAt = fails ? -1 : io };
                if (fails)
                {
                    medium.FailAt(io);
                }

                string when = $"seed {seed}, {(fails ? "failure" : "crash")} met at I/O {io}";
                using (HeapStore store = HeapStore.Open(medium, TransferBench.Options))
                {
                    try
                    {
                        TransferBench.Receive(store, scene.Stream, Scene.Name, SaveIntervalBytes);
                        more = false;
                    }
                    catch (HeapFailedException)
                    {
                        Assert.That(scene.IsAsBefore(store), Is.True, $"{when}: in the process that met it");
                    }
                }

                Random random = new(seed + (io * 1000));
                SparseImage left = fails ? medium.Current() : medium.Image(Flavours[random.Next(Flavours.Length)], random);
                scene.Recover(left, random, when);
            }
        }
    }

    private enum Outcome
    {
        Before,
        Kept,
        Whole,
    }

    /// <summary>A target, the stream it receives, and what it may show afterwards.</summary>
    private sealed class Scene : IDisposable
    {
        public const string Name = "received";

        private readonly TransferBench _bench = new();
        private readonly long? _from;
        private readonly string _before;

        public Scene(bool isDifference)
        {
            using (PersistentHeap heap = _bench.Source.CreateHeap(TransferBench.HeapName))
            {
                SimulatedStores.Fill(heap, SimulatedStores.Address, Pages, version: 1);
                heap.Checkpoint();
                _bench.Source.Retain(TransferBench.HeapName, 1);
                SimulatedStores.Fill(heap, SimulatedStores.Address + (50 * 4096), Pages, version: 2);
                heap.Clear(SimulatedStores.Address, 20 * 4096);
                heap.Checkpoint();
            }

            using (PersistentHeap other = _bench.Target.CreateHeap("other"))
            {
                SimulatedStores.Fill(other, SimulatedStores.Address, 10, version: 9);
                other.Checkpoint();
            }

            if (isDifference)
            {
                _from = 1;
                _bench.Receive(_bench.Send(to: 1), Name);
            }

            Stream = _bench.Send(from: _from);
            _before = Describe(_bench.Target);
            _bench.Target.Dispose();
            Before = _bench.TargetMedium.Current();
        }

        public SparseImage Before { get; }

        public byte[] Stream { get; }

        public bool IsAsBefore(HeapStore store) => Describe(store) == _before;

        public Outcome Recover(SparseImage image, Random random, string when)
        {
            SimulatedMedium medium = new(1, image);
            using HeapStore store = HeapStore.Open(medium, TransferBench.Options);
            AssertSound(store, when);
            UnfinishedReceive? unfinished = HeapTransfer.GetUnfinished(store).SingleOrDefault();
            if (!IsAsBefore(store))
            {
                Assert.That(unfinished, Is.Null, when);
                AssertWhole(store, when);
                return Outcome.Whole;
            }

            Outcome outcome = unfinished is null ? Outcome.Before : Outcome.Kept;
            TransferResumePoint? point = random.Next(3) == 0 ? null : unfinished?.ResumePoint;
            try
            {
                TransferBench.Receive(store, _bench.Send(from: _from, resumeFrom: point), Name);
            }
            catch (HeapException refused)
            {
                throw new AssertionException($"{when}: it does not go on: {refused.Message}", refused);
            }

            AssertWhole(store, when);
            AssertSound(store, $"{when}, gone on");
            return outcome;
        }

        public void Dispose() => _bench.Dispose();

        private void AssertWhole(HeapStore store, string when)
        {
            try
            {
                TransferBench.AssertSame(_bench.Source, TransferBench.HeapName, 2, store, Name);
                using HeapSnapshot other = store.OpenSnapshot("other");
                byte[] page = new byte[4096];
                other.Read(SimulatedStores.Address, page);
                Assert.That(page, Is.EqualTo(SimulatedStores.PageContent(SimulatedStores.Address / 4096, 9)));
            }
            catch (Exception e) when (e is AssertionException or HeapException)
            {
                throw new AssertionException($"{when}: {e.Message}", e);
            }
        }

        private static void AssertSound(HeapStore store, string when)
        {
            VerifyReport report = store.Verify();
            Assert.That(report.Problems, Is.Empty, when);
            Assert.That(report.AllocatedPages, Is.EqualTo(report.ReachablePages), when);
        }

        private static string Describe(HeapStore store) =>
            string.Join("\n", store.Heaps.Select(heap => $"{heap}: {string.Join(", ", store.History(heap.Name).Select(c => $"{c.Number} {c.ContentId} {c.IsRetained}"))}"));
    }
}
