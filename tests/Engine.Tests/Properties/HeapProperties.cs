using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Simulation;
using FsCheck;
using FsCheck.Fluent;

namespace Everheap.Engine.Tests.Properties;

/// <summary>Properties of the public face, on generated inputs; lists are shrunk when they fail.</summary>
[TestFixture]
internal sealed class HeapProperties
{
    private const ulong PageSize = PersistentHeap.PageSize;
    private const ulong AddressMax = PersistentHeap.AddressEnd;
    private const int Cases = 60;

    [Test]
    public void Spans_written_anywhere_in_the_address_space_read_back_before_and_after_opening_again()
    {
        // Addresses near each other and far apart, spans within pages and across them.
        Gen<ulong> address =
            from high in Gen.Choose(0, 40)
            from low in Gen.Choose(0, 40_000)
            select high < 10 ? (ulong)low : Math.Min((1UL << (high + 8)) - 20_000 + (ulong)low, AddressMax - 20_000);
        Gen<(ulong Address, byte[] Bytes)> span =
            from at in address
            from length in Gen.Choose(0, 10_000)
            from seed in Gen.Choose(0, int.MaxValue)
            select (at, Bytes(seed, length));
        Check(span.ListsOf(), spans =>
        {
            HeapModel model = new();
            HashSet<ulong> touched = [];
            SimulatedMedium medium = new(1);
            using (HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest))
            {
                using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
                foreach ((ulong at, byte[] bytes) in spans)
                {
                    heap.Write(at, bytes);
                    model.Write(at, bytes);
                    touched.UnionWith(PagesAround(at, bytes.Length));
                }

                model.AssertEquals(heap, touched, "before the checkpoint");
                heap.Checkpoint();
            }

            medium.Reattach();
            using HeapStore again = HeapStore.Open(medium, SimulatedStores.Smallest);
            using PersistentHeap heapAgain = again.OpenHeap(SimulatedStores.HeapName);
            model.AssertEquals(heapAgain, touched, "after opening again");
            VerifyReport report = again.Verify();
            return report.IsSound;
        });
    }

    [Test]
    public void Clearing_any_range_leaves_zeros_inside_and_nothing_changed_outside()
    {
        const int Pages = 20;
        Gen<(int From, int Length)> range =
            from start in Gen.Choose(0, Pages * (int)PageSize)
            from length in Gen.Choose(0, Pages * (int)PageSize)
            select (start, Math.Min(length, (Pages * (int)PageSize) - start));
        Check(range.ToArbitrary(), r =>
        {
            using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
            using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
            byte[] expected = Bytes(1, Pages * (int)PageSize);
            heap.Write(SimulatedStores.Address, expected);
            heap.Clear(SimulatedStores.Address + (ulong)r.From, (ulong)r.Length);
            expected.AsSpan(r.From, r.Length).Clear();
            byte[] found = new byte[expected.Length];
            heap.Read(SimulatedStores.Address, found);
            return found.AsSpan().SequenceEqual(expected);
        });
    }

    [Test]
    public void Allocated_ranges_never_overlap_and_are_zero_however_they_are_released()
    {
        // A positive number allocates so many pages, with an alignment from its last bits; a negative one releases the range at its index.
        Gen<int> step = Gen.Choose(-40, 60);
        Check(step.ListsOf(), steps =>
        {
            SimulatedMedium medium = new(1);
            HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest);
            PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
            List<(ulong Address, ulong Length)> live = [];
            bool sound = true;
            int count = 0;
            foreach (int s in steps)
            {
                if (s > 0)
                {
                    ulong length = (ulong)s * PageSize;
                    ulong alignment = PageSize << (s % 5);
                    ulong address = heap.Allocate(length, alignment);
                    sound &= address % alignment == 0 && address >= 1 << 20;
                    sound &= live.TrueForAll(other => address + length <= other.Address || other.Address + other.Length <= address);
                    byte[] content = new byte[length];
                    heap.Read(address, content);
                    sound &= content.AsSpan().IndexOfAnyExcept((byte)0) < 0;
                    heap.Write(address, [1]);
                    heap.Write(address + length - 1, [1]);
                    live.Add((address, length));
                }
                else if (-s < live.Count)
                {
                    (ulong address, ulong length) = live[-s];
                    heap.Release(address, length);
                    live.RemoveAt(-s);
                }

                if (++count % 16 == 0)
                {
                    heap.Checkpoint();
                    heap.Dispose();
                    store.Dispose();
                    medium.Reattach();
                    store = HeapStore.Open(medium, SimulatedStores.Smallest);
                    heap = store.OpenHeap(SimulatedStores.HeapName);
                }
            }

            heap.Checkpoint();
            sound &= store.Verify().IsSound;
            heap.Dispose();
            store.Dispose();
            return sound;
        });
    }

    [Test]
    public void A_released_range_can_be_allocated_again_for_ever()
    {
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        ulong highest = 0;
        for (int i = 0; i < 2000; i++)
        {
            ulong first = heap.Allocate(1UL << 30);
            ulong second = heap.Allocate(PageSize);
            highest = Math.Max(highest, Math.Max(first, second));
            heap.Release(first, 1UL << 30);
            heap.Release(second, PageSize);
        }

        Assert.That(highest, Is.LessThan(8UL << 30));
    }

    private static void Check<T>(Arbitrary<T> inputs, Func<T, bool> property)
    {
        Config config = Config.QuickThrowOnFailure.WithMaxTest(TestSeeds.IsLong ? Cases * 20 : Cases);
        Prop.ForAll(inputs, property).Check(config);
    }

    private static byte[] Bytes(int seed, int length)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static IEnumerable<ulong> PagesAround(ulong address, int length)
    {
        ulong last = (address + (ulong)length) / PageSize;
        for (ulong page = Math.Max(address / PageSize, 1) - 1; page <= last + 1 && page < AddressMax / PageSize; page++)
        {
            yield return page;
        }
    }
}
