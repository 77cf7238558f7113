using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Model;

/// <summary>The same random runs with a writer that is not held back: what happens between the two threads is up to the machine.</summary>
[TestFixture]
internal sealed class FreeRunningWriterTests
{
    private const int Steps = 2500;

    private static int[] Seeds => TestSeeds.Take(2);

    [TestCaseSource(nameof(Seeds))]
    public void The_heap_stays_equal_to_its_model_while_the_writer_runs_freely(int seed)
    {
        SimulatedMedium medium = new(seed);
        using HeapRun run = new(medium, seed) { IsGated = false };
        run.CreateAndRun(Steps);
        run.Finish();
        run.AssertSound($"seed {seed}");
        TestContext.Out.WriteLine($"seed {seed}: {medium.IoCount} I/Os, {run.Heap.Statistics}");
    }

    [TestCaseSource(nameof(Seeds))]
    public void A_crash_at_some_moment_while_the_writer_runs_freely_leaves_a_whole_checkpoint(int seed)
    {
        Random random = new(seed);
        for (int i = 0; i < 20; i++)
        {
            SimulatedMedium crashed = new(seed) { CrashAt = random.Next(20, 400) };
            using HeapRun run = new(crashed, seed + i) { IsGated = false };
            run.CreateAndRun(Steps);
            run.Dispose();
            Assert.That(crashed.HasCrashed && run.IsCreated, Is.True);
            string when = $"seed {seed}, run {i}, crash at I/O {crashed.CrashAt}";
            using HeapRun recovered = new(new SimulatedMedium(seed, crashed.Image(CrashFlavour.TornSectors, random)), seed, run.TouchedPages);
            recovered.OpenAndCheck(run.Checkpoints, when);
            recovered.AssertSound(when);
        }
    }
}
