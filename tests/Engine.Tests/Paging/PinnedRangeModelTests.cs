using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Paging;

/// <summary>Random work with pinned ranges against a model, undisturbed and with a crash at each I/O.</summary>
[TestFixture]
[Parallelizable(ParallelScope.All)]
internal sealed class PinnedRangeModelTests
{
    private const int Steps = 1000;
    private const int CrashSteps = 250;
    private const int CrashStride = 2;

    private static readonly CrashFlavour[] Flavours = Enum.GetValues<CrashFlavour>();

    private static int[] Seeds => TestSeeds.Take(4);

    private static int[] FewSeeds => TestSeeds.Take(2);

    [TestCaseSource(nameof(Seeds))]
    public void A_heap_with_pinned_ranges_stays_equal_to_its_model(int seed) => Run(seed, isGated: true);

    [TestCaseSource(nameof(FewSeeds))]
    public void A_heap_with_pinned_ranges_stays_equal_to_its_model_while_the_writer_runs_freely(int seed) => Run(seed, isGated: false);

    [TestCaseSource(nameof(FewSeeds))]
    public void A_crash_at_any_io_leaves_the_last_checkpoint_or_the_one_in_flight(int seed)
    {
        List<(CrashMoment Medium, SortedDictionary<long, HeapModel> Acceptable)> moments = [];
        SimulatedMedium medium = new(seed);
        using PinnedRun run = new(medium, seed);
        medium.BeforeIo = io =>
        {
            if (run.IsCreated && (TestSeeds.IsLong || io % CrashStride == 0))
            {
                moments.Add((medium.Capture(), run.Acceptable()));
            }
        };
        run.Run(CrashSteps);
        run.Finish($"seed {seed}, undisturbed");

        Random random = new(seed);
        for (int i = 0; i < moments.Count; i++)
        {
            CrashFlavour flavour = Flavours[i % Flavours.Length];
            string when = $"seed {seed}, crash {i}, {flavour}";
            SparseImage image = moments[i].Medium.Image(flavour, random);
            using HeapStore store = HeapStore.Open(new SimulatedMedium(seed, image), PinnedRun.Options);
            using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
            long number = (long)heap.LatestCheckpointNumber;
            Assert.That(moments[i].Acceptable.TryGetValue(number, out HeapModel? model), Is.True, $"{when}: checkpoint {number}");
            using PinnedRange range = heap.PinRange(SimulatedStores.Address, heap.PinnableBytes);
            model!.AssertEquals(heap, PinnedRun.AllPages, when);
            Assert.That(store.Verify().IsSound, Is.True, when);
        }

        TestContext.Out.WriteLine($"seed {seed}: {moments.Count} images recovered");
        Assert.That(moments, Has.Count.AtLeast(100), "the run is too short to prove much");
    }

    private static void Run(int seed, bool isGated)
    {
        SimulatedMedium medium = new(seed);
        using PinnedRun run = new(medium, seed) { IsGated = isGated };
        run.Run(TestSeeds.IsLong ? 4 * Steps : Steps);
        HeapStatistics statistics = run.Statistics;
        run.Finish($"seed {seed}");
        TestContext.Out.WriteLine($"seed {seed}: {medium.IoCount} I/Os, {statistics}");
        Assert.Multiple(() =>
        {
            Assert.That(statistics.PinnedCopies, Is.GreaterThan(100));
            Assert.That(statistics.PinnedWrites, Is.Positive);
            Assert.That(statistics.SealedCopies, Is.Positive);
            Assert.That(statistics.DirtyEvictions, Is.Positive);
        });
    }
}
