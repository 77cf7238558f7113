using Everheap.Measuring;

namespace Everheap.Engine.Benchmarks.Fixtures;

/// <summary>A store in a real file with one heap, whose pages hold incompressible bytes.</summary>
internal sealed class HeapFixture : IDisposable
{
    public const string HeapName = "main";
    public const int PageSize = PersistentHeap.PageSize;

    private readonly WorkFolder _folder = new();

    public HeapFixture(long pages, long residentBytes)
    {
        Pages = pages;
        ResidentBytes = residentBytes;
        Path = _folder.File("bench.heap");
        Store = HeapStore.Create(Path, new HeapStoreOptions { ResidentBytes = residentBytes });
        Heap = Store.CreateHeap(HeapName);
        Address = Heap.Allocate((ulong)Math.Max(pages, 1) * PageSize);
        Span<byte> page = new byte[PageSize];
        Random random = new(1);
        for (long i = 0; i < pages; i++)
        {
            random.NextBytes(page);
            Heap.Write(Address + (ulong)(i * PageSize), page);
        }

        Heap.Checkpoint();
    }

    public long Pages { get; }

    public long ResidentBytes { get; }

    public string Path { get; }

    public HeapStore Store { get; }

    public PersistentHeap Heap { get; }

    public ulong Address { get; }

    public void Dispose()
    {
        Heap.Dispose();
        Store.Dispose();
        _folder.Dispose();
    }

    /// <summary>Page numbers from 0 in an order that no read-ahead can guess; the same every time.</summary>
    public static int[] Shuffled(int pages)
    {
        int[] order = [.. Enumerable.Range(0, pages)];
        new Random(2).Shuffle(order);
        return order;
    }
}
