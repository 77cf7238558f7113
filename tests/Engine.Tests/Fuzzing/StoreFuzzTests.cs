using System.Diagnostics;
using System.Globalization;
using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>
/// Opens stores that were damaged or forged at random and works with them: no crash, no hang, no wrong content, no memory without bound.
/// EVERHEAP_TORTURE=long: a million of them. EVERHEAP_SEED=n replays the case of that number.
/// </summary>
[TestFixture]
[NonParallelizable]
internal sealed class StoreFuzzTests
{
    private const int Cases = 1_000;
    private const int CasesLong = 500_000;

    /// <summary>Managed memory that a case may take in all. The most is taken by a catalog that says it has all the slots for checkpoints there can be.</summary>
    private const long AllocatedBytesMax = 96L << 20;

    /// <summary>A case takes milliseconds; one that takes this long will not end.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Test]
    public void A_damaged_store_serves_what_was_written_or_refuses() => Fuzz(isForged: false);

    [Test]
    public void A_forged_store_is_never_worse_than_a_documented_exception() => Fuzz(isForged: true);

    /// <summary>A root before the opened one with a directory past the end; a map with more problems than are told of.</summary>
    [TestCase(102117)]
    [TestCase(100001983)]
    public void A_forged_store_that_went_wrong_once_does_so_no_more(int number)
    {
        long before = GC.GetTotalAllocatedBytes();
        FuzzExercise exercise = Case(number, isForged: true);

        exercise.Run();

        Assert.That(GC.GetTotalAllocatedBytes() - before, Is.LessThan(AllocatedBytesMax));
    }

    [Test]
    public void Every_store_to_start_from_is_sound_and_holds_what_it_should()
    {
        foreach (FuzzStore store in FuzzStores.All)
        {
            FuzzExercise exercise = new(store.Image.Copy(), isForged: false, seed: 1);
            exercise.Run();
            Assert.That(exercise.IsSound, store.Name);
            Assert.That(exercise.Refusals, Is.Zero, store.Name);
        }
    }

    private static void Fuzz(bool isForged)
    {
        int[] given = Environment.GetEnvironmentVariable("EVERHEAP_SEED") is not null ? TestSeeds.Take(1) : [];
        int first = given.Length > 0 ? given[0] : TestSeeds.IsLong ? 0 : Random.Shared.Next(int.MaxValue - Cases);
        int count = given.Length > 0 ? 1 : TestSeeds.IsLong ? CasesLong : Cases;
        TestContext.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"cases {first} to {first + count - 1}"));
        int current = first;
        int opened = 0;
        int sound = 0;
        int refused = 0;
        int stepsMax = 0;
        long allocatedMax = 0;
        Exception? failure = null;

        // On a thread of its own: one that never ends can then at least be told of.
        Thread thread = new(() =>
        {
            try
            {
                for (; current < first + count; current++)
                {
                    long before = GC.GetTotalAllocatedBytes();
                    FuzzExercise exercise = Case(current, isForged);
                    exercise.Run();
                    long allocated = GC.GetTotalAllocatedBytes() - before;
                    allocatedMax = Math.Max(allocatedMax, allocated);
                    stepsMax = Math.Max(stepsMax, exercise.Steps);
                    opened += exercise.IsOpened ? 1 : 0;
                    sound += exercise.IsSound ? 1 : 0;
                    refused += exercise.Refusals > 0 ? 1 : 0;
                    Assert.That(allocated, Is.LessThan(AllocatedBytesMax));
                    TestSeeds.NoteProgress(current - first + 1L);
                }
            }
            catch (Exception exception)
            {
                failure = exception;
            }
        })
        {
            IsBackground = true,
        };
        thread.Start();
        Watch(thread, () => Volatile.Read(ref current));
        if (failure is not null)
        {
            Assert.Fail(string.Create(CultureInfo.InvariantCulture, $"case {current} (EVERHEAP_SEED={current} replays it): {failure}"));
        }

        TestContext.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{count} cases: {opened} opened, {sound} sound, {refused} refused something; at most {stepsMax} reads and writes, {allocatedMax >> 10} KiB of managed memory"));
    }

    private static FuzzExercise Case(int number, bool isForged)
    {
        Random random = new(number);
        FuzzStore store = FuzzStores.All[random.Next(FuzzStores.All.Count)];
        FuzzStore donor = FuzzStores.All[random.Next(FuzzStores.All.Count)];
        StoreMutator mutator = new(random);
        SparseImage image = isForged ? mutator.Forge(store) : mutator.Damage(store, donor);
        return new FuzzExercise(image, isForged, random.Next());
    }

    private static void Watch(Thread thread, Func<int> current)
    {
        int last = -1;
        Stopwatch watch = Stopwatch.StartNew();
        while (!thread.Join(TimeSpan.FromMilliseconds(100)))
        {
            if (current() != last)
            {
                last = current();
                watch.Restart();
            }
            else if (watch.Elapsed > Patience)
            {
                Assert.Fail(string.Create(CultureInfo.InvariantCulture, $"case {last} does not end (EVERHEAP_SEED={last} replays it)"));
            }
        }
    }
}
