using Everheap.Engine;
using Everheap.Media.Tests.Children;
using Everheap.Media.Tests.Histories;
using Everheap.Media.Tests.Volumes;

namespace Everheap.Media.Tests;

/// <summary>Stores on real media that fill up under them: nothing committed is lost, and they go on when there is room.</summary>
[TestFixture]
internal sealed class FullVolumeTests
{
    private const long RoomForAFew = 16L << 20;
    private const string Limit = "9000000";

    [Test]
    public void A_store_fills_a_file_system_loses_nothing_and_goes_on_when_there_is_room([Values] VolumeKind kind, [Values] bool goesOn)
    {
        using Volume volume = Volume.Mount(kind);
        volume.FillUp(leave: RoomForAFew);
        FullMediumScenario scenario = new(volume["store.heap"], TestLength.Seed, goesOn);
        scenario.Run(volume.MakeRoom);
        Report($"{kind}: full after {scenario.CommittedBefore} checkpoints: {scenario.Full!.Message}");
        Assert.That(scenario.CommittedBefore, Is.GreaterThan(0));
        if (kind is not VolumeKind.Ext3 and not VolumeKind.Btrfs)
        {
            Assert.That(scenario.Full, Is.InstanceOf<HeapFullException>(), "it shows before anything is written");
        }
    }

    [Test]
    public void A_quota_that_is_used_up_is_a_full_medium([Values] bool goesOn)
    {
        using Volume volume = Volume.Mount(VolumeKind.Btrfs);
        Machine.RequireTools("btrfs");
        string limited = volume["limited"];
        Tool.Run("btrfs", "quota", "enable", volume.Path);
        Tool.Run("btrfs", "subvolume", "create", limited);

        // By its number, at the whole volume: raising a limit inside what is limited needs some of the quota that is used up.
        string group = $"0/{Tool.Run("btrfs", "inspect-internal", "rootid", limited)}";
        Tool.Run("btrfs", "qgroup", "limit", "20M", group, volume.Path);
        FullMediumScenario scenario = new(Path.Combine(limited, "store.heap"), TestLength.Seed, goesOn);
        scenario.Run(() => Tool.Run("btrfs", "qgroup", "limit", "none", group, volume.Path));
        Report($"quota: full after {scenario.CommittedBefore} checkpoints: {scenario.Full!.Message}");
        Assert.That(scenario.CommittedBefore, Is.GreaterThan(0));
    }

    [Test]
    public void A_limit_on_the_length_of_files_is_a_full_medium([Values] bool goesOn)
    {
        Machine.RequireLinux();
        using MediaFolder folder = new();
        Report(ChildProcess.Run("fill-to-limit", folder["store.heap"], $"{TestLength.Seed}", Limit, $"{goesOn}")[^1]);
    }

    [Test]
    public void A_store_that_cannot_be_created_for_want_of_room_leaves_nothing_behind([Values] VolumeKind kind)
    {
        using Volume volume = Volume.Mount(kind);
        volume.FillUp(leave: 0);
        string path = volume["store.heap"];
        Assert.That(() => HeapStore.Create(path), Throws.InstanceOf<HeapException>().Or.InstanceOf<IOException>());
        Assert.That(File.Exists(path), Is.False);
        volume.MakeRoom();
        HeapStore.Create(path).Dispose();
    }

    [Test]
    public void A_store_on_a_full_disk_can_still_be_opened_for_writing_and_read([Values] VolumeKind kind)
    {
        using Volume volume = Volume.Mount(kind);
        string path = volume["store.heap"];
        RandomHistory history = new(TestLength.Seed, StoreCommands.Pages, StoreCommands.PagesEach);
        using (HeapStore store = HeapStore.Create(path, RandomHistory.Options))
        {
            using PersistentHeap heap = store.CreateHeap(RandomHistory.HeapName);
            history.Write(heap, 1);
            heap.Checkpoint();
        }

        volume.FillUp(leave: 0);
        using (HeapStore store = HeapStore.Open(path, RandomHistory.Options))
        {
            using PersistentHeap heap = store.OpenHeap(RandomHistory.HeapName);
            history.AssertIs(heap, 1);
            Assert.That(store.Verify().IsSound);
        }
    }

    /// <summary>
    /// Pages of zeros are holes in a copy that leaves them out. Reading a hole through a mapping takes room on a file system in memory, and ends the process if there
    /// is none.
    /// </summary>
    [Test]
    public void A_sparse_copy_of_a_store_is_read_on_a_full_file_system([Values] VolumeKind kind)
    {
        const int Pages = 300;
        using Volume volume = Volume.Mount(kind);
        using MediaFolder folder = new();
        using (HeapStore store = HeapStore.Create(folder["store.heap"]))
        {
            using PersistentHeap heap = store.CreateHeap("zeros");
            heap.Write(0, new byte[Pages * PersistentHeap.PageSize]);
            heap.Checkpoint();
        }

        string copy = volume["copy.heap"];
        Tool.Run("cp", "--sparse=always", folder["store.heap"], copy);
        volume.FillUp(leave: 0);
        using (HeapStore store = HeapStore.Open(copy, new HeapStoreOptions { ReadOnly = true }))
        {
            using PersistentHeap heap = store.OpenHeap("zeros");
            byte[] found = new byte[Pages * PersistentHeap.PageSize];
            heap.Read(0, found);
            Assert.That(found.AsSpan().IndexOfAnyExcept((byte)0), Is.EqualTo(-1));
            Assert.That(store.Verify().IsSound);
        }
    }

    private static void Report(string line) => TestContext.Out.WriteLine($"{line} EVERHEAP_SEED={TestLength.Seed}");
}
