using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>The mutators themselves: that they repeat, change something, and repair what they say they repair.</summary>
[TestFixture]
internal sealed class MutatorTests
{
    private const int Seeds = 300;

    [Test]
    public void The_same_seed_makes_the_same_mutation_and_most_seeds_change_something()
    {
        byte[] input = new byte[20_000];
        new Random(1).NextBytes(input);
        byte[] donor = new byte[5_000];
        new Random(2).NextBytes(donor);
        int changed = 0;
        int otherLengths = 0;
        for (int seed = 0; seed < Seeds; seed++)
        {
            byte[] once = new Mutator(new Random(seed)).Mutate(input, donor);
            byte[] again = new Mutator(new Random(seed)).Mutate(input, donor);
            Assert.That(again.AsSpan().SequenceEqual(once));
            changed += once.AsSpan().SequenceEqual(input) ? 0 : 1;
            otherLengths += once.Length == input.Length ? 0 : 1;
        }

        Assert.That(changed, Is.GreaterThan(Seeds * 9 / 10));
        Assert.That(otherLengths, Is.GreaterThan(Seeds / 10));
    }

    [Test]
    public void Input_of_any_length_can_be_mutated()
    {
        for (int length = 0; length < 40; length++)
        {
            for (int seed = 0; seed < Seeds; seed++)
            {
                byte[] input = new byte[length];
                Assert.That(new Mutator(new Random(seed)).MutateInPlace(input), Is.SameAs(input));
                _ = new Mutator(new Random(seed)).Mutate(input, new byte[length / 2]);
            }
        }
    }

    [Test]
    public void A_page_that_is_changed_and_repaired_is_served_as_changed_and_the_store_is_sound()
    {
        foreach (FuzzStore store in FuzzStores.All.Where(store => store.Name is "plain" or "scattered"))
        {
            (int _, ulong page, long offset) = new StoreImage(store.Image).Walk().First(place => place.Level == 0 && place.PageNumber >= 3);
            SparseImage forged = store.Image.Copy();
            forged.Flip(offset + 100, 3);
            AssertRefuses(forged.Copy(), page);
            store.Checksums.Repair(forged, offset / FileLayout.PageSize);

            using HeapStore opened = HeapStore.Open(new SimulatedMedium(1, forged), FuzzExercise.Options);
            using PersistentHeap heap = opened.OpenHeap(store.Name);
            byte[] expected = new byte[PersistentHeap.PageSize];
            byte[] found = new byte[PersistentHeap.PageSize];
            forged.Read(offset, expected);
            heap.Read(page * PersistentHeap.PageSize, found);
            Assert.That(found.AsSpan().SequenceEqual(expected));
            Assert.That(opened.SkippedRoots, Is.Empty);
            Assert.That(opened.Verify().Problems, Is.Empty);
        }
    }

    private static void AssertRefuses(SparseImage damaged, ulong page)
    {
        using HeapStore opened = HeapStore.Open(new SimulatedMedium(1, damaged), FuzzExercise.Options);
        using PersistentHeap heap = opened.OpenHeap(opened.HeapNames[0]);
        Assert.Throws<HeapCorruptedException>(() => heap.Read(page * PersistentHeap.PageSize, new byte[1]));
    }
}
