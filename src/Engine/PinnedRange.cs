using System.Runtime.CompilerServices;
using Everheap.Engine.Paging;
using Everheap.Engine.Storage;

namespace Everheap.Engine;

/// <summary>
/// A range of a heap's addresses that is resident as a whole and in one piece: the byte at an offset is at <see cref="Memory"/> + offset, without a look-up, and no eviction
/// takes it away.
/// </summary>
/// <remarks>
/// <para>
/// Whoever stores has to say which pages have changed: <see cref="WriteSpan"/> does, compiled code sets the page's byte in the <see cref="DirtyMap"/>. A page that was
/// stored to and not marked is not part of the next checkpoint. A seal copies the marked pages aside and takes all marks away, so a mark and its stores have to be
/// between the same two seals: in any order, as long as no checkpoint is begun in between. A span from <see cref="WriteSpan"/> is good for stores up to the next seal only.
/// </para>
/// <para>
/// The range is part of the heap as before: all else that reads or writes those addresses (<see cref="PersistentHeap.Read"/>, <see cref="TranslationWindow"/>s, checkpoints) sees
/// the same bytes. Its bytes count against the heap's budget.
/// </para>
/// <para>Like the heap, it belongs to the mutator thread.</para>
/// </remarks>
public sealed unsafe class PinnedRange : IDisposable
{
    /// <summary>Of a page that has changed, while the range is given up: there is an older copy of it that is being written.</summary>
    internal const byte MarkOfCopied = 2;

    /// <summary>Of a page that was part of a checkpoint; half of it a while later.</summary>
    private const byte ChangedLately = 2;

    /// <summary>A range of so many bytes may take memory in pages of 2 MiB. A shorter one would take the most of such a page for nothing.</summary>
    private const long HugePagesLengthMin = 2L << 20;

    private readonly Pager _pager;
    private readonly ReservedMemory _memory;
    private readonly byte[] _marks;
    private byte[] _changes = [];
    private readonly List<int> _leaves = [];
    private readonly ulong _firstLeaf;
    private volatile int _pages;
    private bool _hasHugePages;
    private bool _isClosed;

    internal PinnedRange(Pager pager, ulong firstPage, int pagesMax)
    {
        _pager = pager;
        FirstPage = firstPage;
        _firstLeaf = firstPage >> FileLayout.NodeShift;
        var bytes = (long)pagesMax << FileLayout.PageShift;
        _memory = new ReservedMemory(bytes);
        _marks = GC.AllocateArray<byte>(pagesMax, pinned: true);
        Start = _memory.Start;
    }

    /// <summary>The heap address of offset 0.</summary>
    public ulong Address => FirstPage << FileLayout.PageShift;

    /// <summary>Bytes that are pinned: whole pages.</summary>
    public ulong Length => (ulong)_pages << FileLayout.PageShift;

    /// <summary>Bytes that it can be extended to.</summary>
    public ulong MaxLength => (ulong)_marks.Length << FileLayout.PageShift;

    /// <summary>Whether it is pinned: not disposed, and its heap is open.</summary>
    public bool IsPinned => !_isClosed;

    /// <summary>The address in memory of offset 0; the same for as long as it is pinned.</summary>
    public nint Memory => (nint)Start;

    /// <summary>The address in memory of one byte a page, to be set to 1 for a page that is stored to; the same for as long as it is pinned.</summary>
    public nint DirtyMap => (nint)Unsafe.AsPointer(ref _marks[0]);

    internal ulong FirstPage { get; }

    internal byte* Start { get; }

    /// <summary>How many pages are in the range. Set by the pager; read by any thread.</summary>
    internal int Pages
    {
        get => _pages;
        set => _pages = value;
    }

    /// <summary>One byte a page: not 0 if it has changed since the last seal. There is memory behind it for as long as there is this object.</summary>
    internal Span<byte> Marks => _marks.AsSpan(0, _pages);

    /// <summary>The frames of the leaves of the page map that the range's pages are in, in order.</summary>
    internal List<int> Leaves => _leaves;

    /// <summary>Pages with a mark. Any thread.</summary>
    internal int MarkedPages
    {
        get
        {
            var marks = Marks;
            return marks.Length - marks.Count((byte)0);
        }
    }

    /// <summary>Bytes to read.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="length">How many; the range holds them.</param>
    /// <returns>Valid for as long as the range is pinned.</returns>
    /// <exception cref="ArgumentOutOfRangeException">They are not all in the range.</exception>
    /// <exception cref="ObjectDisposedException">The range is no longer pinned.</exception>
    public ReadOnlySpan<byte> ReadSpan(ulong offset, int length)
    {
        Check(offset, length);
        return new ReadOnlySpan<byte>(Start + offset, length);
    }

    /// <summary>Bytes to write; their pages count as changed.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="length">How many; the range holds them.</param>
    /// <returns>To be stored to before the next checkpoint is begun; then it has to be asked for anew. Valid for reading for as long as the range is pinned.</returns>
    /// <exception cref="ArgumentOutOfRangeException">They are not all in the range.</exception>
    /// <exception cref="ObjectDisposedException">The range is no longer pinned.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed earlier.</exception>
    public Span<byte> WriteSpan(ulong offset, int length)
    {
        MarkDirty(offset, length);
        return new Span<byte>(Start + offset, length);
    }

    /// <summary>Says that bytes were stored to, or will be before the next checkpoint is begun.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="length">How many; the range holds them.</param>
    /// <exception cref="ArgumentOutOfRangeException">They are not all in the range.</exception>
    /// <exception cref="ObjectDisposedException">The range is no longer pinned.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed earlier.</exception>
    public void MarkDirty(ulong offset, int length)
    {
        Check(offset, length);
        _pager.ThrowIfNotWritable();
        if (length > 0)
        {
            var first = (int)(offset >> FileLayout.PageShift);
            var last = (int)((offset + (ulong)length - 1) >> FileLayout.PageShift);
            _marks.AsSpan(first..(last + 1)).Fill(1);
        }
    }

    /// <summary>Makes the range longer: the pages that follow are made resident behind it. Nothing moves.</summary>
    /// <param name="length">The new length in bytes, no less than <see cref="Length"/> and at most <see cref="MaxLength"/>; counted in whole pages.</param>
    /// <remarks>Takes time by what there is to load. If it fails, the range is as long as before.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The length is shorter than now, or longer than can be.</exception>
    /// <exception cref="ArgumentException">Other pinned ranges are in the way.</exception>
    /// <exception cref="HeapException">The budget does not allow it (<see cref="PersistentHeap.PinnableBytes"/>).</exception>
    /// <exception cref="HeapCorruptedException">A page does not match its checksum.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    /// <exception cref="ObjectDisposedException">The range is no longer pinned.</exception>
    public void Extend(ulong length)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, MaxLength);
        _pager.Extend(this, (int)((length + PersistentHeap.PageSize - 1) >> FileLayout.PageShift));
    }

    /// <summary>
    /// Gives the range up: its pages are served from frames again, like all others. What has changed in it has a frame from then on; the rest is loaded when it is used.
    /// </summary>
    /// <remarks>Reads and writes no file, and does not fail. <see cref="Memory"/> and all spans of it must not be used any more.</remarks>
    public void Dispose()
    {
        if (!_isClosed)
        {
            _pager.Unpin(this);
        }
    }

    /// <summary>It is about to be so long.</summary>
    internal void Prepare(int pages)
    {
        if (_changes.Length < pages)
        {
            Array.Resize(ref _changes, Math.Max(pages, (int)Math.Min(2L * _changes.Length, _marks.Length)));
        }

        if (!_hasHugePages && (long)pages << FileLayout.PageShift >= HugePagesLengthMin && (long)MaxLength >= FramePool.HugePagesMin)
        {
            _hasHugePages = true;
            _memory.AllowHugePages(true);
        }
    }

    /// <summary>The content of one of its pages.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* Content(int index) => Start + ((long)index << FileLayout.PageShift);

    /// <summary>The content of some of its pages.</summary>
    internal Span<byte> Content(int index, int pages) => new(Content(index), pages << FileLayout.PageShift);

    /// <summary>Whether a page reads as zero throughout.</summary>
    internal bool IsZero(int index) => Content(index, 1).IndexOfAnyExcept((byte)0) < 0;

    /// <summary>Says that a page has changed.</summary>
    internal void Mark(int index) => _marks[index] = 1;

    /// <summary>The page is part of a checkpoint as it is.</summary>
    internal void Unmark(int index)
    {
        _marks[index] = 0;
        _changes[index] = ChangedLately;
    }

    /// <summary>Whether a page has changed, or was part of a checkpoint, in this or the last of the times between two calls of <see cref="AgeChanges"/>.</summary>
    internal bool HasChangedLately(int index) => (_marks[index] | _changes[index]) != 0;

    /// <summary>Begins another time, and forgets the one before the last.</summary>
    internal void AgeChanges()
    {
        foreach (ref var change in _changes.AsSpan(0, _pages))
        {
            change >>= 1;
        }
    }

    /// <summary>The first marked page from one on; the number of pages if there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int NextMark(int from)
    {
        var distance = Marks[from..].IndexOfAnyExcept((byte)0);
        return distance < 0 ? _pages : from + distance;
    }

    /// <summary>The frame of the leaf that one of its pages is in.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int LeafOf(ulong page) => _leaves[(int)((page >> FileLayout.NodeShift) - _firstLeaf)];

    /// <summary>Forgets the content of pages: zero again, not marked, and without memory.</summary>
    internal void Wipe(int first, int end)
    {
        if (first < end)
        {
            _memory.Clear((long)first << FileLayout.PageShift, (long)(end - first) << FileLayout.PageShift);
            _marks.AsSpan(first..end).Clear();
        }
    }

    /// <summary>Gives the memory back.</summary>
    internal void Close()
    {
        _isClosed = true;
        _pages = 0;
        _memory.Dispose();
    }

    private void Check(ulong offset, int length)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        if (length < 0 || offset > Length || (ulong)length > Length - offset)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{length} bytes at offset {offset} are not all in the pinned range of {Length} bytes.");
        }
    }
}
