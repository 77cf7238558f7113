using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Model;

/// <summary>
/// Random runs over all that a store can do on a medium that fills up and gets room again: nothing that was committed or is in memory is lost, nothing latches, and the
/// same store goes on.
/// </summary>
[TestFixture]
[Parallelizable(ParallelScope.All)]
internal sealed class StoreFullTests
{
    private const int Rounds = 12;

    /// <summary>When writers get on with their work is up to the system: some runs of so few rounds just fit, and go on until one does not.</summary>
    private const int RoundsMax = 10 * Rounds;
    private const int OperationsOfARound = 100;

    private static int[] Seeds => TestSeeds.Take(4);

    [TestCaseSource(nameof(Seeds))]
    public void Want_of_room_loses_nothing_and_latches_nothing(int seed)
    {
        SimulatedMedium medium = new(seed);
        using StoreRun run = new(medium, seed) { FillsUp = true, Trace = [] };
        try
        {
            run.Create();
            for (int round = 0; round < Rounds || (run.TimesFull == 0 && round < RoundsMax); round++)
            {
                string when = $"seed {seed}, round {round}";
                run.Run(OperationsOfARound);
                run.AssertSound(when);
                run.AssertEqualsModel(when);
                if (round % 3 == 2)
                {
                    run.Finish();
                    run.AssertOpenHeapsEqualModels(when);
                    run.AssertSound(when);
                    run.AssertEqualsModel(when);
                }
            }
        }
        catch (Exception e)
        {
            TestContext.Out.WriteLine(string.Join("\n", run.Trace.TakeLast(60)));
            throw new AssertionException($"seed {seed}, operation {run.Operations}, full {run.TimesFull} times: {e}", e);
        }

        TestContext.Out.WriteLine($"seed {seed}: {run.Operations} operations, {medium.IoCount} I/Os, {run.Root} roots, full {run.TimesFull} times, {medium.Length} bytes");
        Assert.That(run.TimesFull, Is.Positive);
    }
}
