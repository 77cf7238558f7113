using System.Buffers.Binary;
using Everheap.Measuring;

namespace Everheap.Engine.Benchmarks.Fixtures;

/// <summary>A store in a real file whose heap is sparse, and of which any number of pages can be made dirty, spread over all of it.</summary>
internal sealed class SparseFixture : IDisposable
{
    private readonly WorkFolder _folder = new();
    private readonly TranslationWindow _window;
    private readonly ulong _address;
    private ulong _version;

    public SparseFixture(ulong heapBytes, ulong stride, long residentBytes)
    {
        HeapBytes = heapBytes;
        Path = _folder.File("sparse.heap");
        Store = HeapStore.Create(Path, new HeapStoreOptions { ResidentBytes = residentBytes });
        Heap = Store.CreateHeap(HeapFixture.HeapName);
        _address = SparseHeap.Fill(Heap, heapBytes, stride);
        _window = Heap.OpenWindow(_address);
    }

    public ulong HeapBytes { get; }

    public string Path { get; }

    public HeapStore Store { get; }

    public PersistentHeap Heap { get; }

    /// <summary>
    /// Changes so many pages, in runs of some that lie together. As far as a window reaches it is done as compiled code does it, so that a seal
    /// finds entries to take away.
    /// </summary>
    public void Dirty(int pages, int runPages)
    {
        ulong distance = HeapBytes / (ulong)(pages / runPages);
        Span<byte> value = stackalloc byte[sizeof(ulong)];
        for (int page = 0; page < pages; page++)
        {
            ulong runStart = ((ulong)(page / runPages) * distance) & ~(ulong)(HeapFixture.PageSize - 1);
            ulong offset = runStart + ((ulong)(page % runPages) * HeapFixture.PageSize);
            BinaryPrimitives.WriteUInt64LittleEndian(value, ++_version);
            if (offset < (ulong)TranslationWindow.WindowBytes)
            {
                value.CopyTo(_window.WriteSpan(offset, value.Length));
            }
            else
            {
                Heap.Write(_address + offset, value);
            }
        }
    }

    public void Dispose()
    {
        _window.Dispose();
        Heap.Dispose();
        Store.Dispose();
        _folder.Dispose();
    }
}
