using Everheap.Engine;
using Everheap.Media.Tests.Children;
using Everheap.Media.Tests.Volumes;

namespace Everheap.Media.Tests;

/// <summary>Two who want one store: one writer alone, or any number of readers, in one process or in several.</summary>
[TestFixture]
internal sealed class OpenersTests
{
    private static readonly HeapStoreOptions ReadOnly = new() { ReadOnly = true };

    [Test]
    public void A_writer_in_another_process_keeps_everybody_out_and_is_named()
    {
        Machine.RequireLinux();
        using MediaFolder folder = new();
        AssertWriterKeepsOut(folder["store.heap"]);
    }

    [TestCase(VolumeKind.Ext3)]
    [TestCase(VolumeKind.Xfs)]
    [TestCase(VolumeKind.Btrfs)]
    [TestCase(VolumeKind.Tmpfs)]
    [TestCase(VolumeKind.Exfat)]
    public void A_writer_keeps_everybody_out_on_every_file_system(VolumeKind kind)
    {
        using Volume volume = Volume.Mount(kind);
        AssertWriterKeepsOut(volume["store.heap"]);
    }

    [Test]
    public void Readers_in_several_processes_share_a_store_and_keep_writers_out()
    {
        Machine.RequireLinux();
        using MediaFolder folder = new();
        string path = folder["store.heap"];
        HeapStore.Create(path).Dispose();
        using ChildProcess reader = ChildProcess.Start("open", path, "read");
        Assert.That(reader.ReadLine(), Is.EqualTo("open"));
        using (HeapStore store = HeapStore.Open(path, ReadOnly))
        {
            Assert.That(store.Verify().IsSound);
        }

        Assert.Throws<HeapLockedException>(() => HeapStore.Open(path));
        using ChildProcess writer = ChildProcess.Start("open", path, "write");
        Assert.That(writer.ReadLine(), Does.StartWith(nameof(HeapLockedException)).And.Contain(path));
        Assert.That(writer.WaitForEnd(), Is.EqualTo(StoreCommands.Refused));
        reader.CloseInput();
        reader.WaitForSuccess();
        HeapStore.Open(path).Dispose();
    }

    [Test]
    public void A_writer_that_was_killed_leaves_no_lock()
    {
        Machine.RequireLinux();
        using MediaFolder folder = new();
        string path = folder["store.heap"];
        HeapStore.Create(path).Dispose();
        using ChildProcess writer = ChildProcess.Start("open", path, "write");
        Assert.That(writer.ReadLine(), Is.EqualTo("open"));
        writer.Kill();
        writer.WaitForEnd();
        HeapStore.Open(path).Dispose();
    }

    private static void AssertWriterKeepsOut(string path)
    {
        HeapStore.Create(path).Dispose();
        using ChildProcess writer = ChildProcess.Start("open", path, "write");
        Assert.That(writer.ReadLine(), Is.EqualTo("open"));
        foreach (HeapStoreOptions options in (HeapStoreOptions[])[new(), ReadOnly])
        {
            HeapLockedException refused = Assert.Throws<HeapLockedException>(() => HeapStore.Open(path, options))!;
            Assert.That(refused.ProcessId, Is.EqualTo(writer.Id));
            Assert.That(refused.Message, Does.Contain(path).And.Contain($"{writer.Id}"));
        }

        writer.CloseInput();
        writer.WaitForSuccess();
        HeapStore.Open(path).Dispose();
    }
}
