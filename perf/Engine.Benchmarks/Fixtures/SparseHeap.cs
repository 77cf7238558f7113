using System.Diagnostics;
using System.Globalization;
using Everheap.Engine.Benchmarks.Children;

namespace Everheap.Engine.Benchmarks.Fixtures;

/// <summary>A heap that is large by its addresses: one page written in every so many bytes, so that its page map has a leaf for each.</summary>
internal static class SparseHeap
{
    public const string MakeAndDieCommand = "make-sparse-heap-and-die";

    /// <summary>A heap gives its ranges out from here on.</summary>
    public const ulong FirstAddress = 1 << 20;

    private const long ResidentBytes = 16L << 20;

    /// <summary>Writes one page in every <paramref name="stride"/> bytes of a new range, and commits.</summary>
    /// <returns>The first address of the range.</returns>
    public static ulong Fill(PersistentHeap heap, ulong heapBytes, ulong stride)
    {
        ulong address = heap.Allocate(heapBytes);
        if (address != FirstAddress)
        {
            throw new InvalidOperationException($"The first range of a heap was expected at {FirstAddress}, not at {address}.");
        }

        for (ulong at = 0; at < heapBytes; at += stride)
        {
            heap.Write(address + at, BitConverter.GetBytes(at + 1));
        }

        heap.Checkpoint();
        return address;
    }

    /// <summary>Makes the store in a process of its own, which then changes a quarter of it, begins a checkpoint, and kills itself.</summary>
    public static void Make(string path, ulong heapBytes, ulong stride)
    {
        ChildResult result = ChildProcess.Run([MakeAndDieCommand, path, Text(heapBytes), Text(stride)]);
        if (!result.WasKilled || !File.Exists(path))
        {
            throw new InvalidOperationException($"The process that makes {path} was to die by its own hand, but ended with {result.ExitCode}: {result.Error}");
        }
    }

    /// <summary>What the child does.</summary>
    public static int MakeAndDie(string path, ulong heapBytes, ulong stride)
    {
        using HeapStore store = HeapStore.Create(path, new HeapStoreOptions { ResidentBytes = ResidentBytes });
        using PersistentHeap heap = store.CreateHeap(HeapFixture.HeapName);
        ulong address = Fill(heap, heapBytes, stride);
        for (ulong at = 0; at < heapBytes / 4; at += stride)
        {
            heap.Write(address + at, "gone"u8);
        }

        heap.BeginCheckpoint();
        using Process self = Process.GetCurrentProcess();
        self.Kill();
        return 1;
    }

    /// <summary>Reads the value in the middle of a heap that <see cref="MakeAndDie"/> made.</summary>
    public static ulong ReadMiddle(PersistentHeap heap, ulong heapBytes)
    {
        Span<byte> value = stackalloc byte[sizeof(ulong)];
        heap.Read(FirstAddress + (heapBytes / 2), value);
        return BitConverter.ToUInt64(value);
    }

    /// <summary>What <see cref="ReadMiddle"/> is to find: of an empty heap, nothing.</summary>
    public static ulong MiddleValue(ulong heapBytes) => heapBytes == 0 ? 0 : (heapBytes / 2) + 1;

    private static string Text(ulong number) => number.ToString(CultureInfo.InvariantCulture);
}
