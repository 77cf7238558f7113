using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Model;

/// <summary>
/// A run of random operations crashes at each of its I/Os in turn. What the crash left is opened: it has to be the last checkpoint that had
/// returned, or one that was in flight, whole and sound, and work can go on from it.
/// </summary>
[TestFixture]
[Parallelizable(ParallelScope.All)]
internal sealed class CrashAtEveryIoTests
{
    private const int Steps = 20;
    private const int StepsAfterRecovery = 25;
    private const int IosMin = 300;
    private const int IosOfCreation = 20;
    private const int ImagesPerCrash = 3;
    private const int MetStride = 6;
    private const int PowerCutIosMax = 60;

    private static readonly CrashFlavour[] Flavours = Enum.GetValues<CrashFlavour>();

    private static int[] Seeds => TestSeeds.Take(2);

    private static int[] FewSeeds => TestSeeds.Take(1);

    /// <summary>The images come from one run, which is photographed at each I/O: what is durable, what is not, and what had returned.</summary>
    [TestCaseSource(nameof(Seeds))]
    public void A_crash_at_any_io_leaves_the_last_checkpoint_or_the_one_in_flight(int seed)
    {
        List<(CrashMoment Moment, SortedDictionary<long, HeapModel> Acceptable)> moments = [];
        SimulatedMedium medium = new(seed);
        using HeapRun run = new(medium, seed);
        medium.BeforeIo = _ => moments.Add((medium.Capture(), run.IsCreated ? run.AcceptableNow() : []));
        run.CreateAndRun(Steps, IosMin + IosOfCreation);
        run.Finish();
        run.AssertSound($"seed {seed}, undisturbed");

        int images = 0;
        for (int crashAt = 0; crashAt < moments.Count; crashAt++)
        {
            int count = TestSeeds.IsLong ? Flavours.Length * 2 : ImagesPerCrash;
            for (int i = 0; i < count; i++)
            {
                CrashFlavour flavour = Flavours[((crashAt * ImagesPerCrash) + i) % Flavours.Length];
                Random random = new(seed + (crashAt * 1000) + i);
                SparseImage image = moments[crashAt].Moment.Image(flavour, random);
                string when = $"seed {seed}, crash at I/O {crashAt}, {flavour} ({i})";
                Recover(image, moments[crashAt].Acceptable, run.TouchedPages, random.Next(), when, goesOn: i == 0);
                images++;
            }
        }

        TestContext.Out.WriteLine($"seed {seed}: {moments.Count} I/Os, {images} images recovered");
        Assert.That(moments, Has.Count.AtLeast(IosMin), "the run is too short to prove much");
    }

    /// <summary>Here the run itself meets the crash, at every sixth I/O (at each in a long run): it has to end with an exception, and without hanging.</summary>
    [TestCaseSource(nameof(FewSeeds))]
    public void A_run_that_meets_the_crash_ends_and_leaves_nothing_that_cannot_be_opened(int seed)
    {
        int ios = 0;
        int stride = TestSeeds.IsLong ? 1 : MetStride;
        int met = 0;
        for (bool more = true; more; ios += stride)
        {
            SimulatedMedium crashed = new(seed) { CrashAt = ios };
            using HeapRun run = new(crashed, seed);
            run.CreateAndRun(Steps, IosMin + IosOfCreation);
            run.Dispose();
            more = crashed.HasCrashed;
            if (more)
            {
                met++;
                Random random = new(seed + (ios * 1000));
                CrashFlavour flavour = Flavours[random.Next(Flavours.Length)];
                string when = $"seed {seed}, crash met at I/O {ios}, {flavour}";
                SortedDictionary<long, HeapModel> acceptable = run.IsCreated ? run.Checkpoints : [];
                Recover(crashed.Image(flavour, random), acceptable, run.TouchedPages, random.Next(), when, goesOn: false);
            }
        }

        TestContext.Out.WriteLine($"seed {seed}: {met} crashes met in {ios} I/Os");
        Assert.That(ios, Is.AtLeast(IosMin), "the run is too short to prove much");
    }

    /// <summary>
    /// The process is killed, which loses nothing; the next one opens what it finds, perhaps a root that no flush has covered, and goes on;
    /// then the power fails. Once anything has been flushed, what was opened must not be undone, and nothing it needs may have been written over.
    /// </summary>
    [TestCaseSource(nameof(Seeds))]
    public void A_power_cut_some_time_after_a_kill_leaves_a_whole_checkpoint(int seed)
    {
        List<(SimulatedMedium Next, SortedDictionary<long, HeapModel> Acceptable)> kills = [];
        SimulatedMedium medium = new(seed);
        using HeapRun run = new(medium, seed);
        Random random = new(seed);
        medium.BeforeIo = io =>
        {
            if (run.IsCreated)
            {
                kills.Add((new SimulatedMedium((int)io, medium.Capture()) { CrashAt = random.Next(PowerCutIosMax) }, run.AcceptableNow()));
            }
        };
        run.CreateAndRun(Steps, IosMin + IosOfCreation);

        int images = 0;
        for (int killAt = 0; killAt < kills.Count; killAt++)
        {
            string when = $"seed {seed}, killed at I/O {killAt} since the creation";
            (SimulatedMedium next, SortedDictionary<long, HeapModel> acceptable) = kills[killAt];
            using HeapRun second = new(next, seed + killAt, run.TouchedPages);
            second.OpenAndRun(acceptable, StepsAfterRecovery, when);
            second.Dispose();
            int count = TestSeeds.IsLong ? Flavours.Length : 1;
            for (int i = 0; i < count; i++)
            {
                CrashFlavour flavour = (i + killAt) % 2 == 0 ? CrashFlavour.LoseAll : Flavours[random.Next(Flavours.Length)];
                string then = $"{when}, power cut at I/O {next.CrashAt} after, {flavour}";
                Recover(next.Image(flavour, random), second.Checkpoints, second.TouchedPages, random.Next(), then, goesOn: false);
                images++;
            }
        }

        TestContext.Out.WriteLine($"seed {seed}: {kills.Count} kills, {images} images recovered");
        Assert.That(kills, Has.Count.AtLeast(IosMin), "the run is too short to prove much");
    }

    private static void Recover(
        SparseImage image,
        SortedDictionary<long, HeapModel> acceptable,
        IEnumerable<ulong> touchedPages,
        int seed,
        string when,
        bool goesOn)
    {
        SimulatedMedium medium = new(seed, image);
        if (acceptable.Count == 0)
        {
            // The creation had not returned: what it left is refused as unfinished, or is there, and sound.
            ExpectAnUnfinishedStore(medium, when);
            return;
        }

        using HeapRun recovered = new(medium, seed, touchedPages);
        try
        {
            recovered.OpenAndCheck(acceptable, when);
            recovered.AssertSound(when);
            if (goesOn)
            {
                recovered.Run(StepsAfterRecovery);
                recovered.Finish();
                recovered.AssertSound($"{when}, and {StepsAfterRecovery} steps on");
            }
        }
        catch (Exception e) when (e is not AssertionException || !e.Message.StartsWith("seed", StringComparison.Ordinal))
        {
            throw new AssertionException($"{when}: {e.Message}", e);
        }
    }

    private static void ExpectAnUnfinishedStore(SimulatedMedium medium, string when)
    {
        try
        {
            using HeapStore store = HeapStore.Open(medium, HeapRun.Options);
            Assert.That(store.Verify().IsSound, Is.True, when);
            foreach (string name in store.HeapNames)
            {
                using PersistentHeap heap = store.OpenHeap(name);
                Assert.That(name, Is.EqualTo(HeapRun.HeapName), when);
            }
        }
        catch (HeapFormatException)
        {
        }
    }
}
