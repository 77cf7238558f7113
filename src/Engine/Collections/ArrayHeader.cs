using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Collections;

/// <summary>
/// The header of a persistent array, at its address in the heap. Its elements lie in segments elsewhere, each twice as long as the one before: an
/// array grows by another segment, and what it has never moves.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>Segments 0 to <see cref="SegmentCount"/> - 1 have addresses, and are the array's alone.</item>
/// <item>Every element from <see cref="Length"/> on reads as zero.</item>
/// <item>No element straddles two pages: what is left at a page's end is not used.</item>
/// </list>
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal struct ArrayHeader
{
    public const int Bytes = 64 + (SegmentsMax * sizeof(ulong));

    /// <summary>"EHARRAY1".</summary>
    public const ulong MagicValue = 0x3159415252414845;

    public const uint VersionValue = 1;

    /// <summary>Segments of 1, 2, 4... pages cover a heap's addresses with so many.</summary>
    public const int SegmentsMax = 36;

    /// <summary>The array neither grows nor shrinks.</summary>
    public const uint FixedFlag = 1;

    public ulong Magic;

    public uint Version;

    /// <summary>Bytes of an element.</summary>
    public uint ElementSize;

    /// <summary>Elements there are.</summary>
    public long Length;

    /// <summary>Elements there is room for in the segments there are.</summary>
    public long Capacity;

    /// <summary>log2 of the pages of segment 0.</summary>
    public int FirstSegmentShift;

    public int SegmentCount;

    public uint Flags;

    private readonly uint _reserved0;
    private readonly ulong _reserved1;
    private readonly ulong _reserved2;

    /// <summary>The page that each segment starts at.</summary>
    public SegmentPages Segments;

    public readonly bool IsFixed => (Flags & FixedFlag) != 0;

    /// <summary>Reads the header of an array, and doubts it.</summary>
    /// <param name="reader">The heap, or a checkpoint of it.</param>
    /// <param name="address">Where the array is said to be.</param>
    /// <param name="elementSize">Bytes of the elements that the reader expects.</param>
    /// <exception cref="HeapException">There is no array at the address, or its elements have another size.</exception>
    /// <exception cref="HeapFormatException">The array was made by a newer version of the program.</exception>
    /// <exception cref="HeapCorruptedException">The header contradicts itself.</exception>
    public static ArrayHeader Read(IHeapReader reader, ulong address, int elementSize)
    {
        ArrayHeader header = default;
        if ((address & (FileLayout.PageSize - 1)) != 0 || address is < AddressRanges.FirstAddress or >= PersistentHeap.AddressEnd)
        {
            throw new HeapException($"Heap '{reader.HeapName}': there is no array at 0x{address:x}: arrays start at a page that was allocated.");
        }

        reader.ReadAnywhere(address, MemoryMarshal.AsBytes(new Span<ArrayHeader>(ref header)));
        if (header.Magic != MagicValue)
        {
            throw new HeapException(
                $"Heap '{reader.HeapName}': there is no array at 0x{address:x}. Was it deleted, or is this the address of something else?");
        }

        if (header.Version != VersionValue)
        {
            throw new HeapFormatException(
                $"Heap '{reader.HeapName}': the array at 0x{address:x} has version {header.Version}, and this program knows version {VersionValue}. Open it with a newer one.");
        }

        if (header.ElementSize != elementSize)
        {
            throw new HeapException(
                $"Heap '{reader.HeapName}': the array at 0x{address:x} has elements of {header.ElementSize} bytes, and was to be opened with elements of {elementSize}. Open it with the type it was created with.");
        }

        return header.IsSound()
            ? header
            : throw new HeapCorruptedException(
                $"Heap '{reader.HeapName}': the header of the array at 0x{address:x} contradicts itself: it was written over.",
                reader.HeapName,
                (long)(address >> FileLayout.PageShift));
    }

    /// <summary>How many elements a page holds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int PageCapacity(int elementSize) => FileLayout.PageSize / elementSize;

    /// <summary>The pages of a segment.</summary>
    public static ulong SegmentLength(int firstSegmentShift, int segment) => 1UL << (firstSegmentShift + segment);

    /// <summary>Which segment a page of the array is in, and which page of that it is.</summary>
    /// <param name="firstSegmentShift">See <see cref="FirstSegmentShift"/>.</param>
    /// <param name="index">The page's number in the array.</param>
    /// <param name="within">The page's number in the segment.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Segment(int firstSegmentShift, ulong index, out ulong within)
    {
        // Segments end at 2^s * (1, 3, 7...), so 2^s more than the index has its highest bit in the same place all over a segment.
        var shifted = index + (1UL << firstSegmentShift);
        var top = BitOperations.Log2(shifted);
        within = shifted ^ (1UL << top);
        return top - firstSegmentShift;
    }

    /// <summary>The elements that so many segments have room for.</summary>
    public static long CapacityOf(int firstSegmentShift, int segments, int elementSize) =>
        ((1L << (firstSegmentShift + segments)) - (1L << firstSegmentShift)) * PageCapacity(elementSize);

    /// <summary>The page of the heap that a page of the array is.</summary>
    public readonly ulong Page(ulong index) => Segments[Segment(FirstSegmentShift, index, out var within)] + within;

    private readonly bool IsSound()
    {
        if (FirstSegmentShift is < 0 or >= SegmentsMax
            || SegmentCount < 0
            || SegmentCount > SegmentsMax - FirstSegmentShift
            || Capacity != CapacityOf(FirstSegmentShift, SegmentCount, (int)ElementSize)
            || Length < 0
            || Length > Capacity
            || (Flags & ~FixedFlag) != 0)
        {
            return false;
        }

        for (var i = 0; i < SegmentCount; i++)
        {
            const ulong First = AddressRanges.FirstAddress >> FileLayout.PageShift;
            const ulong End = PersistentHeap.AddressEnd >> FileLayout.PageShift;
            if (Segments[i] < First || Segments[i] > End - SegmentLength(FirstSegmentShift, i))
            {
                return false;
            }
        }

        return true;
    }

    [InlineArray(SegmentsMax)]
    internal struct SegmentPages
    {
        private ulong _element0;
    }
}
