using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Everheap.Engine.Collections;

// Many elements at once: spans of a page, copies in and out, zeroing.
public sealed unsafe partial class PersistentArray<T>
{
    /// <summary>The elements from an index on that are in the same page, to read in place.</summary>
    /// <param name="index">The first.</param>
    /// <param name="maxLength">The most that are wanted.</param>
    /// <returns>At least one element (if any is wanted), at most up to the end of the page or of the array. Valid until the next call into the heap, or into anything in it.</returns>
    /// <remarks>This is the fastest way through an array: <c>for (long i = 0; i &lt; array.LongCount; i += span.Length) span = array.ReadSpan(i);</c></remarks>
    /// <exception cref="ArgumentOutOfRangeException">There is no such element, or the length is negative.</exception>
    /// <exception cref="HeapCorruptedException">A page does not match its checksum.</exception>
    /// <exception cref="HeapFailedException">No frame can be freed any more, because writing failed earlier.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public ReadOnlySpan<T> ReadSpan(long index, int maxLength = int.MaxValue)
    {
        var header = Header();
        var length = SpanLength(header, index, maxLength);
        return new ReadOnlySpan<T>((T*)_cache.Load(Page(header, index)) + Slot(index), length);
    }

    /// <summary>The elements from an index on that are in the same page, to read and write in place. The page counts as changed.</summary>
    /// <param name="index">The first.</param>
    /// <param name="maxLength">The most that are wanted.</param>
    /// <returns>
    /// At least one element (if any is wanted), at most up to the end of the page or of the array. Valid until the next call into the heap, or into anything in it: what is written to it
    /// after a checkpoint was begun may become part of that, or of another page.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such element, or the length is negative.</exception>
    /// <exception cref="HeapCorruptedException">A page does not match its checksum.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    /// <exception cref="HeapException">The store was opened for reading only.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public Span<T> WriteSpan(long index, int maxLength = int.MaxValue)
    {
        var header = Header();
        var length = SpanLength(header, index, maxLength);
        return new Span<T>((T*)_cache.Store(Page(header, index)) + Slot(index), length);
    }

    /// <summary>Copies elements out of the array.</summary>
    /// <param name="index">The first.</param>
    /// <param name="destination">As many as are wanted.</param>
    /// <inheritdoc cref="ReadSpan" path="/exception"/>
    public void CopyTo(long index, Span<T> destination)
    {
        CheckRange(index, destination.Length);
        while (!destination.IsEmpty)
        {
            var source = ReadSpan(index, destination.Length);
            source.CopyTo(destination);
            destination = destination[source.Length..];
            index += source.Length;
        }
    }

    /// <summary>Replaces elements of the array. What is replaced by whole pages is not read before, if pages are full of elements.</summary>
    /// <param name="index">The first to replace.</param>
    /// <param name="source">What to replace them by.</param>
    /// <remarks>If it fails half-way, the elements before are replaced.</remarks>
    /// <inheritdoc cref="WriteSpan" path="/exception"/>
    public void Write(long index, ReadOnlySpan<T> source)
    {
        CheckRange(index, source.Length);
        while (!source.IsEmpty)
        {
            var count = Math.Min(source.Length, PageCapacity - (int)Slot(index));
            WriteWithin(Page(Header(), index), index, source[..count]);
            source = source[count..];
            index += count;
        }
    }

    /// <summary>Makes all elements zero. The length stays. See <see cref="Clear(long, long)"/>.</summary>
    /// <inheritdoc cref="WriteSpan" path="/exception"/>
    public void Clear() => Clear(0, LongCount);

    /// <summary>Makes elements zero. Pages of which nothing else is left are dropped, and their space in the file comes back.</summary>
    /// <param name="index">The first.</param>
    /// <param name="count">How many.</param>
    /// <remarks>Takes time by what is there, not by the count. If it fails half-way, some of the elements are zero.</remarks>
    /// <inheritdoc cref="WriteSpan" path="/exception"/>
    public void Clear(long index, long count)
    {
        CheckRange(index, count);
        var header = *Header();
        var end = index + count;
        while (index < end)
        {
            // A whole segment at once, as far as it reaches; within a page, a range of elements is a range of bytes.
            var page = (ulong)index / (uint)PageCapacity;
            var segment = ArrayHeader.Segment(_firstSegmentShift, page, out var within);
            var segmentEnd = (long)(page - within + ArrayHeader.SegmentLength(_firstSegmentShift, segment)) * PageCapacity;
            var last = Math.Min(end, segmentEnd);
            var from = AddressOf(header, index);
            var to = last == segmentEnd || last == header.Length ? EndOfPage(AddressOf(header, last - 1)) : AddressOf(header, last);
            _heap.Clear(from, to - from);
            index = last;
        }
    }

    private static ulong EndOfPage(ulong address) => (address | (PersistentHeap.PageSize - 1)) + 1;

    private static ulong AddressOf(in ArrayHeader header, long index) =>
        (header.Page((ulong)index / (uint)PageCapacity) << PersistentHeap.PageShift) + (Slot(index) * (ulong)Unsafe.SizeOf<T>());

    private int SpanLength(ArrayHeader* header, long index, int maxLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxLength);
        if ((ulong)index >= (ulong)header->Length)
        {
            ThrowNoSuchElement(index);
        }

        var length = Math.Min(maxLength, PageCapacity - (int)Slot(index));
        return (int)Math.Min(length, header->Length - index);
    }

    private void WriteWithin(ulong page, long index, ReadOnlySpan<T> source)
    {
        if (source.Length * Unsafe.SizeOf<T>() == PersistentHeap.PageSize)
        {
            _heap.Write(page << PersistentHeap.PageShift, MemoryMarshal.AsBytes(source));
        }
        else
        {
            source.CopyTo(new Span<T>((T*)_cache.Store(page) + Slot(index), source.Length));
        }
    }

    private void CheckRange(long index, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        var length = LongCount;
        if (count > length - index)
        {
            throw new ArgumentOutOfRangeException(nameof(index), index, $"The array at 0x{Address:x} has {length} elements; {count} from {index} on reach past that.");
        }
    }
}
