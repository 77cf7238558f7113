namespace Everheap.Engine.Tests;

/// <summary>Stores in real files: creating, opening, locking.</summary>
[TestFixture]
internal sealed class StoreFileTests
{
    private const string HeapName = "main";
    private const ulong Address = 4UL << 20;

    private TemporaryFolder _folder = null!;

    private string File => _folder.File("test.heap");

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public void What_a_checkpoint_holds_is_there_after_opening_again()
    {
        using (HeapStore store = HeapStore.Create(File))
        {
            using PersistentHeap heap = store.CreateHeap(HeapName);
            heap.Write(Address, "held"u8);
            heap.Checkpoint();
            heap.Write(Address, "lost"u8);
        }

        using (HeapStore store = HeapStore.Open(File))
        {
            using PersistentHeap heap = store.OpenHeap(HeapName);
            byte[] bytes = new byte[4];
            heap.Read(Address, bytes);
            Assert.Multiple(() =>
            {
                Assert.That(bytes, Is.EqualTo("held"u8.ToArray()));
                Assert.That(store.HeapNames, Is.EqualTo(new[] { HeapName }));
                Assert.That(store.Path, Is.EqualTo(File));
                Assert.That(store.SkippedRoots, Is.Empty);
            });
        }
    }

    [Test]
    public void A_second_opener_is_told_who_holds_the_store()
    {
        using HeapStore store = HeapStore.Create(File);
        HeapLockedException refused = Assert.Throws<HeapLockedException>(() => HeapStore.Open(File))!;
        Assert.Multiple(() =>
        {
            Assert.That(refused.Message, Does.Contain(File));
            if (OperatingSystem.IsLinux())
            {
                Assert.That(refused.Message, Does.Contain($"{Environment.ProcessId}").And.Contain(Environment.MachineName));
                Assert.That(refused.ProcessId, Is.EqualTo(Environment.ProcessId));
            }
        });
        Assert.Throws<HeapLockedException>(() => HeapStore.Open(File, new HeapStoreOptions { ReadOnly = true }));
    }

    [Test]
    public void The_lock_goes_with_its_holder()
    {
        HeapStore.Create(File).Dispose();
        HeapStore.Open(File).Dispose();
        HeapStore.Open(File).Dispose();
    }

    [Test]
    public void Readers_share_a_store_and_keep_writers_out()
    {
        using (HeapStore store = HeapStore.Create(File))
        {
            using PersistentHeap heap = store.CreateHeap(HeapName);
            heap.Write(Address, "shared"u8);
            heap.Checkpoint();
        }

        byte[] before = System.IO.File.ReadAllBytes(File);
        HeapStoreOptions readOnly = new() { ReadOnly = true };
        using (HeapStore first = HeapStore.Open(File, readOnly))
        {
            using HeapStore second = HeapStore.Open(File, readOnly);
            using PersistentHeap heap = second.OpenHeap(HeapName);
            byte[] bytes = new byte[6];
            heap.Read(Address, bytes);
            Assert.That(bytes, Is.EqualTo("shared"u8.ToArray()));
            Assert.That(first.Verify().IsSound, Is.True);
            Assert.That(() => heap.Write(Address, "x"u8), Throws.InstanceOf<Exception>());
            Assert.That(() => heap.Checkpoint(), Throws.InstanceOf<Exception>());
            Assert.Throws<HeapLockedException>(() => HeapStore.Open(File));
        }

        Assert.That(System.IO.File.ReadAllBytes(File), Is.EqualTo(before), "a reader changes nothing");
    }

    [Test]
    public void Creating_over_something_is_refused()
    {
        System.IO.File.WriteAllText(File, "mine");
        Assert.That(() => HeapStore.Create(File), Throws.InstanceOf<IOException>().Or.InstanceOf<HeapException>());
        Assert.That(System.IO.File.ReadAllText(File), Is.EqualTo("mine"));
    }

    [Test]
    public void Opening_nothing_is_refused()
    {
        Assert.That(() => HeapStore.Open(File), Throws.InstanceOf<IOException>().Or.InstanceOf<HeapException>());
        Assert.That(System.IO.File.Exists(File), Is.False);
    }

    [Test]
    public void A_heap_name_is_created_once_and_found_again()
    {
        using HeapStore store = HeapStore.Create(File);
        using (PersistentHeap heap = store.CreateHeap(HeapName))
        {
            Assert.That(() => store.CreateHeap(HeapName), Throws.InstanceOf<HeapException>());
            heap.Checkpoint();
        }

        Assert.That(() => store.CreateHeap(HeapName), Throws.InstanceOf<HeapException>());
        Assert.That(() => store.OpenHeap("other"), Throws.InstanceOf<HeapException>().With.Message.Contains("other"));
        using PersistentHeap again = store.OpenHeap(HeapName);
        Assert.That(again.Name, Is.EqualTo(HeapName));
    }

    [Test]
    public void The_history_tells_number_time_pages_and_bytes()
    {
        DateTimeOffset start = DateTimeOffset.UtcNow;
        using (HeapStore store = HeapStore.Create(File))
        {
            using PersistentHeap heap = store.CreateHeap(HeapName);
            for (int i = 0; i < 100; i++)
            {
                heap.Write(Address + ((ulong)i * PersistentHeap.PageSize), [1]);
                heap.Checkpoint();
            }
        }

        using HeapStore again = HeapStore.Open(File);
        IReadOnlyList<CheckpointInfo> history = again.History(HeapName);
        using PersistentHeap heapAgain = again.OpenHeap(HeapName);
        Assert.Multiple(() =>
        {
            Assert.That(history.Count, Is.InRange(32, 100));
            Assert.That(history[^1].Number, Is.EqualTo((long)heapAgain.LatestCheckpointNumber));
            Assert.That(history.Select(c => c.Number), Is.Ordered.Ascending);
            Assert.That(history.Select(c => c.Time), Is.Ordered.Ascending);
            Assert.That(history[^1].Time, Is.InRange(start, DateTimeOffset.UtcNow));
            Assert.That(history[^1].Pages, Is.GreaterThanOrEqualTo(1));
            Assert.That(history[^1].Bytes, Is.GreaterThanOrEqualTo(2 * PersistentHeap.PageSize));
        });
    }
}
