using Everheap.Engine.Storage;

namespace Everheap.Engine.Tests.Storage;

/// <summary>
/// A process was killed after many checkpoints, and every resume reported a damaged root: the one two before the newest, whose catalog's page had
/// been used again, as it may be.
/// </summary>
public sealed class SupersededRootTests
{
    [TestCase(0, 1, TestName = "The_newest_roots_catalog_is_missed")]
    [TestCase(1, 1, TestName = "The_catalog_of_the_root_before_it_is_missed")]
    [TestCase(2, 0, TestName = "The_catalog_of_the_root_before_that_may_have_been_used_again")]
    public void Only_roots_that_are_kept_are_reported(int age, int reported)
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("store.heap");
        using (HeapStore store = HeapStore.Create(path))
        {
            using PersistentHeap heap = store.CreateHeap("main");
            for (var checkpoint = 0; checkpoint < 4; checkpoint++)
            {
                heap.Write(0, [(byte)checkpoint]);
                _ = heap.Checkpoint();
            }
        }

        byte[] file = File.ReadAllBytes(path);
        var slot = FileLayout.SuperblockSlot(4 - (ulong)age);
        Superblock root = DiskView.As<Superblock>(file.AsSpan((int)FileLayout.SuperblockOffset(slot)));
        Assert.That(root.Sequence, Is.EqualTo(4 - age));
        file.AsSpan((int)root.Catalog.Place * PersistentHeap.PageSize, PersistentHeap.PageSize).Fill(0x5a);
        File.WriteAllBytes(path, file);

        using HeapStore opened = HeapStore.Open(path);
        Assert.That(opened.SkippedRoots, Has.Count.EqualTo(reported));
        Assert.That(opened.GetHeap("main").LatestCheckpoint, Is.EqualTo(age == 0 ? 3 : 4));
    }
}
