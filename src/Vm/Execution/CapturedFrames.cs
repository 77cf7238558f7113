using System.Buffers.Binary;
using Everheap.Engine;

namespace Everheap.Vm.Execution;

/// <summary>Reads bytes of a heap, or of a checkpoint of one.</summary>
/// <param name="address">Where to start.</param>
/// <param name="destination">Filled with the bytes.</param>
internal delegate void HeapReader(ulong address, Span<byte> destination);

/// <summary>Reads the frames of a captured stack, from the innermost outwards. One thread at a time.</summary>
/// <param name="read">Reads the heap that holds them.</param>
/// <param name="address">Where the stack begins in the heap.</param>
internal sealed class CapturedFrames(HeapReader read, ulong address)
{
    private byte[] _frame = new byte[1024];

    /// <summary>Reads the frame that ends at <paramref name="top"/>, and moves that down to where it begins.</summary>
    /// <param name="top">In bytes from the stack's beginning.</param>
    /// <param name="frame">The frame; valid until the next call.</param>
    /// <returns>False if there is none.</returns>
    /// <exception cref="HeapFormatException">What lies there is not a frame.</exception>
    public bool TryReadBelow(scoped ref ulong top, out ReadOnlySpan<byte> frame)
    {
        frame = default;
        if (top == 0)
        {
            return false;
        }

        Span<byte> trailer = stackalloc byte[CapturedFrame.TrailerBytes];
        if (top >= CapturedFrame.TrailerBytes)
        {
            read(address + top - CapturedFrame.TrailerBytes, trailer);
        }

        int size = BinaryPrimitives.ReadInt32LittleEndian(trailer);
        if (size < CapturedFrame.HeadBytes + CapturedFrame.TrailerBytes || (ulong)size > top)
        {
            throw new HeapFormatException($"the captured stack has no frame that ends at its byte {top}: the heap does not hold a program's stack there");
        }

        if (_frame.Length < size)
        {
            _frame = new byte[Math.Max(size, _frame.Length * 2)];
        }

        read(address + top - (ulong)size, _frame.AsSpan(0, size));
        frame = _frame.AsSpan(0, size);
        if (!CapturedFrame.IsWellFormed(frame))
        {
            throw new HeapFormatException($"the captured frame at byte {top - (ulong)size} is malformed: the heap does not hold a program's stack there");
        }

        top -= (ulong)size;
        return true;
    }
}
