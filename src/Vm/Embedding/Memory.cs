using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Everheap.Vm.Execution;

namespace Everheap.Vm.Embedding;

/// <summary>
/// A linear memory. Its bytes are little-endian. Where a range is not inside, an <see cref="ArgumentOutOfRangeException"/> says so before a byte is moved. It may be reached by pages, so there is no span
/// over all of it: <see cref="ReadSpan"/> and <see cref="WriteSpan"/> give pieces, the rest copies.
/// </summary>
public sealed class Memory
{
    /// <summary>The unit of its size, in bytes.</summary>
    public const int PageBytes = LinearMemory.WasmPageBytes;

    private const int StringPieceBytes = 256;

    private readonly Machine _machine;
    private readonly LinearMemory _memory;

    internal Memory(Machine machine, LinearMemory memory)
    {
        _machine = machine;
        _memory = memory;
    }

    /// <summary>Its size, in pages of <see cref="PageBytes"/>.</summary>
    public long PageCount => _memory.Pages;

    /// <summary>Its size in bytes.</summary>
    public ulong Length => _memory.Length;

    internal LinearMemory Linear => _memory;

    internal Machine Machine => _machine;

    /// <summary>Grows it; the new pages are zero.</summary>
    /// <param name="pages">By how many pages.</param>
    /// <returns>The size before, in pages; -1 if it may not become so large.</returns>
    public long Grow(uint pages)
    {
        using Machine.Use use = _machine.Enter();
        return _machine.Group.Grow(_memory, pages) is uint before ? before : -1;
    }

    /// <summary>Reads bytes.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="destination">Filled with the bytes.</param>
    public void Read(ulong offset, Span<byte> destination)
    {
        using Machine.Use use = _machine.Enter();
        RequireInside(offset, (ulong)destination.Length);
        _memory.Read(offset, destination);
    }

    /// <summary>Writes bytes.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="source">The bytes.</param>
    public void Write(ulong offset, ReadOnlySpan<byte> source)
    {
        using Machine.Use use = _machine.Enter();
        RequireInside(offset, (ulong)source.Length);
        _memory.Write(offset, source);
    }

    /// <summary>The bytes at an offset where they lie, as far as they lie in one piece: to the end of a page of 4 KiB at least.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="length">How many bytes are wanted; at least one.</param>
    /// <returns>The bytes, or the first of them. Good until the machine is used again.</returns>
    public ReadOnlySpan<byte> ReadSpan(ulong offset, int length)
    {
        using Machine.Use use = _machine.Enter();
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        RequireInside(offset, (ulong)length);
        return _memory.Window.ReadSpan(offset, length);
    }

    /// <summary>Room for bytes at an offset, as far as it lies in one piece: to the end of a page of 4 KiB at least.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="length">How many bytes are wanted; at least one.</param>
    /// <returns>The bytes as they are, or the first of them, to be changed. Good until the machine is used again.</returns>
    public Span<byte> WriteSpan(ulong offset, int length)
    {
        using Machine.Use use = _machine.Enter();
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        RequireInside(offset, (ulong)length);
        return _memory.SpanForWriting(offset, length);
    }

    /// <summary>Reads a value: an integer, a float, or a structure of these without references.</summary>
    /// <typeparam name="T">Its type.</typeparam>
    /// <param name="offset">Where it lies; any alignment will do.</param>
    /// <returns>The value.</returns>
    public T Read<T>(ulong offset)
        where T : unmanaged
    {
        T value = default;
        Read(offset, MemoryMarshal.AsBytes(new Span<T>(ref value)));
        return value;
    }

    /// <summary>Writes a value: an integer, a float, or a structure of these without references.</summary>
    /// <typeparam name="T">Its type.</typeparam>
    /// <param name="offset">Where it goes; any alignment will do.</param>
    /// <param name="value">The value.</param>
    public void Write<T>(ulong offset, T value)
        where T : unmanaged => Write(offset, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Reads a byte.</summary>
    /// <param name="offset">Where it lies.</param>
    /// <returns>The byte.</returns>
    public byte ReadByte(ulong offset) => Read<byte>(offset);

    /// <summary>Writes a byte.</summary>
    /// <param name="offset">Where it goes.</param>
    /// <param name="value">The byte.</param>
    public void WriteByte(ulong offset, byte value) => Write(offset, value);

    /// <summary>Reads a 32-bit number.</summary>
    /// <param name="offset">Where it lies.</param>
    /// <returns>The number.</returns>
    public int ReadInt32(ulong offset) => Read<int>(offset);

    /// <summary>Writes a 32-bit number.</summary>
    /// <param name="offset">Where it goes.</param>
    /// <param name="value">The number.</param>
    public void WriteInt32(ulong offset, int value) => Write(offset, value);

    /// <summary>Reads a 64-bit number.</summary>
    /// <param name="offset">Where it lies.</param>
    /// <returns>The number.</returns>
    public long ReadInt64(ulong offset) => Read<long>(offset);

    /// <summary>Writes a 64-bit number.</summary>
    /// <param name="offset">Where it goes.</param>
    /// <param name="value">The number.</param>
    public void WriteInt64(ulong offset, long value) => Write(offset, value);

    /// <summary>Reads a double.</summary>
    /// <param name="offset">Where it lies.</param>
    /// <returns>The number.</returns>
    public double ReadDouble(ulong offset) => Read<double>(offset);

    /// <summary>Writes a double.</summary>
    /// <param name="offset">Where it goes.</param>
    /// <param name="value">The number.</param>
    public void WriteDouble(ulong offset, double value) => Write(offset, value);

    /// <summary>Reads text.</summary>
    /// <param name="offset">Where it begins.</param>
    /// <param name="length">How many bytes it has.</param>
    /// <param name="encoding">Its encoding; UTF-8 by default.</param>
    /// <returns>The text.</returns>
    public string ReadString(ulong offset, int length, Encoding? encoding = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        RequireInside(offset, (ulong)length);
        byte[] bytes = new byte[length];
        Read(offset, bytes);
        return (encoding ?? Encoding.UTF8).GetString(bytes);
    }

    /// <summary>Reads text in UTF-8 that a zero byte ends.</summary>
    /// <param name="offset">Where it begins.</param>
    /// <returns>The text.</returns>
    public string ReadNullTerminatedString(ulong offset)
    {
        var bytes = new ArrayBufferWriter<byte>();
        RequireInside(offset, 1);
        while (offset < Length)
        {
            ReadOnlySpan<byte> piece = ReadSpan(offset, (int)Math.Min(Length - offset, StringPieceBytes));
            int end = piece.IndexOf((byte)0);
            bytes.Write(end < 0 ? piece : piece[..end]);
            if (end >= 0)
            {
                return Encoding.UTF8.GetString(bytes.WrittenSpan);
            }

            offset += (ulong)piece.Length;
        }

        throw new ArgumentOutOfRangeException(nameof(offset), "No zero byte ends the text before the memory does.");
    }

    /// <summary>Writes text, without a zero byte behind it.</summary>
    /// <param name="offset">Where it goes.</param>
    /// <param name="value">The text.</param>
    /// <param name="encoding">Its encoding; UTF-8 by default.</param>
    /// <returns>How many bytes it has.</returns>
    public int WriteString(ulong offset, string value, Encoding? encoding = null)
    {
        ArgumentNullException.ThrowIfNull(value);
        byte[] bytes = (encoding ?? Encoding.UTF8).GetBytes(value);
        Write(offset, bytes);
        return bytes.Length;
    }

    private void RequireInside(ulong offset, ulong length, [CallerArgumentExpression(nameof(offset))] string? name = null)
    {
        if (!_memory.IsInside(offset, length))
        {
            throw new ArgumentOutOfRangeException(name, $"Bytes {offset} to {offset + length} are not inside a memory of {Length} bytes.");
        }
    }
}
