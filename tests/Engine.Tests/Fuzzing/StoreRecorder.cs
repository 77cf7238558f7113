using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>Makes a store, and notes on the side what its heaps hold at each checkpoint.</summary>
internal sealed class StoreRecorder : IDisposable
{
    private const int StepsMax = 1_000_000;

    private readonly FuzzContents _contents;
    private readonly FuzzMedium _medium = new(new SparseImage(), growthMax: 1L << 30, StepsMax);
    private readonly Dictionary<string, Dictionary<ulong, ulong>> _pages = [];
    private readonly Dictionary<string, PersistentHeap> _heaps = [];
    private readonly Random _random = new(7);

    public StoreRecorder(FuzzContents contents)
    {
        _contents = contents;
        Store = HeapStore.Create(_medium, FuzzExercise.Options);
    }

    public HeapStore Store { get; }

    public SparseImage Image => _medium.Image;

    public void Create(string heap)
    {
        _heaps[heap] = Store.CreateHeap(heap);
        _pages[heap] = [];
        Checkpoint(heap);
    }

    public void Open(string heap) => _heaps[heap] = Store.OpenHeap(heap);

    public void Close(string heap) => _heaps[heap].Dispose();

    /// <summary>Writes new content to some pages.</summary>
    public void Write(string heap, ulong firstPage, int count, ulong stride = 1)
    {
        byte[] content = new byte[PersistentHeap.PageSize];
        for (int i = 0; i < count; i++)
        {
            ulong page = firstPage + ((ulong)i * stride);
            _random.NextBytes(content);
            _heaps[heap].Write(page * PersistentHeap.PageSize, content);
            _pages[heap][page] = DiskView.Hash(content);
        }
    }

    public void Clear(string heap, ulong firstPage, int count)
    {
        _heaps[heap].Clear(firstPage * PersistentHeap.PageSize, (ulong)count * PersistentHeap.PageSize);
        for (int i = 0; i < count; i++)
        {
            _pages[heap].Remove(firstPage + (ulong)i);
        }
    }

    /// <summary>Gives out ranges of addresses, and takes some back: fills the pages in which that is kept.</summary>
    public void AllocateRanges(string heap, int count)
    {
        List<ulong> ranges = [];
        for (int i = 0; i < count; i++)
        {
            ranges.Add(_heaps[heap].Allocate(1UL << 30));
        }

        for (int i = 0; i < count; i += 2)
        {
            _heaps[heap].Release(ranges[i], 1UL << 30);
        }
    }

    public long Checkpoint(string heap)
    {
        long number = _heaps[heap].Checkpoint().Number;
        _contents.Add(heap, number, _pages[heap]);
        return number;
    }

    public void Fork(string heap, long checkpoint, string fork)
    {
        Store.Fork(heap, checkpoint, fork);
        _pages[fork] = new Dictionary<ulong, ulong>(_contents.Of(heap, checkpoint));
        _contents.Add(fork, checkpoint, _pages[fork]);
    }

    public void Revert(string heap, long checkpoint)
    {
        long number = Store.Revert(heap, checkpoint).Number;
        _pages[heap] = new Dictionary<ulong, ulong>(_contents.Of(heap, checkpoint));
        _contents.Add(heap, number, _pages[heap]);
    }

    public void Dispose()
    {
        foreach (PersistentHeap heap in _heaps.Values)
        {
            heap.Dispose();
        }

        Store.Dispose();
    }
}
