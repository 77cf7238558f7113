using System.IO.Compression;

namespace Everheap.Engine.Tests.Storage;

/// <summary>
/// A store that version 1 of the format wrote is read by every later version. Data/version1.heap.gz is one: a heap "first" of three checkpoints, the last of which
/// changed every third page. Its bytes are (page * 31 + position * 7 + checkpoint) mod 256.
/// </summary>
[TestFixture]
internal sealed class Version1Tests
{
    private const ulong Address = 1UL << 20;
    private const int Pages = 100;

    private TemporaryFolder _folder = null!;

    private string Path => _folder.File("version1.heap");

    [SetUp]
    public void Unpack()
    {
        _folder = new TemporaryFolder();
        using Stream packed = typeof(Version1Tests).Assembly.GetManifestResourceStream("version1.heap.gz")!;
        using GZipStream unpacked = new(packed, CompressionMode.Decompress);
        using FileStream file = File.Create(Path);
        unpacked.CopyTo(file);
    }

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [TestCase(true)]
    [TestCase(false)]
    public void A_store_of_version_1_is_read(bool readOnly)
    {
        using HeapStore store = HeapStore.Open(Path, new HeapStoreOptions { ReadOnly = readOnly });
        using PersistentHeap heap = store.OpenHeap("first");
        AssertContent(heap);
        byte[] note = new byte[HeapStore.NoteLengthMax];
        Assert.That(store.TryReadNote(note, out int length), Is.True);
        Assert.Multiple(() =>
        {
            Assert.That(System.Text.Encoding.UTF8.GetString(note, 0, length), Is.EqualTo("a note of version 1"));
            Assert.That(store.History("first").Select(c => c.Number), Is.EqualTo(new long[] { 1, 2, 3 }));
            Assert.That(heap.LatestCheckpointNumber, Is.EqualTo(3));
            Assert.That(store.Verify().Problems, Is.Empty);
        });
    }

    [Test]
    public void The_next_checkpoint_makes_it_a_store_of_this_version()
    {
        using (HeapStore store = HeapStore.Open(Path))
        {
            using PersistentHeap heap = store.OpenHeap("first");
            heap.Write(0, [42]);
            Assert.That(heap.Checkpoint().Number, Is.EqualTo(4));
            Assert.That(store.Verify().Problems, Is.Empty);
            store.Fork("first", 4, "second");
        }

        using HeapStore again = HeapStore.Open(Path);
        using PersistentHeap second = again.OpenHeap("second");
        AssertContent(second);
        byte[] one = new byte[1];
        second.Read(0, one);
        Assert.Multiple(() =>
        {
            Assert.That(one[0], Is.EqualTo(42));
            Assert.That(again.History("first").Select(c => c.Number), Is.EqualTo(new long[] { 1, 2, 3, 4 }));
            Assert.That(again.Verify().Problems, Is.Empty);
        });
    }

    private static void AssertContent(PersistentHeap heap)
    {
        byte[] page = new byte[PersistentHeap.PageSize];
        for (int i = 0; i < Pages; i++)
        {
            int version = i % 3 == 0 ? 3 : i % 2 == 0 ? 2 : 1;
            heap.Read(Address + ((ulong)i * PersistentHeap.PageSize), page);
            Assert.That(page, Is.EqualTo(Enumerable.Range(0, page.Length).Select(j => (byte)((i * 31) + (j * 7) + version))), $"page {i}");
        }
    }
}
