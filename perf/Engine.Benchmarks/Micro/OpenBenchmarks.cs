using BenchmarkDotNet.Attributes;
using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Measuring;

namespace Everheap.Engine.Benchmarks.Micro;

/// <summary>Opening a store and its heap, and reading one value: an empty one, and a sparse one of 10 GiB whose process was killed.</summary>
public class OpenBenchmarks
{
    private WorkFolder _folder = null!;

    [GlobalSetup]
    public void Setup()
    {
        _folder = new WorkFolder();
        using (HeapStore store = HeapStore.Create(_folder.File("empty.heap")))
        using (PersistentHeap heap = store.CreateHeap(HeapFixture.HeapName))
        {
            heap.Checkpoint();
        }

        SparseHeap.Make(_folder.File("sparse.heap"), 10UL << 30, Sizes.SparseStride);
    }

    [GlobalCleanup]
    public void Cleanup() => _folder.Dispose();

    [Benchmark(Baseline = true)]
    public long OpenEmpty() => Open(_folder.File("empty.heap"));

    [Benchmark]
    public long OpenSparse10GiBAfterAKill() => Open(_folder.File("sparse.heap"));

    internal static long Open(string path)
    {
        using HeapStore store = HeapStore.Open(path);
        using PersistentHeap heap = store.OpenHeap(HeapFixture.HeapName);
        byte[] bytes = new byte[8];
        heap.Read(5UL << 30, bytes);
        return BitConverter.ToInt64(bytes);
    }
}
