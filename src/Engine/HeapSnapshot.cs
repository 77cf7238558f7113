using Everheap.Engine.Checkpoints;
using Everheap.Engine.Paging;
using Everheap.Engine.Storage;

namespace Everheap.Engine;

/// <summary>A checkpoint of a heap, open for reading: it does not change, whatever becomes of the heap.</summary>
/// <remarks>
/// Any number of threads may read at once. A snapshot has frames of its own and never waits for the heap's mutator or its checkpoints, nor they for it. The frames are in
/// several parts, by page number, each with a lock of its own, so that readers seldom wait for each other.
/// </remarks>
public sealed class HeapSnapshot : IHeapReader, IDisposable
{
    private const int PartsMax = 8;

    /// <summary>Pages in a row that are in one part: those of one leaf of the page map, so that a leaf is held once.</summary>
    private const int PartShift = FileLayout.NodeShift;

    private readonly HeapEntry _heap;
    private readonly CheckpointEntry _entry;
    private readonly Pager[] _parts;
    private readonly ReaderWriterLockSlim _closing = new();
    private bool _isDisposed;

    internal HeapSnapshot(HeapStore store, HeapEntry heap, CheckpointEntry entry, MapEntry mapRoot, long mappedPages, long residentBytes)
    {
        Store = store;
        _heap = heap;
        _entry = entry;
        HeapName = heap.Name;
        Checkpoint = entry.ToInfo(heap.IsLatest(entry));
        MapRoot = mapRoot;
        Roots = new ReadOnlyNamedRoots(this);
        MappedPages = mappedPages;
        var parts = (int)Math.Clamp(residentBytes / HeapStoreOptions.ResidentBytesMin, 1, Math.Min(PartsMax, Environment.ProcessorCount));
        _parts = new Pager[parts];
        for (var i = 0; i < parts; i++)
        {
            _parts[i] = new Pager(store.Channel, null, heap.Name, mapRoot, mappedPages, residentBytes / parts);
        }
    }

    /// <summary>The heap's name.</summary>
    public string HeapName { get; }

    /// <summary>The checkpoint.</summary>
    public CheckpointInfo Checkpoint { get; }

    /// <summary>The checkpoint's number.</summary>
    public long CheckpointNumber => Checkpoint.Number;

    /// <summary>Pages that hold something.</summary>
    public long MappedPages { get; }

    /// <summary>The names that the checkpoint has for addresses. Any thread.</summary>
    public ReadOnlyNamedRoots Roots { get; }

    internal HeapStore Store { get; }

    internal MapEntry MapRoot { get; }

    /// <summary>Copies from the snapshot. Pages never written read as zero, and cost no frame. Any thread.</summary>
    /// <param name="address">Where to start.</param>
    /// <param name="destination">As much as is to be read; the range ends at or before <see cref="PersistentHeap.AddressEnd"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range reaches past the end.</exception>
    /// <exception cref="HeapCorruptedException">A page does not match its checksum.</exception>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    /// <exception cref="ObjectDisposedException">The snapshot is closed.</exception>
    public void Read(ulong address, Span<byte> destination)
    {
        if (address > PersistentHeap.AddressEnd || (ulong)destination.Length > PersistentHeap.AddressEnd - address)
        {
            throw new ArgumentOutOfRangeException(
                nameof(address), address, $"{destination.Length} bytes at 0x{address:x} reach past the end of the heap's addresses, 0x{PersistentHeap.AddressEnd:x}.");
        }

        ReadAnywhere(address, destination);
    }

    /// <summary>The numbers of the pages that hold something, in order, found as they are enumerated. Any thread.</summary>
    /// <param name="first">The page to start from.</param>
    /// <exception cref="HeapCorruptedException">A node of the page map does not match its checksum, or the map reaches more pages than the file has (while enumerating).</exception>
    /// <exception cref="ObjectDisposedException">The snapshot is closed.</exception>
    public IEnumerable<ulong> Pages(ulong first = 0)
    {
        foreach (var (page, _) in Store.Watched(TreeReader.Pages(Store.Channel, MapRoot, HeapName, first), this))
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            yield return page;
        }
    }

    /// <summary>Closes the snapshot; waits for reads that are going on. Its checkpoint is retained no longer than its heap's policy says.</summary>
    public void Dispose()
    {
        _closing.EnterWriteLock();
        try
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            foreach (var part in _parts)
            {
                part.Dispose();
            }
        }
        finally
        {
            _closing.ExitWriteLock();
        }

        Store.Closed(this, _heap, _entry);
    }

    void IHeapReader.ReadAnywhere(ulong address, Span<byte> destination) => ReadAnywhere(address, destination);

    /// <summary>Reads the note of the heap, as it is now.</summary>
    internal bool TryReadNote(Span<byte> destination, out int length) => Store.TryReadNote(_heap, destination, out length);

    /// <summary>Reads, also from the engine's own part of the address space.</summary>
    internal void ReadAnywhere(ulong address, Span<byte> destination)
    {
        _closing.EnterReadLock();
        try
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            while (!destination.IsEmpty)
            {
                var page = address >> PersistentHeap.PageShift;
                var offset = (int)(address & (PersistentHeap.PageSize - 1));
                var count = Math.Min(destination.Length, PersistentHeap.PageSize - offset);
                try
                {
                    _parts[(int)((page >> PartShift) % (uint)_parts.Length)].Read(page, offset, destination[..count]);
                }
                catch (Exception failure) when (Store.IsShared && HeapStore.MayBeDropped(failure))
                {
                    throw Store.Explain(failure, this);
                }

                address += (ulong)count;
                destination = destination[count..];
            }
        }
        finally
        {
            _closing.ExitReadLock();
        }
    }
}
