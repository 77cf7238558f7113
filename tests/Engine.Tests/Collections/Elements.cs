using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Everheap.Engine.Tests.Collections;

/// <summary>24 bytes: a page holds 170, and has 16 bytes left.</summary>
[StructLayout(LayoutKind.Sequential)]
internal record struct Triple(long First, long Second, long Third);

/// <summary>Two thirds of a page: one to a page.</summary>
[InlineArray(Length)]
internal struct Block
{
    public const int Length = 2731;

    private byte _element0;
}

/// <summary>A page, exactly.</summary>
[InlineArray(PersistentHeap.PageSize)]
internal struct WholePage
{
    private byte _element0;
}

/// <summary>A byte more than a page.</summary>
[InlineArray(PersistentHeap.PageSize + 1)]
internal struct MoreThanAPage
{
    private byte _element0;
}

/// <summary>Recognizable elements of any type: all bytes are made from a number that is not 0.</summary>
internal static class Elements
{
    public static T Make<T>(int number)
        where T : unmanaged
    {
        T element = default;
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<T>(ref element));
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)((number * 31) + (i * (1 + (number >> 8))) + 1);
        }

        return element;
    }

    public static T[] Make<T>(int from, int count)
        where T : unmanaged =>
        [.. Enumerable.Range(from, count).Select(number => Make<T>(number))];

    public static bool AreEqual<T>(ReadOnlySpan<T> left, ReadOnlySpan<T> right)
        where T : unmanaged =>
        MemoryMarshal.AsBytes(left).SequenceEqual(MemoryMarshal.AsBytes(right));
}
