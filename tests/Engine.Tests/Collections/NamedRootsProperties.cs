using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Properties;
using FsCheck;
using FsCheck.Fluent;

namespace Everheap.Engine.Tests.Collections;

/// <summary>Named roots do what a dictionary does, over checkpoints, reopening and crashes.</summary>
[TestFixture]
internal sealed class NamedRootsProperties
{
    private const int Cases = 60;

    [Test]
    public void Names_behave_as_in_a_dictionary()
    {
        // Few names, so that they meet again, and many steps, so that the table is made anew in all ways.
        Gen<Step> step =
            from kind in Gen.Choose(0, 40)
            from name in Gen.Choose(0, 300)
            from address in Gen.Choose(0, int.MaxValue - 1)
            select new Step(kind, new string((char)('a' + (name % 26)), 1 + (name % 7)) + name, (ulong)address << 12);
        Config config = Config.QuickThrowOnFailure.WithMaxTest(TestSeeds.IsLong ? Cases * 20 : Cases).WithEndSize(1500);
        Prop.ForAll(step.ListsOf(), Run).Check(config);
    }

    private static void Run(IEnumerable<Step> steps)
    {
        using ReopenableHeap place = new();
        Dictionary<string, ulong> model = [];
        Dictionary<string, ulong> durable = [];
        foreach (Step step in steps)
        {
            switch (step.Kind)
            {
                case < 20:
                    place.Heap.Roots.Set(step.Name, step.Address);
                    model[step.Name] = step.Address;
                    break;
                case < 35:
                    Assert.That(place.Heap.Roots.Remove(step.Name), Is.EqualTo(model.Remove(step.Name)));
                    break;
                case < 37:
                    place.Heap.BeginCheckpoint();
                    durable = new Dictionary<string, ulong>(model);
                    break;
                case 37:
                    place.Reopen();
                    model = new Dictionary<string, ulong>(durable);
                    Assert.That(place.Heap.Roots, Is.EquivalentTo(model));
                    break;
                default:
                    Assert.That(place.Heap.Roots.TryGet(step.Name, out ulong found), Is.EqualTo(model.TryGetValue(step.Name, out ulong expected)));
                    Assert.That(found, Is.EqualTo(expected));
                    break;
            }

            Assert.That(place.Heap.Roots.Count, Is.EqualTo(model.Count));
        }

        Assert.That(place.Heap.Roots, Is.EquivalentTo(model));
        place.CheckpointAndReopen();
        Assert.That(place.Heap.Roots, Is.EquivalentTo(model));
        Assert.That(place.Verify().IsSound, Is.True);
    }

    private readonly record struct Step(int Kind, string Name, ulong Address);
}
