using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Model;

/// <summary>Random runs over all that a store can do, undisturbed: it stays equal to its model, sound, and no larger than it has to be.</summary>
[TestFixture]
[Parallelizable(ParallelScope.All)]
internal sealed class StoreRunTests
{
    private const int Rounds = 30;
    private const int OperationsOfARound = 100;

    private static int[] Seeds => TestSeeds.Take(2);

    [TestCaseSource(nameof(Seeds))]
    public void A_store_stays_equal_to_its_model(int seed)
    {
        SimulatedMedium medium = new(seed);
        using StoreRun run = new(medium, seed) { Trace = [] };
        try
        {
            run.Create();
            for (int round = 0; round < Rounds; round++)
            {
                string when = $"seed {seed}, round {round}";
                run.Run(OperationsOfARound);
                run.AssertOpenHeapsEqualModels(when);
                run.AssertEqualsModel(when);
                run.AssertSound(when);
            }

            run.Finish();
        }
        catch (Exception e)
        {
            TestContext.Out.WriteLine(string.Join("\n", run.Trace.TakeLast(60)));
            throw new AssertionException($"seed {seed}, operation {run.Operations}: {e}", e);
        }

        TestContext.Out.WriteLine($"seed {seed}: {run.Operations} operations, {medium.IoCount} I/Os, {run.Root} roots, {run.Groups} of them with several heaps, {medium.Length} bytes");
        Assert.That(run.Groups, Is.Positive);
    }
}
