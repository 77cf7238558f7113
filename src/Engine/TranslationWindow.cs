using System.Runtime.CompilerServices;
using Everheap.Engine.Paging;

namespace Everheap.Engine;

/// <summary>
/// A span of a heap's address space with flat translation tables, for compiled code.
/// </summary>
/// <remarks>
/// <para>
/// The tables are one block of address space that takes memory as it is touched. The load entry of a page stands at
/// <c>LoadTable + (offset &gt;&gt; PageShift) * 8</c>, its store entry
/// at the same place behind <see cref="StoreTable"/>. An entry is 0, or the <em>biased</em> pointer to
/// the page's frame, frame - (offset &amp; ~4095), so that entry + offset is the address of the byte at that offset.
/// </para>
/// <para>
/// Entries change only inside calls that the mutator thread makes into the heap; the checkpoint writer never touches them. A load entry means that the
/// page may be read there; a store entry, that it may be written there, and counts as changed in this epoch. A page that was never written may have the
/// load entry of a shared frame of zeros, which is mapped read-only. A seal takes all store entries away, and only those; the clock takes both from
/// the pages it passes, which is how it learns which are used.
/// </para>
/// <para>Like everything of a heap but its statistics, a window belongs to the mutator thread.</para>
/// </remarks>
public sealed unsafe class TranslationWindow : IDisposable
{
    /// <summary>log2 of a page's size in bytes.</summary>
    public const int PageShift = 12;

    /// <summary>Bytes of a window, unless another size is asked for: offsets are sums of two 32-bit numbers, so below 2^33.</summary>
    public const long WindowBytes = 8L << 30;

    /// <summary>Bytes that a window has at most.</summary>
    public const long WindowBytesMax = 1L << 40;

    /// <summary>Bytes from a page's load entry to its store entry, in a window of <see cref="WindowBytes"/>.</summary>
    public const long StoreTableDistance = (WindowBytes >> PageShift) * sizeof(long);

    /// <summary>Store entries that are noted between two seals at most: half a MiB.</summary>
    internal const int InstalledMax = 1 << 17;

    private const ulong OffsetMask = (1UL << PageShift) - 1;

    private readonly Pager _pager;
    private readonly ReservedMemory _tables;
    private readonly ulong _firstPage;
    private readonly ulong _pages;
    private readonly byte** _load;
    private readonly byte** _store;
    private readonly ReservedMemory _installedMemory;
    private readonly uint* _installed;
    private int _installedCount;
    private bool _isDisposed;

    internal TranslationWindow(Pager pager, ulong address, long length)
    {
        _pager = pager;
        Address = address;
        Length = length;
        _firstPage = address >> PageShift;
        _pages = (ulong)(length >> PageShift);
        _tables = new ReservedMemory(2 * TableBytes);
        _load = (byte**)_tables.Start;
        _store = (byte**)(_tables.Start + TableBytes);
        _installedMemory = new ReservedMemory(InstalledMax * sizeof(uint));
        _installed = (uint*)_installedMemory.Start;
        pager.AddWindow(this);
    }

    /// <summary>The address of the table of load entries.</summary>
    public nint LoadTable => (nint)_load;

    /// <summary>The address of the table of store entries.</summary>
    public nint StoreTable => (nint)_store;

    /// <summary>How many bytes of the heap's address space it spans.</summary>
    public long Length { get; }

    private long TableBytes => (long)_pages * sizeof(byte*);

    /// <summary>The heap address of offset 0.</summary>
    public ulong Address { get; }

    /// <summary>
    /// The slow path of a load: makes the page readable, installs its load entry, and returns the address of the byte.
    /// </summary>
    /// <param name="offset">Below <see cref="Length"/>, and below the heap's end.</param>
    /// <returns>Valid up to the end of the page, until the next call into the heap.</returns>
    /// <exception cref="HeapCorruptedException">The page does not match its checksum.</exception>
    /// <exception cref="HeapFullException">No frame could be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">No frame can be freed any more, because writing failed earlier.</exception>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    public byte* Load(ulong offset)
    {
        var index = Index(offset);
        var frame = _pager.Load(_firstPage + index);
        _load[index] = frame - (index << PageShift);
        return frame + (offset & OffsetMask);
    }

    /// <summary>
    /// The slow path of a store: makes the page writable and Dirty in this epoch, installs both its entries, and returns the address of the byte.
    /// </summary>
    /// <param name="offset">Below <see cref="Length"/>, and below the heap's end.</param>
    /// <returns>Valid up to the end of the page, until the next call into the heap.</returns>
    /// <exception cref="HeapCorruptedException">The page does not match its checksum.</exception>
    /// <exception cref="HeapFullException">No frame could be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed earlier.</exception>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    public byte* Store(ulong offset)
    {
        var index = Index(offset);
        var frame = _pager.Store(_firstPage + index);
        _load[index] = frame - (index << PageShift);
        if (_store[index] == null)
        {
            // A page that is evicted and stored to again is noted again; when there is no more room, the seal clears the whole table.
            if (_installedCount < InstalledMax)
            {
                _installed[_installedCount] = (uint)index;
            }

            _installedCount = Math.Min(_installedCount + 1, InstalledMax + 1);
        }

        _store[index] = _load[index];
        return frame + (offset & OffsetMask);
    }

    /// <summary>The bytes from an offset on, to read.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="maxLength">The most that is wanted, in bytes.</param>
    /// <returns>At least one byte (if any is wanted), at most up to the end of the page; valid until the next call into the heap.</returns>
    /// <exception cref="HeapCorruptedException">The page does not match its checksum.</exception>
    /// <exception cref="HeapFullException">No frame could be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">No frame can be freed any more, because writing failed earlier.</exception>
    public ReadOnlySpan<byte> ReadSpan(ulong offset, int maxLength)
    {
        var entry = _load[Index(offset)];
        return new ReadOnlySpan<byte>(entry != null ? entry + offset : Load(offset), ToEndOfPage(offset, maxLength));
    }

    /// <summary>The bytes from an offset on, to write; their page counts as changed.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="maxLength">The most that is wanted, in bytes.</param>
    /// <returns>At least one byte (if any is wanted), at most up to the end of the page; valid until the next call into the heap.</returns>
    /// <exception cref="HeapCorruptedException">The page does not match its checksum.</exception>
    /// <exception cref="HeapFullException">No frame could be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed earlier.</exception>
    public Span<byte> WriteSpan(ulong offset, int maxLength)
    {
        var entry = _store[Index(offset)];
        return new Span<byte>(entry != null ? entry + offset : Store(offset), ToEndOfPage(offset, maxLength));
    }

    /// <summary>Gives the tables back. Compiled code must not use them any more.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _pager.RemoveWindow(this);
            _tables.Dispose();
            _installedMemory.Dispose();
        }
    }

    /// <summary>Takes all entries away, and gives the tables' memory back.</summary>
    internal void ClearAll()
    {
        _tables.Clear();
        _installedCount = 0;
    }

    /// <summary>Takes all store entries away, in time by how many were installed since that was last done.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // The first pauses are pauses, too: this is called too seldom to become fast by being called.
    internal void ClearStores()
    {
        if (_installedCount > InstalledMax)
        {
            _tables.Clear(TableBytes, TableBytes);
        }
        else
        {
            // Entries are cleared one independent of the other, so that the processor waits for many at once.
            foreach (var index in new ReadOnlySpan<uint>(_installed, _installedCount))
            {
                _store[index] = null;
            }
        }

        _installedCount = 0;
    }

    /// <summary>Takes both entries of a page away. True if it had any.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Clear(ulong page)
    {
        var index = page - _firstPage; // wraps around to something large for a page before the window
        if (index >= _pages || _load[index] == null)
        {
            return false; // a store entry never stands without the load entry
        }

        _load[index] = null;
        _store[index] = null;
        return true;
    }

    /// <summary>Takes the store entry of a page away.</summary>
    internal void ClearStore(ulong page)
    {
        var index = page - _firstPage;
        if (index < _pages)
        {
            _store[index] = null;
        }
    }

    /// <summary>Takes both entries of many pages away.</summary>
    internal void Clear(ulong firstPage, ulong pages)
    {
        var first = Math.Max(firstPage, _firstPage);
        var end = Math.Min(firstPage + pages, _firstPage + _pages);
        for (var page = first; page < end; page++)
        {
            Clear(page);
        }
    }

    private static int ToEndOfPage(ulong offset, int maxLength) =>
        Math.Min(maxLength, (1 << PageShift) - (int)(offset & OffsetMask));

    private ulong Index(ulong offset)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(offset, (ulong)Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Address + offset, PersistentHeap.AddressEnd, nameof(offset));
        return offset >> PageShift;
    }
}
