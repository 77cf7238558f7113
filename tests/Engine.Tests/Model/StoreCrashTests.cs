using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Model;

/// <summary>
/// Runs over all that a store can do crash at each of their I/Os. What a crash leaves is opened: it has to be the root that was the newest durable one, or the one
/// that was being made, with every member of it, whole and sound; and work goes on from it.
/// </summary>
[TestFixture]
[Parallelizable(ParallelScope.All)]
internal sealed class StoreCrashTests
{
    private const int WarmUpMax = 600;
    private const int Ios = 500;
    private const int IosWhenLong = 1200;
    private const int OperationsOfAStep = 10;
    private const int OperationsAfterRecovery = 25;
    private const int OperationsOfABrokenRun = 150;
    private const int BrokenRuns = 12;
    private const int PowerCutIosMax = 60;
    private const int PowerCutStride = 4;
    private const int OlderCheckpointsMax = 3;

    private static readonly CrashFlavour[] Flavours = Enum.GetValues<CrashFlavour>();

    private static int[] Seeds => TestSeeds.Take(2);

    private static int[] FewSeeds => TestSeeds.Take(2);

    /// <summary>The images come from one run, which is photographed at each I/O.</summary>
    [TestCaseSource(nameof(Seeds))]
    public void A_crash_at_any_io_leaves_the_newest_root_or_the_one_being_made(int seed)
    {
        (StoreRun run, List<(CrashMoment Moment, ulong Root)> moments) = Photograph(seed);
        int images = 0;
        for (int at = 0; at < moments.Count; at++)
        {
            int count = TestSeeds.IsLong ? Flavours.Length : 2;
            for (int i = 0; i < count; i++)
            {
                CrashFlavour flavour = Flavours[((at * 2) + i) % Flavours.Length];
                Random random = new(HashCode.Combine(seed, at, i));
                string when = $"seed {seed}, crash at I/O {at} after the warm-up, {flavour}";
                SimulatedMedium medium = new(seed, moments[at].Moment.Image(flavour, random));
                Recover(medium, Acceptable(run, moments[at].Root), random.Next(), when, goesOn: images % 8 == 0);
                images++;
            }
        }

        TestContext.Out.WriteLine($"seed {seed}: {moments.Count} I/Os in {run.Root} roots, {run.Groups} with several heaps; {images} images recovered");
        Assert.That(moments, Has.Count.AtLeast(Ios), "the run is too short to prove much");
    }

    /// <summary>
    /// The process is killed, which loses nothing; the next one opens what it finds, perhaps a root that no flush has covered, and goes on;
    /// then the power fails.
    /// </summary>
    [TestCaseSource(nameof(FewSeeds))]
    public void A_power_cut_some_time_after_a_kill_leaves_a_whole_root(int seed)
    {
        (StoreRun run, List<(CrashMoment Moment, ulong Root)> moments) = Photograph(seed);
        int images = 0;
        for (int at = 0; at < moments.Count; at += PowerCutStride)
        {
            Random random = new(HashCode.Combine(seed, at));
            SimulatedMedium next = new(seed, moments[at].Moment) { CrashAt = random.Next(PowerCutIosMax) };
            string when = $"seed {seed}, killed at I/O {at} after the warm-up";
            List<(ulong Root, StoreModel State)> acceptable = Acceptable(run, moments[at].Root);
            using StoreRun second = new(next, random.Next());
            second.OpenAndRunUntilBroken(acceptable, OperationsAfterRecovery, when);
            List<(ulong Root, StoreModel State)> then = Acceptable(second, second.Root);
            second.Dispose();
            if (next.FlushCount == 0)
            {
                then.AddRange(acceptable); // Nothing has made durable what opening found.
            }

            CrashFlavour flavour = at % 2 == 0 ? CrashFlavour.LoseAll : Flavours[random.Next(Flavours.Length)];
            Recover(new SimulatedMedium(seed, next.Image(flavour, random)), then, random.Next(), $"{when}, power cut at I/O {next.CrashAt} after, {flavour}", goesOn: false);
            images++;
        }

        TestContext.Out.WriteLine($"seed {seed}: {images} kills, each with a power cut after");
    }

    /// <summary>Here the run itself meets the crash: it has to end with an exception, and without hanging.</summary>
    [TestCaseSource(nameof(FewSeeds))]
    public void A_run_that_meets_the_crash_ends_and_leaves_a_whole_root(int seed)
    {
        Random random = new(seed);
        for (int i = 0; i < BrokenRuns; i++)
        {
            SimulatedMedium medium = new(seed) { CrashAt = random.Next(30, 500) };
            using StoreRun run = new(medium, seed + (i / 3), isGated: i % 2 == 0);
            run.CreateAndRunUntilBroken(OperationsOfABrokenRun);
            List<(ulong Root, StoreModel State)> acceptable = Acceptable(run, run.Root);
            run.Dispose();
            CrashFlavour flavour = Flavours[random.Next(Flavours.Length)];
            string when = $"seed {seed}, run {i}, crash met at I/O {medium.CrashAt}, {flavour}";
            Recover(new SimulatedMedium(seed, medium.Image(flavour, random)), acceptable, random.Next(), when, goesOn: true);
        }
    }

    /// <summary>A write, resize or flush fails, and the process lives on: it says so, serves what it has, and leaves a whole root.</summary>
    [TestCaseSource(nameof(FewSeeds))]
    public void A_run_that_meets_a_failure_goes_on_reading_and_leaves_a_whole_root(int seed)
    {
        Random random = new(seed);
        for (int i = 0; i < BrokenRuns; i++)
        {
            SimulatedMedium medium = new(seed);
            int failAt = random.Next(30, 500);
            medium.FailAt(failAt, i % 3 == 0 ? IoFault.Full : IoFault.Error);
            using StoreRun run = new(medium, seed + (i / 3), isGated: i % 2 == 0);
            run.CreateAndRunUntilBroken(OperationsOfABrokenRun);
            string when = $"seed {seed}, run {i}, {string.Join(", ", medium.Struck)}";
            if (medium.Struck.Count == 0)
            {
                continue;
            }

            List<(ulong Root, StoreModel State)> acceptable = Acceptable(run, run.Root);
            run.AssertServesAfterFailure(when);
            run.Dispose();
            foreach (CrashFlavour flavour in new[] { CrashFlavour.KeepAll, Flavours[random.Next(Flavours.Length)] })
            {
                Recover(new SimulatedMedium(seed, medium.Image(flavour, random)), acceptable, random.Next(), $"{when}, {flavour}", goesOn: true);
            }
        }
    }

    private static (StoreRun Run, List<(CrashMoment Moment, ulong Root)> Moments) Photograph(int seed)
    {
        List<(CrashMoment, ulong)> moments = [];
        SimulatedMedium medium = new(seed);
        using StoreRun run = new(medium, seed) { KeepsAllRoots = true };
        run.Create();
        run.Run(new Random(seed).Next(WarmUpMax));
        medium.BeforeIo += _ => moments.Add((medium.Capture(), run.Root));
        while (moments.Count < (TestSeeds.IsLong ? IosWhenLong : Ios))
        {
            run.Run(OperationsOfAStep);
        }

        run.Finish();
        string when = $"seed {seed}, undisturbed";
        run.AssertEqualsModel(when);
        run.AssertSound(when);
        return (run, moments);
    }

    private static List<(ulong Root, StoreModel State)> Acceptable(StoreRun run, ulong root) => run.StateAt(root) is { } state
        ? [(root, state), .. run.StatesAfter(root).Select(next => (root + 1, next))]
        : [];

    private static void Recover(SimulatedMedium medium, List<(ulong Root, StoreModel State)> acceptable, int seed, string when, bool goesOn)
    {
        try
        {
            using StoreRun recovered = new(medium, seed);
            recovered.Open(acceptable, when);
            recovered.AssertSound(when);
            recovered.AssertEqualsModel(when, OlderCheckpointsMax);
            if (goesOn)
            {
                recovered.Run(OperationsAfterRecovery);
                recovered.Finish();
                recovered.AssertOpenHeapsEqualModels(when);
                recovered.AssertSound($"{when}, and {OperationsAfterRecovery} operations on");
                recovered.AssertEqualsModel($"{when}, and {OperationsAfterRecovery} operations on");
            }
        }
        catch (Exception e) when (e is not AssertionException || !e.Message.StartsWith("seed", StringComparison.Ordinal))
        {
            throw new AssertionException($"{when}: {e.Message}", e);
        }
    }
}
