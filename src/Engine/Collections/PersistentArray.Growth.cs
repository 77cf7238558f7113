using System.Runtime.CompilerServices;

namespace Everheap.Engine.Collections;

// Changing the length: elements are added at the end and taken away from there; segments come, and go only with the array.
public sealed unsafe partial class PersistentArray<T>
{
    /// <summary>Adds an element at the end.</summary>
    /// <param name="item">The element.</param>
    /// <exception cref="InvalidOperationException">The array is of fixed length.</exception>
    /// <exception cref="HeapCorruptedException">A page does not match its checksum.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    /// <exception cref="HeapException">The store was opened for reading only.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public void Add(T item) => AddWithin(new ReadOnlySpan<T>(in item));

    /// <summary>Adds elements at the end.</summary>
    /// <param name="items">The elements.</param>
    /// <remarks>If it fails half-way, the elements before are added.</remarks>
    /// <inheritdoc cref="Add" path="/exception"/>
    public void AddRange(ReadOnlySpan<T> items)
    {
        ThrowIfFixed();
        EnsureCapacity(checked(LongCount + items.Length));
        while (!items.IsEmpty)
        {
            var count = Math.Min(items.Length, PageCapacity - (int)Slot(LongCount));
            AddWithin(items[..count]);
            items = items[count..];
        }
    }

    /// <summary>Sets addresses aside for so many elements, if there are not that many.</summary>
    /// <param name="capacity">Elements, those that there are included.</param>
    /// <inheritdoc cref="Add" path="/exception"/>
    /// <exception cref="ArgumentOutOfRangeException">The capacity is negative, or larger than any heap.</exception>
    public void EnsureCapacity(long capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        if (capacity <= Capacity)
        {
            return;
        }

        ThrowIfFixed();
        ThrowIfLongerThanAnyHeap(capacity);
        var header = ArrayHeader.Read(_heap, Address, Unsafe.SizeOf<T>());
        while (header.Capacity < capacity)
        {
            AddSegment(_heap, ref header);
            var last = header.SegmentCount - 1;
            try
            {
                *(ArrayHeader*)_cache.Store(_headerPage) = header;
            }
            catch
            {
                _heap.Release(header.Segments[last] << PersistentHeap.PageShift, SegmentBytes(header, last));
                throw;
            }
        }
    }

    /// <summary>Changes the length: new elements are zero; those past the new end go, and their pages are dropped.</summary>
    /// <param name="length">The new length. 0 empties the array; its addresses stay set aside.</param>
    /// <remarks>Growing takes no time by the number of new elements; shrinking, by the pages that go. If shrinking fails half-way, the length stays, and some of the elements that were to go are zero.</remarks>
    /// <inheritdoc cref="Add" path="/exception"/>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative, or larger than any heap.</exception>
    public void Resize(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        var before = LongCount;
        if (length == before)
        {
            return;
        }

        ThrowIfFixed();
        if (length < before)
        {
            Clear(length, before - length);
        }
        else
        {
            EnsureCapacity(length);
        }

        SetLength(length);
    }

    /// <summary>Takes the array out of the heap, and gives its addresses and its space back. A name in <see cref="PersistentHeap.Roots"/> stays, and has to be removed.</summary>
    /// <remarks>Takes time by the pages there are. No handle on this array can be used any more. If it fails half-way, it can be done again.</remarks>
    /// <inheritdoc cref="Clear()" path="/exception"/>
    public void Delete()
    {
        // An array never refers to a segment that is not its own any more.
        var header = ArrayHeader.Read(_heap, Address, Unsafe.SizeOf<T>());
        header.Length = 0;
        while (header.SegmentCount > 0)
        {
            var last = --header.SegmentCount;
            header.Capacity = ArrayHeader.CapacityOf(header.FirstSegmentShift, last, Unsafe.SizeOf<T>());
            *(ArrayHeader*)_cache.Store(_headerPage) = header;
            _heap.Release(header.Segments[last] << PersistentHeap.PageShift, SegmentBytes(header, last));
        }

        _heap.Release(Address, PersistentHeap.PageSize);
    }

    private static ulong SegmentBytes(in ArrayHeader header, int segment) =>
        ArrayHeader.SegmentLength(header.FirstSegmentShift, segment) << PersistentHeap.PageShift;

    private static void AddSegment(PersistentHeap heap, ref ArrayHeader header)
    {
        var segment = header.SegmentCount;
        if (segment >= ArrayHeader.SegmentsMax - header.FirstSegmentShift)
        {
            throw new HeapException($"Heap '{heap.Name}': the array cannot grow past {header.Capacity} elements; the next range of addresses would be longer than the heap.");
        }

        header.Segments[segment] = heap.Allocate(SegmentBytes(header, segment)) >> PersistentHeap.PageShift;
        header.SegmentCount++;
        header.Capacity = ArrayHeader.CapacityOf(header.FirstSegmentShift, header.SegmentCount, Unsafe.SizeOf<T>());
    }

    private static void ReleaseSegments(PersistentHeap heap, ref ArrayHeader header)
    {
        for (; header.SegmentCount > 0; header.SegmentCount--)
        {
            var last = header.SegmentCount - 1;
            heap.Release(header.Segments[last] << PersistentHeap.PageShift, SegmentBytes(header, last));
        }
    }

    /// <summary>Adds elements that all go into the page that the array ends in, or into the next.</summary>
    private void AddWithin(ReadOnlySpan<T> items)
    {
        var header = Header();
        var length = header->Length;
        if (header->Capacity - length < items.Length || header->IsFixed)
        {
            ThrowIfFixed();
            EnsureCapacity(checked(length + items.Length));
            header = Header();
        }

        var page = Page(header, length);

        // The length first: should the elements' page be refused, a zero too many is taken back, and what lies past the end is zero at any time.
        SetLength(length + items.Length);
        try
        {
            WriteWithin(page, length, items);
        }
        catch
        {
            SetLength(length);
            throw;
        }
    }

    private void SetLength(long length) => ((ArrayHeader*)_cache.Store(_headerPage))->Length = length;

    private void ThrowIfFixed()
    {
        if (IsFixed)
        {
            throw new InvalidOperationException($"The array at 0x{Address:x} was created with a fixed length of {LongCount}.");
        }
    }
}
