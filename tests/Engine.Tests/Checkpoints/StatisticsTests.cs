using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Checkpoints;

/// <summary>What the heap counts, and that the meter publishes it.</summary>
[TestFixture]
[NonParallelizable]
internal sealed class StatisticsTests
{
    private static readonly string[] Published = ["fault", "eviction", "dirty", "written", "pause", "duration"];

    [Test]
    public void Dirty_pages_count_up_with_stores_and_back_to_zero_with_a_seal()
    {
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1));
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        heap.Checkpoint();
        Assert.That(heap.DirtyBytes, Is.Zero);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 25, version: 1);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 25, version: 2);
        Assert.Multiple(() =>
        {
            Assert.That(heap.Statistics.DirtyPages, Is.EqualTo(25));
            Assert.That(heap.DirtyBytes, Is.EqualTo(25 * PersistentHeap.PageSize));
        });
        heap.Checkpoint();
        Assert.That(heap.DirtyBytes, Is.Zero);
    }

    [Test]
    public void A_checkpoint_says_what_it_wrote_and_how_long_it_took()
    {
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1));
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 25, version: 1);
        HeapStatistics before = heap.Statistics;
        CheckpointInfo info = heap.Checkpoint();
        HeapStatistics after = heap.Statistics;
        Assert.Multiple(() =>
        {
            Assert.That(info.Pages, Is.GreaterThanOrEqualTo(25));
            Assert.That(info.Bytes, Is.GreaterThan(25 * PersistentHeap.PageSize));
            Assert.That(info.Pause, Is.GreaterThanOrEqualTo(TimeSpan.Zero));
            Assert.That(info.Duration, Is.GreaterThanOrEqualTo(info.Pause));
            Assert.That(after.Checkpoints, Is.EqualTo(before.Checkpoints + 1));
            Assert.That(after.BytesWritten - before.BytesWritten, Is.GreaterThanOrEqualTo(info.Bytes));
            Assert.That(after.LastPause, Is.EqualTo(info.Pause));
            Assert.That(after.MaxPause, Is.GreaterThanOrEqualTo(after.LastPause));
            Assert.That(after.MaxDuration, Is.GreaterThanOrEqualTo(after.LastDuration));
        });
    }

    [Test]
    public void A_checkpoint_of_nothing_new_still_counts_and_writes_little()
    {
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1));
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 200, version: 1);
        long number = heap.Checkpoint().Number;
        heap.Checkpoint();
        CheckpointInfo info = heap.Checkpoint();
        Assert.Multiple(() =>
        {
            Assert.That(info.Number, Is.EqualTo(number + 2));
            Assert.That(info.Bytes, Is.LessThan(32 * PersistentHeap.PageSize));
        });
    }

    [Test]
    public void The_meter_publishes_what_the_statistics_say()
    {
        ConcurrentDictionary<string, double> published = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == "Everheap.Engine")
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => published.AddOrUpdate(instrument.Name, value, (_, v) => v + value));
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => published.AddOrUpdate(instrument.Name, value, (_, v) => v + value));
        listener.SetMeasurementEventCallback<int>((instrument, value, _, _) => published.AddOrUpdate(instrument.Name, value, (_, v) => v + value));
        listener.Start();

        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 1000, version: 1);
        heap.Checkpoint();
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 1000, version: 1);
        listener.RecordObservableInstruments();

        TestContext.Out.WriteLine(string.Join(", ", published.OrderBy(p => p.Key).Select(p => $"{p.Key}={p.Value}")));
        Assert.Multiple(() =>
        {
            foreach (string word in Published)
            {
                Assert.That(published.Keys.Any(name => name.Contains(word, StringComparison.OrdinalIgnoreCase)), Is.True, $"no instrument for {word}");
            }

            Assert.That(published.Where(p => p.Key.Contains("fault", StringComparison.OrdinalIgnoreCase)).Sum(p => p.Value), Is.Positive);
        });
    }
}
