using System.Numerics;
using Everheap.Engine.Checkpoints;
using Everheap.Engine.Paging;
using Everheap.Engine.Storage;

namespace Everheap.Engine;

/// <summary>
/// One persistent address space: sparse, zero where nothing was written, and held in memory only as far as the budget allows.
/// </summary>
/// <remarks>
/// <para>
/// One thread, the mutator, calls everything here; members that any thread may call say so. A checkpoint is the whole heap
/// at the moment it was sealed; the heap goes on changing while it is written.
/// </para>
/// <para>
/// Want of room. A page that gives up its frame is written to the file, so any call that needs frames may find that there is no room (<see cref="HeapFullException"/>). A call that
/// changes several pages (<see cref="Write"/>, <see cref="Clear"/>, <see cref="Release"/>, and those of collections) then is done in part: of each page, all or nothing. So it is if a page on
/// its way is damaged. Room for all of it is not reserved beforehand, as other heaps of the store take from the same room meanwhile. No checkpoint has
/// the part unless one is made. There are two ways to a whole: make room (drop checkpoints or heaps, or free some on the medium) and repeat the same call, which does all of it; or give up
/// what has changed since the last checkpoint, by <see cref="Revert"/> to <see cref="LatestCheckpointNumber"/>, which needs no more room than a store keeps for such commits, or by closing the heap
/// and opening it again, which needs none.
/// </para>
/// </remarks>
public sealed partial class PersistentHeap : IHeapReader, IDisposable
{
    /// <summary>Bytes of a page: the unit of dirty tracking, of eviction and of allocation.</summary>
    public const int PageSize = FileLayout.PageSize;

    /// <summary>log2 of <see cref="PageSize"/>.</summary>
    public const int PageShift = FileLayout.PageShift;

    /// <summary>Bytes of a heap's address space, the engine's own part at the end included.</summary>
    public const ulong AddressSpaceBytes = 1UL << 48;

    /// <summary>The address after the last that can be used: the 64 GiB above hold the engine's own account of address ranges and names.</summary>
    public const ulong AddressEnd = AddressSpaceBytes - (1UL << 36);

    /// <summary>The most bytes of a heap's note.</summary>
    public const int NoteLengthMax = FileLayout.HeapNoteLengthMax;

    /// <summary>The most heaps of a store that can have a note.</summary>
    public const int NoteCountMax = FileLayout.HeapNoteCountMax;

    private readonly HeapStore _store;
    private readonly HeapEntry _entry;
    private readonly Pager _pager;
    private readonly CheckpointWriter _writer;
    private readonly AddressRanges _ranges;
    private readonly HeapMeter _meter;
    private bool _isDisposed;

    internal PersistentHeap(HeapStore store, HeapEntry entry, long residentBytes)
    {
        _store = store;
        _entry = entry;
        Name = entry.Name;
        var record = entry.Durable.Record;
        _pager = new Pager(store.Channel, store.Allocator, Name, record.MapRoot, (long)record.MappedPages, residentBytes);
        _writer = new CheckpointWriter(_pager, store.Channel, store.Committer, entry);
        _ranges = new AddressRanges(this);
        Roots = new NamedRoots(this);
        _meter = new HeapMeter(this);
    }

    /// <summary>
    /// Called by the mutator at the start of every checkpoint, before the heap is sealed: what it writes to the heap is part of the checkpoint, and what it throws
    /// keeps the checkpoint from being made.
    /// </summary>
    public event Action<PersistentHeap>? Sealing;

    /// <summary>The store it is in. Any thread.</summary>
    public HeapStore Store => _store;

    /// <summary>The heap's name. Any thread.</summary>
    public string Name { get; }

    /// <summary>Names for addresses in the heap, by which what was built in it is found again.</summary>
    public NamedRoots Roots { get; }

    /// <summary>Bytes of pages changed since the last seal and resident. Cheap; any thread.</summary>
    public long DirtyBytes => _pager.DirtyPages << PageShift;

    /// <summary>The number of the newest durable checkpoint; 0 if there is none yet. Any thread.</summary>
    public ulong LatestCheckpointNumber => _entry.Durable.Number;

    /// <summary>Counts and times since the heap was opened. Any thread; may wait for a fault to be served.</summary>
    public HeapStatistics Statistics => _writer.AddTo(_pager.AddTo(new HeapStatistics
    {
        BytesRead = _store.Channel.BytesRead,
        BytesWritten = _store.Channel.BytesWritten,
    }));

    string IHeapReader.HeapName => Name;

    /// <summary>The frames of pages used lately, for collections.</summary>
    internal TranslationCache Cache
    {
        get
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            return _pager.Cache;
        }
    }

    /// <summary>Pages that have a place, in the page map as it was last written. Not while a checkpoint is being written.</summary>
    internal long MappedPages => _pager.MappedPages;

    /// <summary>Copies from the heap. Pages never written read as zero, and cost no frame.</summary>
    /// <param name="address">Where to start.</param>
    /// <param name="destination">As much as is to be read; the range ends at or before <see cref="AddressEnd"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range reaches past the end.</exception>
    /// <exception cref="HeapCorruptedException">A page does not match its checksum.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">No frame can be freed any more, because writing failed earlier.</exception>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    public void Read(ulong address, Span<byte> destination)
    {
        CheckRange(address, (ulong)destination.Length);
        ReadAnywhere(address, destination);
    }

    /// <summary>Copies to the heap. A page that is written whole is not read before.</summary>
    /// <param name="address">Where to start.</param>
    /// <param name="source">What to write; the range ends at or before <see cref="AddressEnd"/>.</param>
    /// <remarks>Page by page, in order: if it fails half-way, the pages before are written. What lies in one page is written whole or not at all.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The range reaches past the end.</exception>
    /// <exception cref="HeapCorruptedException">A page does not match its checksum.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file. Some of the pages may be written already: see the remarks on this class.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    /// <exception cref="HeapException">The store was opened for reading only.</exception>
    public void Write(ulong address, ReadOnlySpan<byte> source)
    {
        CheckRange(address, (ulong)source.Length);
        WriteAnywhere(address, source);
    }

    /// <summary>Makes a range read as zero: whole pages are dropped, and their space in the file comes back; parts of pages are written over.</summary>
    /// <param name="address">Where to start.</param>
    /// <param name="length">How many bytes; the range ends at or before <see cref="AddressEnd"/>.</param>
    /// <remarks>Takes time by what is there, not by the length. If it fails half-way, some of the pages are zero already, each whole or not at all.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The range reaches past the end.</exception>
    /// <exception cref="HeapCorruptedException">A page or a node of the page map does not match its checksum.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file. Some of the pages may be zero already: see the remarks on this class.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    /// <exception cref="HeapException">The store was opened for reading only.</exception>
    public void Clear(ulong address, ulong length)
    {
        CheckRange(address, length);
        ClearAnywhere(address, length);
    }

    /// <summary>Sets a range of addresses aside. Its content is zero.</summary>
    /// <param name="length">Bytes, at least 1; counted in whole pages.</param>
    /// <param name="alignment">Of the address, in bytes: a power of two; at least a page is given.</param>
    /// <returns>The first address; never below 1 MiB.</returns>
    /// <remarks>Which ranges are set aside is part of every checkpoint. First-fit, in time logarithmic in the number of free ranges.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The length is 0, or the alignment is no power of two.</exception>
    /// <exception cref="HeapException">No range that long is free.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file; nothing is set aside.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public ulong Allocate(ulong length, ulong alignment = PageSize)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ArgumentOutOfRangeException.ThrowIfZero(length);
        if (!BitOperations.IsPow2(alignment))
        {
            throw new ArgumentOutOfRangeException(nameof(alignment), alignment, "An alignment is a power of two.");
        }

        ThrowIfReadOnly();
        var isPossible = length <= AddressEnd && alignment <= AddressEnd;
        var page = isPossible ? _ranges.Allocate((length + PageSize - 1) >> PageShift, Math.Max(alignment >> PageShift, 1)) : 0;
        return page != 0
            ? page << PageShift
            : throw new HeapException($"Heap '{Name}': no {length} bytes of address space are free in one piece. Release what is not needed.");
    }

    /// <summary>Gives a range of addresses back, or a part of one: its pages are dropped, and it can be set aside again.</summary>
    /// <param name="address">Where to start; at a page.</param>
    /// <param name="length">Bytes; counted in whole pages.</param>
    /// <remarks>If it fails half-way, some of the pages are zero already, and the range stays set aside: it can be released again.</remarks>
    /// <exception cref="ArgumentException">The range is not at a page, reaches outside what can be allocated, or is in part free already.</exception>
    /// <exception cref="HeapCorruptedException">A node of the page map does not match its checksum.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public void Release(ulong address, ulong length)
    {
        CheckRange(address, length);
        ThrowIfReadOnly();
        if (length == 0)
        {
            return;
        }

        if ((address & (PageSize - 1)) != 0 || address < AddressRanges.FirstAddress)
        {
            throw new ArgumentException($"Only what was allocated can be released, and 0x{address:x} was not: it is not at a page, or below what is given out.", nameof(address));
        }

        var pages = (length + PageSize - 1) >> PageShift;
        if (!_ranges.IsTaken(address >> PageShift, pages))
        {
            throw new ArgumentException($"Of the {length} bytes at 0x{address:x}, some are not allocated.", nameof(address));
        }

        // The pages first: if there is no room to drop them all, the range stays set aside, and is never given out with something in it.
        _pager.Drop(address >> PageShift, (address >> PageShift) + pages);
        _ranges.TryRelease(address >> PageShift, pages);
    }

    /// <summary>Opens translation tables for a span of addresses. They take memory as they are used: 16 bytes a page of the heap that is reached through them.</summary>
    /// <param name="address">At a page, below <see cref="AddressEnd"/>.</param>
    /// <param name="length">Bytes that it spans: whole pages, at most <see cref="TranslationWindow.WindowBytesMax"/>. It may reach beyond <see cref="AddressEnd"/>.</param>
    /// <exception cref="ArgumentException">The address is not at a page, or past the end.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The length is not positive, more than may be, or no whole pages.</exception>
    public TranslationWindow OpenWindow(ulong address, long length = TranslationWindow.WindowBytes)
    {
        CheckRange(address, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, TranslationWindow.WindowBytesMax);
        ArgumentOutOfRangeException.ThrowIfNotEqual(length & (PageSize - 1), 0, nameof(length));
        return (address & (PageSize - 1)) == 0
            ? new TranslationWindow(_pager, address, length)
            : throw new ArgumentException($"A window starts at a page, and 0x{address:x} does not.", nameof(address));
    }

    /// <summary>
    /// The length in bytes of the longest range that <see cref="PinRange"/> would take now, wherever it is: what the budget has left over beside other pinned ranges, a MiB for
    /// everything else, and the page map's nodes above the range.
    /// </summary>
    public ulong PinnableBytes => (ulong)_pager.PinnablePages << PageShift;

    /// <summary>Makes a range of addresses resident as a whole, in one piece of memory, until it is disposed or the heap is.</summary>
    /// <param name="address">Where it begins; at a page.</param>
    /// <param name="length">Bytes, at least 1; counted in whole pages. The range ends at or before <see cref="AddressEnd"/>.</param>
    /// <param name="maxLength">Bytes that it may be extended to in the same place in memory (<see cref="PinnedRange.Extend"/>), which takes address space and a byte a page; 0: as
    /// many as the length.</param>
    /// <returns>The range. Checkpoints and <see cref="Revert"/> leave it pinned.</returns>
    /// <remarks>
    /// Takes time by what there is to load; what is evicted for it is written, if it has changed. A seal copies the pages of it that were marked as changed (some 0.4 us each), and
    /// takes frames for the copies until they are written; if there are too few in the budget, it writes pages itself, and the pause is longer by that. So leave at least as much of the
    /// budget unpinned as changes between two checkpoints.
    /// </remarks>
    /// <exception cref="ArgumentException">The address is not at a page, the range is empty, or overlaps another that is pinned.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range reaches past the end.</exception>
    /// <exception cref="HeapException">It is longer than the budget allows (<see cref="PinnableBytes"/>), or the store was opened for reading only.</exception>
    /// <exception cref="HeapCorruptedException">A page does not match its checksum.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file. Nothing is pinned.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    public PinnedRange PinRange(ulong address, ulong length, ulong maxLength = 0)
    {
        maxLength = Math.Max(length, maxLength);
        CheckRange(address, maxLength);
        ThrowIfReadOnly();
        ArgumentOutOfRangeException.ThrowIfZero(length);
        if ((address & (PageSize - 1)) != 0)
        {
            throw new ArgumentException($"A pinned range begins at a page, and 0x{address:x} does not.", nameof(address));
        }

        // More than the budget can never be pinned, so that much need not be set aside for it.
        var pages = (length + PageSize - 1) >> PageShift;
        var pagesMax = Math.Min((maxLength + PageSize - 1) >> PageShift, Math.Max(pages, (ulong)_pager.FrameCount));
        return _pager.Pin(address >> PageShift, pages, pagesMax);
    }

    /// <summary>
    /// Gives memory back: of every page that has not changed since it was last written, and of all buffers that are not in use. For a heap that will not be used for a while; what it is
    /// used for next is read from the file again.
    /// </summary>
    /// <remarks>
    /// Writes nothing, so what has changed since the last checkpoint stays resident; right after a checkpoint, nothing has. Pinned ranges stay, and windows stay open. Takes time by the
    /// memory that it gives back, some 0.1 us a page.
    /// </remarks>
    public void Trim()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        _pager.Trim();
    }

    /// <summary>
    /// Writes a small note of this heap outside the checkpoints, for what has to be known of the time since the last one. It replaces the one before, survives the
    /// death of the process as soon as this returns, and a power cut once a later checkpoint has completed. Any thread.
    /// </summary>
    /// <param name="note">At most <see cref="NoteLengthMax"/> bytes.</param>
    /// <remarks>
    /// A note is this heap's alone, on the way that it goes: a fork, and what is received from another store, starts without one, and a revert makes it void.
    /// Up to <see cref="NoteCountMax"/> heaps of a store have one; a heap gives its place up when it is dropped.
    /// </remarks>
    /// <exception cref="ArgumentException">The note is too long.</exception>
    /// <exception cref="HeapException">So many other heaps have notes already, or the store was opened for reading only.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public void WriteNote(ReadOnlySpan<byte> note)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        _store.WriteNote(_entry, note);
    }

    /// <summary>Reads the newest note of this heap. Any thread.</summary>
    /// <param name="destination">At least as long as the note; <see cref="NoteLengthMax"/> always is enough.</param>
    /// <param name="length">The note's length in bytes; 0 if there is none.</param>
    /// <returns>False if it has written none since it was created, forked, or last went back.</returns>
    /// <exception cref="ArgumentException">The destination is too short.</exception>
    public bool TryReadNote(Span<byte> destination, out int length)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _store.TryReadNote(_entry, destination, out length);
    }

    /// <summary>
    /// Closes the heap; its windows with it. Waits for a checkpoint that is being written, and makes none: what has changed since the last is lost.
    /// </summary>
    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        EndPrefetching();
        WaitForCheckpoint();
        _meter.Dispose();
        _writer.Dispose();
        _pager.Dispose();
        _store.Closed(this, _entry);
    }

    /// <summary>Reads, also from the engine's own part of the address space.</summary>
    internal void ReadAnywhere(ulong address, Span<byte> destination)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        while (!destination.IsEmpty)
        {
            var offset = (int)(address & (PageSize - 1));
            var count = Math.Min(destination.Length, PageSize - offset);
            _pager.Read(address >> PageShift, offset, destination[..count]);
            address += (ulong)count;
            destination = destination[count..];
        }
    }

    /// <summary>Writes, also to the engine's own part of the address space.</summary>
    internal void WriteAnywhere(ulong address, ReadOnlySpan<byte> source)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        while (!source.IsEmpty)
        {
            var offset = (int)(address & (PageSize - 1));
            var count = Math.Min(source.Length, PageSize - offset);
            _pager.Write(address >> PageShift, offset, source[..count]);
            address += (ulong)count;
            source = source[count..];
        }
    }

    /// <summary>Drops pages, also in the engine's own part of the address space.</summary>
    /// <param name="firstPage">The first page.</param>
    /// <param name="endPage">The page after the last.</param>
    internal void DropPagesAnywhere(ulong firstPage, ulong endPage)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        _pager.Drop(firstPage, endPage);
    }

    /// <summary>Makes a range read as zero, also in the engine's own part of the address space.</summary>
    internal void ClearAnywhere(ulong address, ulong length)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ThrowIfReadOnly();
        var end = address + length;
        var first = (address + PageSize - 1) >> PageShift;
        var last = end >> PageShift;
        if (first > last)
        {
            ZeroWithin(address, end); // inside one page
            return;
        }

        ZeroWithin(address, first << PageShift);
        _pager.Drop(first, last);
        ZeroWithin(last << PageShift, end);
    }

    void IHeapReader.ReadAnywhere(ulong address, Span<byte> destination) => ReadAnywhere(address, destination);

    private void ZeroWithin(ulong address, ulong end)
    {
        if (address < end)
        {
            _pager.Zero(address >> PageShift, (int)(address & (PageSize - 1)), (int)(end - address));
        }
    }

    private void CheckRange(ulong address, ulong length)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (address > AddressEnd || length > AddressEnd - address)
        {
            throw new ArgumentOutOfRangeException(nameof(address), address, $"{length} bytes at 0x{address:x} reach past the end of the heap's addresses, 0x{AddressEnd:x}.");
        }
    }

    private void ThrowIfReadOnly()
    {
        if (_store.Allocator is null)
        {
            throw new HeapException($"{_store.Path}: opened for reading only; open it for writing to change it.");
        }
    }
}
