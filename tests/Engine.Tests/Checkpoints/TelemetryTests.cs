using System.Diagnostics;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Checkpoints;

/// <summary>What the engine publishes for those who watch.</summary>
[TestFixture]
[NonParallelizable]
internal sealed class TelemetryTests
{
    [Test]
    public void Checkpoints_and_commits_are_activities_with_their_heap_and_number()
    {
        List<Activity> ended = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == EngineTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                lock (ended)
                {
                    ended.Add(activity);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        using SimulatedMedium medium = new(1);
        using (HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest))
        {
            using PersistentHeap heap = store.CreateHeap("watched");
            heap.Write(0, [1]);
            heap.Checkpoint();
            store.Verify();
        }

        Activity checkpoint = ended.Single(activity => activity.OperationName == "checkpoint" && (string?)activity.GetTagItem("heap") == "watched");
        Assert.Multiple(() =>
        {
            Assert.That(checkpoint.GetTagItem("number"), Is.EqualTo(1));
            Assert.That(checkpoint.GetTagItem("pages"), Is.EqualTo(1));
            Assert.That(ended.Any(activity => activity.OperationName == "commit" && activity.ParentSpanId == checkpoint.SpanId), Is.True);
            Assert.That(ended.Any(activity => activity.OperationName == "verify"), Is.True);
        });
    }

    [Test]
    public void A_failure_that_latches_the_store_is_logged_once()
    {
        List<string> lines = [];
        using SimulatedMedium medium = new(1);
        using HeapStore store = HeapStore.Create(medium, new HeapStoreOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin, Logger = new ListLogger(lines) });
        using PersistentHeap heap = store.CreateHeap("watched");
        heap.Write(0, [1]);
        medium.FailAt(medium.IoCount);
        Assert.Throws<HeapFailedException>(() => heap.Checkpoint());
        Assert.Throws<HeapFailedException>(() => heap.Checkpoint());
        Assert.That(lines, Has.Count.EqualTo(1));
        Assert.That(lines[0], Does.Contain("takes no more changes"));
    }
}
