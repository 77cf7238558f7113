using System.Runtime.Versioning;
using Everheap.Engine;
using Everheap.Media.Tests.Children;
using Everheap.Media.Tests.Histories;
using Everheap.Media.Tests.Volumes;

namespace Everheap.Media.Tests;

/// <summary>Files and media that cannot be written to: they open for reading only, and otherwise say why not.</summary>
[TestFixture]
[SupportedOSPlatform("linux")]
internal sealed class ReadOnlyTests
{
    private static readonly RandomHistory History = new(1, StoreCommands.Pages, StoreCommands.PagesEach);
    private static readonly HeapStoreOptions ReadOnly = new() { ReadOnly = true, ResidentBytes = HeapStoreOptions.ResidentBytesMin };

    [TestCase(VolumeKind.Ext4)]
    [TestCase(VolumeKind.Xfs)]
    [TestCase(VolumeKind.Tmpfs)]
    public void A_store_on_a_read_only_mount_opens_for_reading_only(VolumeKind kind)
    {
        using Volume volume = Volume.Mount(kind);
        string path = volume["store.heap"];
        MakeStore(path);
        volume.Remount(readOnly: true);
        IOException refused = Assert.Catch<IOException>(() => HeapStore.Open(path))!;
        Assert.That(refused.Message, Does.Contain(path).And.Contain("read-only file system").And.Contain("for reading only"));
        Assert.Catch<IOException>(() => HeapStore.Create(volume["another.heap"]));
        using (HeapStore store = HeapStore.Open(path, ReadOnly))
        {
            AssertReadsAll(store);
        }

        volume.Remount(readOnly: false);
        HeapStore.Open(path).Dispose();
    }

    [Test]
    public void A_file_that_may_only_be_read_opens_for_reading_only()
    {
        Machine.RequireLinux();
        using MediaFolder folder = new();
        string path = folder["store.heap"];
        MakeStore(path);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        Assert.That(OpenUnprivileged(path, "write"), Does.StartWith(nameof(UnauthorizedAccessException)).And.Contain(path).And.Contain("for reading only"));
        Assert.That(OpenUnprivileged(path, "read"), Is.EqualTo("open"));
        using HeapStore store = HeapStore.Open(path, ReadOnly);
        AssertReadsAll(store);
    }

    [Test]
    public void A_file_that_may_not_be_read_is_refused_as_such()
    {
        Machine.RequireLinux();
        using MediaFolder folder = new();
        string path = folder["store.heap"];
        MakeStore(path);
        File.SetUnixFileMode(path, UnixFileMode.None);
        Assert.That(OpenUnprivileged(path, "write"), Does.StartWith(nameof(UnauthorizedAccessException)).And.Contain(path));
        Assert.That(OpenUnprivileged(path, "read"), Does.StartWith(nameof(UnauthorizedAccessException)).And.Contain("may not read"));
    }

    [Test]
    public void A_file_that_nobody_may_change_is_refused_for_writing_and_opens_for_reading()
    {
        using Volume volume = Volume.Mount(VolumeKind.Ext4);
        Machine.RequireTools("chattr");
        string path = volume["store.heap"];
        MakeStore(path);
        Tool.Run("chattr", "+i", path);
        UnauthorizedAccessException refused = Assert.Throws<UnauthorizedAccessException>(() => HeapStore.Open(path))!;
        Assert.That(refused.Message, Does.Contain(path).And.Contain("for reading only"));
        using HeapStore store = HeapStore.Open(path, ReadOnly);
        AssertReadsAll(store);
    }

    private static void MakeStore(string path)
    {
        using HeapStore store = HeapStore.Create(path, RandomHistory.Options);
        using PersistentHeap heap = store.CreateHeap(RandomHistory.HeapName);
        for (long number = 1; number <= 3; number++)
        {
            History.Write(heap, number);
            heap.Checkpoint();
        }
    }

    private static void AssertReadsAll(HeapStore store)
    {
        using PersistentHeap heap = store.OpenHeap(RandomHistory.HeapName);
        History.AssertIs(heap, 3);
        Assert.That(store.Verify().IsSound);
        Assert.That(() => heap.Write(0, [1]), Throws.InstanceOf<HeapException>().With.Message.Contains("for reading only"));
        Assert.That(() => heap.Checkpoint(), Throws.InstanceOf<HeapException>());
        History.AssertIs(heap, 3);
    }

    /// <summary>What an ordinary user is told: root may do everything.</summary>
    private static string OpenUnprivileged(string path, string mode)
    {
        if (Machine.IsRoot)
        {
            Machine.RequireTools("setpriv");
        }

        using ChildProcess child = Machine.IsRoot ? ChildProcess.StartUnprivileged("open", path, mode) : ChildProcess.Start("open", path, mode);
        string? line = child.ReadLine();
        child.CloseInput();
        child.WaitForEnd();
        if (line is null)
        {
            Assert.Ignore($"skipped: an ordinary user cannot run the tests here: {child.Error}");
        }

        return line;
    }
}
