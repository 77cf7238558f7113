using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Everheap.Engine.Paging;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Collections;

/// <summary>
/// An array in a heap: as long as the heap's addresses and the file have room for, in memory only as far as the heap's budget allows, and part of every
/// checkpoint of the heap.
/// </summary>
/// <typeparam name="T">
/// A struct without references, of at most <see cref="PersistentHeap.PageSize"/> bytes. It is kept as it lies in memory: its layout is part of what is stored, so
/// give it <c>[StructLayout(LayoutKind.Sequential)]</c> and do not reorder its fields later on. No element straddles two pages: a size that divides 4096 wastes nothing.
/// </typeparam>
/// <remarks>
/// <para>
/// The array is what lies in the heap; this object is a handle without a state of its own. There may be several on one array, and each stays true when the heap's
/// content is changed by another, or reverted. Keep <see cref="Address"/>, for instance in <see cref="PersistentHeap.Roots"/>, to open it again.
/// </para>
/// <para>
/// An access to a page that is resident is a few instructions; to one that is not, the heap's fault. Growing takes another range of addresses, as long as all before it
/// together, and moves nothing. An array takes a page for its header, and then only pages that were written to.
/// </para>
/// <para>
/// Where there is no room (<see cref="HeapFullException"/>) or a page is damaged, setting an element and <see cref="Add"/> change nothing; what changes many elements
/// (<see cref="AddRange"/>, <see cref="Write"/>, <see cref="Clear()"/>, <see cref="Resize"/>) may be done in part, as its remarks say, and an element never is. The array stays sound, and the same call can
/// be repeated once there is room; or the heap goes back to its last checkpoint: see <see cref="PersistentHeap"/>.
/// </para>
/// <para>Like everything of a heap, an array belongs to its mutator thread. Other threads read checkpoints, by <see cref="ReadOnlyPersistentArray{T}"/>.</para>
/// </remarks>
public sealed unsafe partial class PersistentArray<T> : IReadOnlyList<T>
    where T : unmanaged
{
    /// <summary>Segment 0 of an array that no capacity was asked for, in pages: 1 MiB. It is address space, which costs nothing.</summary>
    private const int DefaultFirstSegmentShift = 8;

    private readonly PersistentHeap _heap;
    private readonly TranslationCache _cache;
    private readonly ulong _headerPage;
    private readonly int _firstSegmentShift;

    private PersistentArray(PersistentHeap heap, ulong address, int firstSegmentShift)
    {
        _heap = heap;
        _cache = heap.Cache;
        _headerPage = address >> FileLayout.PageShift;
        _firstSegmentShift = firstSegmentShift;
        Address = address;
    }

    /// <summary>Where the array is in the heap: at a page, the same for as long as it exists.</summary>
    public ulong Address { get; }

    /// <summary>How many elements there are.</summary>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public long LongCount => Header()->Length;

    /// <summary>How many elements there are.</summary>
    /// <exception cref="OverflowException">There are more than 2^31 - 1: see <see cref="LongCount"/>.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public int Count => checked((int)LongCount);

    /// <summary>How many elements there are addresses for. Reaching it costs nothing but a new range of addresses.</summary>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public long Capacity => Header()->Capacity;

    /// <summary>How many elements a page holds, and so a span at most. Those from a multiple of this on lie in one page.</summary>
    public int ElementsPerPage => PageCapacity;

    /// <summary>Whether the array keeps the length it was created with.</summary>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public bool IsFixed => Header()->IsFixed;

    private static int PageCapacity => ArrayHeader.PageCapacity(Unsafe.SizeOf<T>());

    /// <summary>An element, by value.</summary>
    /// <param name="index">From 0 to <see cref="LongCount"/> - 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such element.</exception>
    /// <exception cref="HeapCorruptedException">A page does not match its checksum.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    /// <exception cref="HeapException">Set: the store was opened for reading only.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public T this[long index]
    {
        get
        {
            var header = Header();
            if ((ulong)index >= (ulong)header->Length)
            {
                ThrowNoSuchElement(index);
            }

            return ((T*)_cache.Load(Page(header, index)))[Slot(index)];
        }

        set
        {
            var header = Header();
            if ((ulong)index >= (ulong)header->Length)
            {
                ThrowNoSuchElement(index);
            }

            ((T*)_cache.Store(Page(header, index)))[Slot(index)] = value;
        }
    }

    T IReadOnlyList<T>.this[int index] => this[index];

    /// <summary>Enumerates the elements: each as it is when it is come to, up to the length that the array has then.</summary>
    /// <returns>An enumerator that allocates nothing.</returns>
    public Enumerator GetEnumerator() => new(this);

    IEnumerator<T> IEnumerable<T>.GetEnumerator() => GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal static PersistentArray<T> Create(PersistentHeap heap, long length, long capacity, bool isFixed)
    {
        ArgumentNullException.ThrowIfNull(heap);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        ThrowIfElementIsTooLarge();
        ThrowIfLongerThanAnyHeap(capacity);
        var pages = PagesFor(capacity);
        var header = new ArrayHeader
        {
            Magic = ArrayHeader.MagicValue,
            Version = ArrayHeader.VersionValue,
            ElementSize = (uint)Unsafe.SizeOf<T>(),
            FirstSegmentShift = pages == 0 ? DefaultFirstSegmentShift : BitOperations.Log2(BitOperations.RoundUpToPowerOf2(pages)),
            Length = length,
            Flags = isFixed ? ArrayHeader.FixedFlag : 0,
        };
        var address = heap.Allocate(PersistentHeap.PageSize);
        try
        {
            if (capacity > 0)
            {
                AddSegment(heap, ref header);
            }

            heap.Write(address, MemoryMarshal.AsBytes(new Span<ArrayHeader>(ref header)));
        }
        catch
        {
            ReleaseSegments(heap, ref header);
            heap.Release(address, PersistentHeap.PageSize);
            throw;
        }

        return new PersistentArray<T>(heap, address, header.FirstSegmentShift);
    }

    internal static PersistentArray<T> Open(PersistentHeap heap, ulong address)
    {
        ArgumentNullException.ThrowIfNull(heap);
        ThrowIfElementIsTooLarge();
        var header = ArrayHeader.Read(heap, address, Unsafe.SizeOf<T>());
        return new PersistentArray<T>(heap, address, header.FirstSegmentShift);
    }

    internal static void ThrowIfElementIsTooLarge()
    {
        if (Unsafe.SizeOf<T>() > PersistentHeap.PageSize)
        {
            throw new NotSupportedException(
                $"An element has to fit in a page of {PersistentHeap.PageSize} bytes, and {typeof(T)} has {Unsafe.SizeOf<T>()}. Keep it in smaller parts.");
        }
    }

    private static ulong PagesFor(long elements) => ((ulong)elements + (ulong)PageCapacity - 1) / (ulong)PageCapacity;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Slot(long index) => (uint)((ulong)index % (uint)PageCapacity);

    private static void ThrowIfLongerThanAnyHeap(long elements)
    {
        if (elements > (long)(PersistentHeap.AddressEnd >> FileLayout.PageShift) * PageCapacity)
        {
            throw new ArgumentOutOfRangeException(nameof(elements), elements, $"{elements} elements of {Unsafe.SizeOf<T>()} bytes are more than any heap holds.");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ArrayHeader* Header() => (ArrayHeader*)_cache.Load(_headerPage);

    /// <summary>The page of the heap that an element of the array is in. The header is good until the next call into the heap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong Page(ArrayHeader* header, long index)
    {
        // The segment is at most 63, so even a header that is none is read within its page.
        var segment = ArrayHeader.Segment(_firstSegmentShift, (ulong)index / (uint)PageCapacity, out var within);
        return ((ulong*)&header->Segments)[segment] + within;
    }

    [DoesNotReturn]
    private void ThrowNoSuchElement(long index) =>
        throw new ArgumentOutOfRangeException(nameof(index), index, $"The array at 0x{Address:x} has {LongCount} elements.");

    /// <summary>Goes through the elements of an array.</summary>
    public struct Enumerator : IEnumerator<T>
    {
        private readonly PersistentArray<T> _array;
        private long _index;

        internal Enumerator(PersistentArray<T> array) => _array = array;

        /// <summary>The element come to.</summary>
        public T Current { get; private set; }

        readonly object IEnumerator.Current => Current;

        /// <summary>Goes on to the next element.</summary>
        /// <returns>False if there is none.</returns>
        public bool MoveNext()
        {
            if (_index >= _array.LongCount)
            {
                Current = default;
                return false;
            }

            Current = _array[_index++];
            return true;
        }

        /// <summary>Starts again.</summary>
        public void Reset()
        {
            _index = 0;
            Current = default;
        }

        /// <summary>Does nothing.</summary>
        public readonly void Dispose()
        {
        }
    }
}
