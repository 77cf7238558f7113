using System.Net.Sockets;
using Everheap.Engine;

namespace Everheap.Media.Tests;

/// <summary>Paths that lead to something else than a store's file: refused at once, and by name.</summary>
[TestFixture]
internal sealed class FileKindTests
{
    private MediaFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new MediaFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public void A_directory_is_refused([Values] bool readOnly) => AssertRefused(_folder.Path, readOnly, "directory");

    [Test]
    public void A_device_is_refused([Values] bool readOnly)
    {
        Machine.RequireLinux();
        AssertRefused("/dev/zero", readOnly, "device");
        AssertRefused("/dev/null", readOnly, "device");
    }

    /// <summary>Opening a pipe for reading waits until somebody opens its other end: nobody ever does.</summary>
    [Test]
    [CancelAfter(20_000)]
    public void A_pipe_is_refused_without_waiting_for_its_other_end([Values] bool readOnly)
    {
        Machine.RequireTools("mkfifo");
        Tool.Run("mkfifo", _folder["pipe"]);
        AssertRefused(_folder["pipe"], readOnly, "pipe");
    }

    [Test]
    public void A_socket_is_refused([Values] bool readOnly)
    {
        Machine.RequireLinux();
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(_folder["socket"]));
        AssertRefused(_folder["socket"], readOnly, "socket");
    }

    [Test]
    public void A_link_to_a_store_is_as_good_as_the_store([Values] bool readOnly)
    {
        HeapStore.Create(_folder["store.heap"]).Dispose();
        File.CreateSymbolicLink(_folder["link"], _folder["store.heap"]);
        using HeapStore store = HeapStore.Open(_folder["link"], new HeapStoreOptions { ReadOnly = readOnly });
        Assert.Throws<HeapLockedException>(() => HeapStore.Open(_folder["store.heap"]), "it is the same store");
    }

    [Test]
    public void A_link_to_nothing_is_refused_and_nothing_is_created([Values] bool readOnly)
    {
        File.CreateSymbolicLink(_folder["link"], _folder["nothing"]);
        AssertRefused(_folder["link"], readOnly, "link");
        Assert.That(() => HeapStore.Create(_folder["link"]), Throws.InstanceOf<IOException>());
        Assert.That(File.Exists(_folder["nothing"]), Is.False);
    }

    [Test]
    public void Links_that_go_in_a_circle_are_refused([Values] bool readOnly)
    {
        File.CreateSymbolicLink(_folder["one"], _folder["two"]);
        File.CreateSymbolicLink(_folder["two"], _folder["one"]);
        AssertRefused(_folder["one"], readOnly, "one");
    }

    private static void AssertRefused(string path, bool readOnly, string word)
    {
        IOException refused = Assert.Catch<IOException>(() => HeapStore.Open(path, new HeapStoreOptions { ReadOnly = readOnly }))!;
        Assert.That(refused.Message, Does.Contain(path).And.Contain(word));
    }
}
