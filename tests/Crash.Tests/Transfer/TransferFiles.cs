using Everheap.Engine;

namespace Everheap.Crash.Tests.Transfer;

/// <summary>Heap files to send, and comparisons of what arrived.</summary>
internal static class TransferFiles
{
    public const string HeapName = "data";

    private const int Mebibyte = 1 << 20;

    /// <summary>Makes a heap file of so many MiB of noise, with two retained checkpoints: the second changes every tenth MiB, and drops the last.</summary>
    public static void Create(string path, int mebibytes, int seed = 1)
    {
        using HeapStore store = HeapStore.Create(path, new HeapStoreOptions { ResidentBytes = 16 << 20 });
        using PersistentHeap heap = store.CreateHeap(HeapName);
        Random random = new(seed);
        byte[] noise = new byte[Mebibyte];
        for (int i = 0; i < mebibytes; i++)
        {
            random.NextBytes(noise);
            heap.Write((ulong)i * Mebibyte, noise);
        }

        heap.Checkpoint();
        store.Retain(HeapName, 1);
        for (int i = 0; i < mebibytes; i += 10)
        {
            random.NextBytes(noise);
            heap.Write((ulong)i * Mebibyte, noise);
        }

        heap.Clear((ulong)(mebibytes - 1) * Mebibyte, Mebibyte);
        heap.Checkpoint();
    }

    /// <summary>Fails unless two files have the same checkpoint, sound, with the same pages.</summary>
    public static void AssertSame(string expectedPath, string path, string heapName = HeapName, long? number = null)
    {
        HeapStoreOptions options = new() { ReadOnly = true, ResidentBytes = 4 << 20 };
        using HeapStore expectedStore = HeapStore.Open(expectedPath, options);
        using HeapStore store = HeapStore.Open(path, options);
        Assert.That(store.Verify().Problems, Is.Empty);
        using HeapSnapshot expected = expectedStore.OpenSnapshot(HeapName, number);
        using HeapSnapshot found = store.OpenSnapshot(heapName);
        Assert.That(found.CheckpointNumber, Is.EqualTo(expected.CheckpointNumber));
        Assert.That(found.Pages(), Is.EqualTo(expected.Pages()));
        byte[] expectedBytes = new byte[PersistentHeap.PageSize];
        byte[] bytes = new byte[PersistentHeap.PageSize];
        foreach (ulong page in expected.Pages())
        {
            expected.Read(page * PersistentHeap.PageSize, expectedBytes);
            found.Read(page * PersistentHeap.PageSize, bytes);
            if (!bytes.AsSpan().SequenceEqual(expectedBytes))
            {
                Assert.Fail($"page {page} of {path} differs");
            }
        }
    }
}
