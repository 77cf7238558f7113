using System.Buffers;
using System.Collections;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Everheap.Engine.Collections;

/// <summary>An array as a checkpoint has it: to read, by any number of threads at once, while the heap goes on.</summary>
/// <typeparam name="T">The type of the array's elements: see <see cref="PersistentArray{T}"/>.</typeparam>
/// <remarks>Good for as long as the snapshot is open. There are no spans in place, as other threads may take a frame away; <see cref="CopyTo"/> and enumerating go a page at a time.</remarks>
public sealed class ReadOnlyPersistentArray<T> : IReadOnlyList<T>
    where T : unmanaged
{
    private readonly IHeapReader _reader;
    private readonly ArrayHeader _header;

    private ReadOnlyPersistentArray(IHeapReader reader, ulong address, in ArrayHeader header)
    {
        _reader = reader;
        _header = header;
        Address = address;
    }

    /// <summary>Where the array is in the heap.</summary>
    public ulong Address { get; }

    /// <summary>How many elements there are.</summary>
    public long LongCount => _header.Length;

    /// <summary>How many elements there are.</summary>
    /// <exception cref="OverflowException">There are more than 2^31 - 1: see <see cref="LongCount"/>.</exception>
    public int Count => checked((int)LongCount);

    private static int PageCapacity => ArrayHeader.PageCapacity(Unsafe.SizeOf<T>());

    /// <summary>An element, by value.</summary>
    /// <param name="index">From 0 to <see cref="LongCount"/> - 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such element.</exception>
    /// <exception cref="HeapCorruptedException">A page does not match its checksum.</exception>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    /// <exception cref="ObjectDisposedException">The snapshot is closed.</exception>
    public T this[long index]
    {
        get
        {
            if ((ulong)index >= (ulong)_header.Length)
            {
                throw new ArgumentOutOfRangeException(nameof(index), index, $"The array at 0x{Address:x} has {_header.Length} elements.");
            }

            T element = default;
            ReadWithin(index, new Span<T>(ref element));
            return element;
        }
    }

    T IReadOnlyList<T>.this[int index] => this[index];

    /// <summary>Copies elements out of the array.</summary>
    /// <param name="index">The first.</param>
    /// <param name="destination">As many as are wanted.</param>
    /// <exception cref="ArgumentOutOfRangeException">They are not all there.</exception>
    /// <exception cref="HeapCorruptedException">A page does not match its checksum.</exception>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    /// <exception cref="ObjectDisposedException">The snapshot is closed.</exception>
    public void CopyTo(long index, Span<T> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        if (destination.Length > _header.Length - index)
        {
            throw new ArgumentOutOfRangeException(
                nameof(index), index, $"The array at 0x{Address:x} has {_header.Length} elements; {destination.Length} from {index} on reach past that.");
        }

        while (!destination.IsEmpty)
        {
            var count = Math.Min(destination.Length, PageCapacity - (int)(index % PageCapacity));
            ReadWithin(index, destination[..count]);
            destination = destination[count..];
            index += count;
        }
    }

    /// <summary>Enumerates the elements; reads a page at a time.</summary>
    public IEnumerator<T> GetEnumerator()
    {
        var buffer = ArrayPool<T>.Shared.Rent(PageCapacity);
        try
        {
            for (long index = 0; index < _header.Length; index += PageCapacity)
            {
                var count = (int)Math.Min(PageCapacity, _header.Length - index);
                ReadWithin(index, buffer.AsSpan(0, count));
                for (var i = 0; i < count; i++)
                {
                    yield return buffer[i];
                }
            }
        }
        finally
        {
            ArrayPool<T>.Shared.Return(buffer);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal static ReadOnlyPersistentArray<T> Open(IHeapReader reader, ulong address)
    {
        ArgumentNullException.ThrowIfNull(reader);
        PersistentArray<T>.ThrowIfElementIsTooLarge();
        return new ReadOnlyPersistentArray<T>(reader, address, ArrayHeader.Read(reader, address, Unsafe.SizeOf<T>()));
    }

    /// <summary>Reads elements that are all in one page.</summary>
    private void ReadWithin(long index, Span<T> destination)
    {
        var page = _header.Page((ulong)index / (uint)PageCapacity);
        var offset = (ulong)(index % PageCapacity) * (ulong)Unsafe.SizeOf<T>();
        _reader.ReadAnywhere((page << PersistentHeap.PageShift) + offset, MemoryMarshal.AsBytes(destination));
    }
}
