using System.IO.Compression;
using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>The stores that are mutated: small ones, each with something that the others do not have.</summary>
internal static class FuzzStores
{
    private const int Version1Pages = 100;
    private const ulong Version1FirstPage = (1UL << 20) / PersistentHeap.PageSize;

    /// <summary>What they hold, at every checkpoint that there ever was.</summary>
    public static FuzzContents Contents { get; } = new();

    public static IReadOnlyList<FuzzStore> All { get; } =
    [
        Record("plain", Plain),
        Record("shifted", Shifted),
        Record("forked", Forked),
        Record("dropped", Dropped),
        Record("scattered", Scattered),
        Record("empty", _ => { }),
        Version1(),
    ];

    /// <summary>One heap, a few checkpoints.</summary>
    private static void Plain(StoreRecorder store)
    {
        store.Create("plain");
        for (int checkpoint = 0; checkpoint < 4; checkpoint++)
        {
            store.Write("plain", 1000, 30);
            store.Checkpoint("plain");
        }
    }

    /// <summary>Much the same shape as <see cref="Plain"/>, and other content: what is exchanged between the two lands where such a thing was.</summary>
    private static void Shifted(StoreRecorder store)
    {
        store.Create("shifted");
        store.Write("shifted", 1000, 30);
        store.Checkpoint("shifted");
        store.Write("shifted", 1010, 30);
        store.Checkpoint("shifted");
        store.Clear("shifted", 1005, 10);
        store.Checkpoint("shifted");
        store.Store.WriteNote("a note"u8);
    }

    /// <summary>Heaps that share pages, forks of forks, retained and named checkpoints, one that was reverted, ranges given out.</summary>
    private static void Forked(StoreRecorder store)
    {
        store.Create("origin");
        store.Store.SetRetention("origin", new RetentionPolicy { KeepLast = 3 });
        store.AllocateRanges("origin", 12);
        for (int checkpoint = 0; checkpoint < 5; checkpoint++)
        {
            store.Write("origin", 1000 + ((ulong)checkpoint * 5), 12);
            store.Checkpoint("origin");
        }

        store.Store.Retain("origin", 5, "before the fork");
        store.Fork("origin", 5, "fork");
        store.Open("fork");
        store.Write("fork", 1002, 8);
        store.Checkpoint("fork");
        store.Fork("fork", 6, "fork of the fork");
        store.Close("origin");
        store.Revert("origin", 5);
    }

    /// <summary>A heap that was dropped and not yet reclaimed, snapshots of what is left.</summary>
    private static void Dropped(StoreRecorder store)
    {
        store.Create("left");
        store.Store.SetRetention("left", new RetentionPolicy { KeepLast = 4 });
        store.Write("left", 500, 20);
        store.Checkpoint("left");
        store.Write("left", 510, 20);
        store.Checkpoint("left");
        store.Create("to be dropped");
        store.Write("to be dropped", 0, 700);
        store.Checkpoint("to be dropped");
        store.Close("to be dropped");
        store.Fork("to be dropped", 2, "sharing");
        store.Store.DropHeap("to be dropped");
        store.Store.DropCheckpoint("left", 2);
    }

    /// <summary>Pages far apart: every level of the page map has several nodes.</summary>
    private static void Scattered(StoreRecorder store)
    {
        store.Create("scattered");
        store.Write("scattered", 3, 20, stride: (1UL << 31) + 12345);
        store.Checkpoint("scattered");
        store.Write("scattered", 70_000, 12, stride: (1UL << 17) + 77);
        store.Checkpoint("scattered");
    }

    /// <summary>A store that version 1 wrote; Version1Tests says what is in it.</summary>
    private static FuzzStore Version1()
    {
        using Stream packed = typeof(FuzzStores).Assembly.GetManifestResourceStream("version1.heap.gz")!;
        using GZipStream unpacked = new(packed, CompressionMode.Decompress);
        using MemoryStream bytes = new();
        unpacked.CopyTo(bytes);
        SparseImage image = new();
        image.Resize(bytes.Length);
        for (int at = 0; at < bytes.Length; at += FileLayout.PageSize)
        {
            ReadOnlySpan<byte> page = bytes.GetBuffer().AsSpan(at, FileLayout.PageSize);
            if (page.IndexOfAnyExcept((byte)0) >= 0)
            {
                image.Write(at, page);
            }
        }

        for (int checkpoint = 1; checkpoint <= 3; checkpoint++)
        {
            Dictionary<ulong, ulong> pages = [];
            for (int page = 0; page < Version1Pages; page++)
            {
                byte[] content = new byte[PersistentHeap.PageSize];
                int last = checkpoint >= 3 && page % 3 == 0 ? 3 : checkpoint >= 2 && page % 2 == 0 ? 2 : 1;
                for (int i = 0; i < content.Length; i++)
                {
                    content[i] = (byte)((page * 31) + (i * 7) + last);
                }

                pages[Version1FirstPage + (ulong)page] = DiskView.Hash(content);
            }

            Contents.Add("first", checkpoint, pages);
        }

        return new FuzzStore("version 1", image);
    }

    private static FuzzStore Record(string name, Action<StoreRecorder> make)
    {
        using StoreRecorder recorder = new(Contents);
        make(recorder);
        recorder.Dispose();
        return new FuzzStore(name, recorder.Image);
    }
}
