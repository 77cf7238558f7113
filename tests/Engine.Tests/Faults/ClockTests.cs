using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Faults;

/// <summary>Clocks jump: a battery is empty, a virtual machine is moved, somebody sets the time. A store goes by numbers; times are what the clock said.</summary>
[TestFixture]
internal sealed class ClockTests
{
    private static readonly DateTimeOffset Start = new(2025, 6, 1, 12, 0, 0, TimeSpan.Zero);

    [Test]
    public void Checkpoints_keep_their_order_when_the_clock_goes_back()
    {
        JumpingClock clock = new(Start);
        SimulatedMedium medium = new(1);
        DateTimeOffset[] times = [Start, Start.AddDays(-400), Start.AddHours(1), DateTimeOffset.MinValue, Start.AddYears(3000), Start];
        using (HeapStore store = HeapStore.Create(medium, Options(clock)))
        {
            using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
            for (int i = 0; i < times.Length; i++)
            {
                clock.Now = times[i];
                SimulatedStores.Fill(heap, SimulatedStores.Address, 10, version: i + 1);
                heap.Checkpoint();
            }
        }

        medium.Reattach();
        clock.Now = Start.AddDays(-10_000);
        using (HeapStore store = HeapStore.Open(medium, Options(clock)))
        {
            using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
            Assert.That(store.History(SimulatedStores.HeapName).Select(checkpoint => checkpoint.Number), Is.EqualTo(Enumerable.Range(1, times.Length)));
            Assert.That(store.History(SimulatedStores.HeapName).Select(checkpoint => checkpoint.Time), Is.EqualTo(times));
            SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 10, version: times.Length);
            Assert.That(store.Verify().IsSound);
        }
    }

    [Test]
    public void A_clock_that_goes_back_drops_no_checkpoint_that_is_kept_by_age()
    {
        JumpingClock clock = new(Start);
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), Options(clock));
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 10, version: 1);
        heap.Checkpoint();
        store.SetRetention(SimulatedStores.HeapName, new RetentionPolicy { KeepFor = TimeSpan.FromHours(1) });
        foreach (double hours in (double[])[0.5, -1000, -999.8, -2000, 0.2])
        {
            clock.Now = Start.AddHours(hours);
            SimulatedStores.Fill(heap, SimulatedStores.Address, 10, version: 2);
            heap.Checkpoint();
        }

        Assert.That(store.History(SimulatedStores.HeapName).Where(checkpoint => checkpoint.IsRetained).Select(checkpoint => checkpoint.Number), Does.Contain(1).And.Contain(2));
        using HeapSnapshot first = store.OpenSnapshot(SimulatedStores.HeapName, 1);
        Assert.That(store.Verify().IsSound);
    }

    [Test]
    public void What_is_kept_by_number_stays_wherever_the_clock_goes()
    {
        JumpingClock clock = new(Start);
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), Options(clock));
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        heap.Checkpoint();
        store.SetRetention(SimulatedStores.HeapName, new RetentionPolicy { KeepLast = 3, KeepFor = TimeSpan.FromSeconds(1) });
        for (int i = 1; i <= 8; i++)
        {
            clock.Now = Start.AddYears(i * (i % 2 == 0 ? 100 : -100));
            heap.Write(SimulatedStores.Address, [(byte)i]);
            heap.Checkpoint();
        }

        Assert.That(store.History(SimulatedStores.HeapName).Where(checkpoint => checkpoint.IsRetained).Select(checkpoint => checkpoint.Number), Is.SupersetOf(new long[] { 7, 8, 9 }));
    }

    private static HeapStoreOptions Options(TimeProvider clock) =>
        new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin, BackgroundReclaim = false, TimeProvider = clock };

    private sealed class JumpingClock(DateTimeOffset now) : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = now;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
