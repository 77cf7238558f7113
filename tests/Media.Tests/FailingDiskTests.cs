using Everheap.Engine;
using Everheap.Engine.Storage;
using Everheap.Media.Tests.Children;
using Everheap.Media.Tests.Disks;
using Everheap.Media.Tests.Histories;

namespace Everheap.Media.Tests;

/// <summary>A disk that answers with errors: the store says so, takes no more changes, and still gives what it has.</summary>
[TestFixture]
internal sealed class FailingDiskTests
{
    private const int Committed = 3;

    private static readonly RandomHistory History = new(7, StoreCommands.Pages, StoreCommands.PagesEach);

    [Test]
    public void A_disk_that_fails_while_it_is_written_to_latches_the_store_and_reopening_recovers([Values] WeakPart part)
    {
        using FaultyDisk disk = FaultyDisk.Create(part);
        string path = disk["store.heap"];
        using (HeapStore store = HeapStore.Create(path, RandomHistory.Options))
        {
            using PersistentHeap heap = store.CreateHeap(RandomHistory.HeapName);
            Commit(heap, 1, Committed);
            disk.FailsWrites = true;
            HeapFailedException failure = Assert.Throws<HeapFailedException>(() => Commit(heap, Committed + 1, Committed + 1))!;
            HeapFailedException again = Assert.Throws<HeapFailedException>(() => heap.Checkpoint())!;
            TestContext.Out.WriteLine(failure.Message);
            Assert.Multiple(() =>
            {
                Assert.That(failure.Message, Does.Contain(path));
                Assert.That(failure.InnerException, Is.InstanceOf<IOException>().And.Not.InstanceOf<MediumFullException>());
                Assert.That(again.InnerException, Is.SameAs(failure.InnerException));
                Assert.That(heap.LatestCheckpointNumber, Is.EqualTo(Committed));
            });
            History.AssertIs(heap, Committed + 1);
            Assert.That(store.Verify().IsSound, "what was committed can be read");
        }

        disk.FailsWrites = false;
        disk.PowerOff();
        disk.PowerOn();
        using (HeapStore store = HeapStore.Open(path, RandomHistory.Options))
        {
            using PersistentHeap heap = store.OpenHeap(RandomHistory.HeapName);
            long found = (long)heap.LatestCheckpointNumber;
            Assert.That(found, Is.EqualTo(Committed).Or.EqualTo(Committed + 1));
            History.AssertIs(heap, found);
            Commit(heap, found + 1, found + 2);
            Assert.That(store.Verify().IsSound);
        }
    }

    /// <summary>
    /// RandomAccess.FlushToDisk and FileStream.Flush return as if nothing had happened when fsync fails (.NET 10 on Linux): with them a checkpoint would
    /// be acknowledged that no disk holds.
    /// </summary>
    [Test]
    public void A_flush_on_a_file_system_that_has_given_up_writing_is_a_failure()
    {
        using FaultyDisk disk = FaultyDisk.Create();
        using FileMedium medium = FileMedium.Create(disk["medium"]);
        medium.Resize(1 << 20);
        medium.Flush();
        disk.FailsWrites = true;

        // A length alone, no data: what fails is the journal.
        medium.Resize(4 << 20);
        IOException failure = Assert.Throws<IOException>(medium.Flush)!;
        TestContext.Out.WriteLine(failure.Message);
        disk.FailsWrites = false;
        IOException afterwards = Assert.Throws<IOException>(() =>
        {
            medium.Write(0, [1]);
            medium.Flush();
        })!;
        TestContext.Out.WriteLine(afterwards.Message);
    }

    [Test]
    public void A_page_that_the_disk_cannot_deliver_is_an_exception_and_others_are_served()
    {
        using FaultyDisk disk = FaultyDisk.Create();
        string path = disk["store.heap"];
        using (HeapStore store = HeapStore.Create(path, RandomHistory.Options))
        {
            using PersistentHeap heap = store.CreateHeap(RandomHistory.HeapName);
            Commit(heap, 1, Committed);
        }

        // So that nothing of the file is in memory any more.
        disk.PowerOff();
        disk.PowerOn();
        using (HeapStore store = HeapStore.Open(path, new HeapStoreOptions { ReadOnly = true, ResidentBytes = HeapStoreOptions.ResidentBytesMin }))
        {
            using PersistentHeap heap = store.OpenHeap(RandomHistory.HeapName);
            disk.FailsReads = true;
            Assert.Throws<IOException>(() => History.AssertIs(heap, Committed));
            VerifyReport report = store.Verify();
            Assert.That(report.IsSound, Is.False);
            Assert.That(report.Problems[0].Message, Does.Contain("cannot be read"));
            disk.FailsReads = false;
            History.AssertIs(heap, Committed);
            Assert.That(store.Verify().IsSound);
        }
    }

    private static void Commit(PersistentHeap heap, long first, long last)
    {
        for (long number = first; number <= last; number++)
        {
            History.Write(heap, number);
            heap.Checkpoint();
        }
    }
}
