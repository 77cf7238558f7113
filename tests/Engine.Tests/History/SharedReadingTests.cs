using System.IO.Pipelines;
using Everheap.Engine.Tests.Simulation;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.History;

/// <summary>Reading a store past the lock of its writer: what is read is right, or is refused with the reason.</summary>
[TestFixture]
internal sealed class SharedReadingTests
{
    private const ulong Address = SimulatedStores.Address;
    private const int Pages = 600;

    private TemporaryFolder _folder = null!;
    private HeapStore _store = null!;
    private PersistentHeap _heap = null!;

    private string StorePath => _folder.File("store.heap");

    [SetUp]
    public void CreateStore()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Ignore("A writer keeps readers out on this system.");
        }

        _folder = new TemporaryFolder();
        _store = HeapStore.Create(StorePath, new HeapStoreOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin, BackgroundReclaim = false });
        _heap = _store.CreateHeap("main");
        SimulatedStores.Fill(_heap, Address, Pages, version: 1);
        _heap.Checkpoint();
    }

    [TearDown]
    public void CloseStore()
    {
        _heap?.Dispose();
        _store?.Dispose();
        _folder?.Dispose();
    }

    [Test]
    public void A_reader_sees_a_retained_checkpoint_while_the_writer_goes_on()
    {
        _store.Retain("main", 1, "start");
        using HeapStore shared = HeapStore.OpenShared(StorePath);
        Assert.That(shared.HeapNames, Is.EqualTo(new[] { "main" }));
        Assert.That(shared.History("main").Single().Name, Is.EqualTo("start"));
        using HeapSnapshot snapshot = shared.OpenSnapshot("main", 1);
        for (int version = 2; version <= 6; version++)
        {
            SimulatedStores.Fill(_heap, Address, Pages, version);
            _heap.Checkpoint();
            AssertFilled(snapshot, version: 1);
        }

        // As of the moment of opening; opened again it shows what is there now.
        Assert.That(shared.GetHeap("main").LatestCheckpoint, Is.EqualTo(1));
        using HeapStore later = HeapStore.OpenShared(StorePath);
        Assert.That(later.GetHeap("main").LatestCheckpoint, Is.EqualTo(6));
        using HeapSnapshot first = later.OpenSnapshot("main", 1);
        using HeapSnapshot last = later.OpenSnapshot("main");
        AssertFilled(last, version: 6);
        Assert.That(later.Difference(first, last).Count(), Is.EqualTo(Pages));
    }

    [Test]
    public void A_checkpoint_that_is_dropped_meanwhile_is_said_to_be_so()
    {
        using HeapStore shared = HeapStore.OpenShared(StorePath);
        using HeapSnapshot snapshot = shared.OpenSnapshot("main");
        for (int version = 2; version <= 6; version++)
        {
            SimulatedStores.Fill(_heap, Address, Pages, version);
            _heap.Checkpoint();
        }

        // Not retained, its pages were written over.
        HeapException refusal = Assert.Throws<HeapException>(() => AssertFilled(snapshot, version: 1))!;
        Assert.That(refusal.Message, Does.Contain("checkpoint 1 of heap 'main' was dropped, or moved by a compaction, by the process that writes the store"));
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        Assert.That(async () => await HeapTransfer.SendAsync(null, snapshot, pipe.Writer), Throws.TypeOf<HeapException>().With.Message.Contains("was dropped"));
        Assert.That(() => shared.Difference(snapshot, snapshot).Count(), Is.Zero);
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_difference_of_which_one_side_is_dropped_meanwhile_is_said_to_be_so(bool isFrom)
    {
        _store.Retain("main", 1);
        SimulatedStores.Fill(_heap, Address, Pages, version: 2);
        _heap.Checkpoint();
        using HeapStore shared = HeapStore.OpenShared(StorePath);
        using HeapSnapshot kept = shared.OpenSnapshot("main", 1);
        using HeapSnapshot dropped = shared.OpenSnapshot("main", 2);
        for (int version = 3; version <= 7; version++)
        {
            SimulatedStores.Fill(_heap, Address, Pages, version);
            _heap.Checkpoint();
        }

        (HeapSnapshot from, HeapSnapshot to) = isFrom ? (dropped, kept) : (kept, dropped);
        Assert.That(() => _ = shared.Difference(from, to).Count(), Throws.TypeOf<HeapException>().With.Message.Contains("checkpoint 2 of heap 'main' was dropped"));
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        Assert.That(
            async () => await HeapTransfer.SendAsync(from, to, pipe.Writer), Throws.TypeOf<HeapException>().With.Message.Contains("checkpoint 2 of heap 'main' was dropped"));
    }

    [Test]
    public void Damage_is_not_taken_for_a_checkpoint_that_was_dropped()
    {
        _heap.Dispose();
        _store.Dispose();
        byte[] bytes = File.ReadAllBytes(StorePath);
        byte[] content = SimulatedStores.PageContent(Address / PersistentHeap.PageSize, 1);
        int at = bytes.AsSpan().IndexOf(content);
        bytes[at + 100] ^= 1;
        File.WriteAllBytes(StorePath, bytes);
        using HeapStore shared = HeapStore.OpenShared(StorePath);
        using HeapSnapshot snapshot = shared.OpenSnapshot("main");
        HeapCorruptedException damage = Assert.Throws<HeapCorruptedException>(() => snapshot.Read(Address, new byte[1]))!;
        Assert.That(damage.FileOffset, Is.EqualTo(at));
    }

    [Test]
    public void Readers_that_come_at_any_moment_find_a_whole_store_and_right_pages()
    {
        _store.SetRetention("main", new RetentionPolicy { KeepLast = 4 });
        using var stop = new CancellationTokenSource();
        Task writer = Task.Run(() =>
        {
            for (int version = 2; !stop.IsCancellationRequested; version++)
            {
                SimulatedStores.Fill(_heap, Address, 40, version);
                _heap.Checkpoint();
            }
        });
        try
        {
            int right = 0;
            byte[] found = new byte[PersistentHeap.PageSize];
            for (int i = 0; i < 300 && !writer.IsCompleted; i++)
            {
                using HeapStore shared = HeapStore.OpenShared(StorePath);
                long number = shared.History("main").First(checkpoint => checkpoint.IsRetained).Number;
                using HeapSnapshot snapshot = shared.OpenSnapshot("main", number);
                try
                {
                    for (ulong page = 0; page < 40; page++)
                    {
                        snapshot.Read(Address + (page * PersistentHeap.PageSize), found);
                        Assert.That(found.AsSpan().SequenceEqual(SimulatedStores.PageContent((Address / PersistentHeap.PageSize) + page, (int)number)), $"page {page} of checkpoint {number}");
                        right++;
                    }
                }
                catch (HeapException refusal) when (refusal.GetType() == typeof(HeapException))
                {
                    Assert.That(refusal.Message, Does.Contain("was dropped"));
                }
            }

            Assert.That(right, Is.Positive);
        }
        finally
        {
            stop.Cancel();
            writer.GetAwaiter().GetResult();
        }
    }

    [Test]
    public void What_needs_the_lock_is_refused()
    {
        using HeapStore shared = HeapStore.OpenShared(StorePath);
        Assert.Multiple(() =>
        {
            Assert.That(() => shared.OpenHeap("main"), Throws.TypeOf<HeapException>().With.Message.Contains("snapshot"));
            Assert.That(() => shared.Verify(), Throws.TypeOf<HeapException>());
            Assert.That(() => shared.Fork("main", 1, "fork"), Throws.TypeOf<HeapException>().With.Message.Contains("reading only"));
            Assert.That(() => shared.CreateHeap("new"), Throws.TypeOf<HeapException>().With.Message.Contains("reading only"));
        });
        Assert.That(() => HeapStore.OpenShared(StorePath + ".missing"), Throws.TypeOf<FileNotFoundException>());
        File.WriteAllText(StorePath + ".text", new string('x', 100_000));
        Assert.That(() => HeapStore.OpenShared(StorePath + ".text"), Throws.TypeOf<HeapFormatException>());
    }

    [Test]
    public async Task A_checkpoint_is_sent_past_the_lock_and_goes_its_own_way_where_it_is_received()
    {
        ulong range = _heap.Allocate(100_000);
        _heap.Checkpoint();
        _store.Retain("main", 2);
        using HeapStore shared = HeapStore.OpenShared(StorePath);
        using HeapSnapshot snapshot = shared.OpenSnapshot("main", 2);
        SimulatedStores.Fill(_heap, Address, Pages, version: 2);
        _heap.Checkpoint();

        using HeapStore other = HeapStore.Create(_folder.File("other.heap"));
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        await HeapTransfer.SendAsync(null, snapshot, pipe.Writer);
        await pipe.Writer.CompleteAsync();
        await HeapTransfer.ReceiveAsync(other, pipe.Reader, new ReceiveOptions { HeapName = "copy" });
        HeapInfo info = other.GetHeap("copy");
        Assert.Multiple(() =>
        {
            Assert.That(info.LatestCheckpoint, Is.EqualTo(2));
            Assert.That(info.BranchCheckpoint, Is.EqualTo(2));
            Assert.That(info.OriginCheckpoint, Is.EqualTo(2));
            Assert.That(info.OriginName, Is.Null);
        });
        using PersistentHeap copy = other.OpenHeap("copy");
        SimulatedStores.AssertFilled(copy, Address, Pages, version: 1);

        // What is set aside came along, too.
        Assert.That(copy.Allocate(4096), Is.Not.InRange(range, range + 100_000 - 1));
        Assert.That(copy.Checkpoint().Number, Is.EqualTo(3));
        Assert.That(other.Verify().Problems, Is.Empty);
    }

    private static void AssertFilled(HeapSnapshot snapshot, int version)
    {
        byte[] found = new byte[PersistentHeap.PageSize];
        for (ulong i = 0; i < Pages; i++)
        {
            ulong page = (Address / PersistentHeap.PageSize) + i;
            snapshot.Read(page * PersistentHeap.PageSize, found);
            if (!found.AsSpan().SequenceEqual(SimulatedStores.PageContent(page, version)))
            {
                throw new AssertionException($"Page {page} is not version {version}.");
            }
        }
    }
}
