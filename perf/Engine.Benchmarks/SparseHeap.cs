using System.Diagnostics;
using System.Globalization;

namespace Everheap.Engine.Benchmarks;

/// <summary>Makes a sparse heap of 10 GiB in a process of its own that is killed in the middle of its work.</summary>
internal static class SparseHeap
{
    public const string MakeAndDieArgument = "--make-sparse-heap-and-die";

    private const ulong HeapBytes = 10UL << 30;
    private const long ResidentBytes = 16L << 20;

    /// <summary>One page in every so many bytes, a checkpoint, then changes without one, until this process kills itself.</summary>
    public static int MakeAndDie(string path, ulong stride)
    {
        using HeapStore store = HeapStore.Create(path, new HeapStoreOptions { ResidentBytes = ResidentBytes });
        using PersistentHeap heap = store.CreateHeap(HeapFixture.HeapName);
        ulong address = heap.Allocate(HeapBytes);
        for (ulong at = 0; at < HeapBytes; at += stride)
        {
            heap.Write(address + at, BitConverter.GetBytes(at + 1));
        }

        heap.Checkpoint();
        for (ulong at = 0; at < HeapBytes / 4; at += stride)
        {
            heap.Write(address + at, "gone"u8);
        }

        heap.BeginCheckpoint();
        using Process self = Process.GetCurrentProcess();
        self.Kill();
        return 1;
    }

    /// <summary>Runs <see cref="MakeAndDie"/> in a child process.</summary>
    public static void Make(string path)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!);
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(SparseHeap).Assembly.Location);
        }

        start.ArgumentList.Add(MakeAndDieArgument);
        start.ArgumentList.Add(path);
        start.ArgumentList.Add(Sizes.SparseStride.ToString(CultureInfo.InvariantCulture));
        using Process child = Process.Start(start)!;
        child.WaitForExit();
        if (child.ExitCode == 1 || !File.Exists(path))
        {
            throw new InvalidOperationException($"The process that makes {path} was to die by its own hand, but ended with {child.ExitCode}.");
        }
    }
}
