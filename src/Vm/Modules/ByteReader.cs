using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Unicode;

namespace Everheap.Vm.Modules;

/// <summary>
/// Reads the primitives of the binary format (core specification, section 5.2) from a range of a module's bytes.
/// </summary>
/// <remarks>
/// Invariants: <see cref="Offset"/> never passes <see cref="End"/>; nothing outside the range is looked at; offsets are those of the whole
/// module; no count that was read is trusted before it was held against the bytes that are left.
/// </remarks>
internal ref struct ByteReader
{
    private readonly ReadOnlySpan<byte> _bytes;
    private int _offset;

    /// <summary>Starts to read.</summary>
    /// <param name="moduleBytes">The whole module's bytes.</param>
    /// <param name="start">Offset of the first byte to read.</param>
    /// <param name="end">Offset just past the last.</param>
    public ByteReader(ReadOnlySpan<byte> moduleBytes, int start, int end)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)start, (uint)end, nameof(start));
        _bytes = moduleBytes[..end];
        _offset = start;
    }

    /// <summary>The offset, in the module, of the next byte.</summary>
    public readonly int Offset => _offset;

    /// <summary>The offset, in the module, just past the range.</summary>
    public readonly int End => _bytes.Length;

    /// <summary>How many bytes are left.</summary>
    public readonly int Remaining => _bytes.Length - _offset;

    /// <summary>Whether the whole range was read.</summary>
    public readonly bool IsAtEnd => _offset == _bytes.Length;

    public byte ReadByte(string what)
    {
        int offset = _offset;
        if ((uint)offset >= (uint)_bytes.Length)
        {
            ThrowUnexpectedEnd(offset, what);
        }

        _offset = offset + 1;
        return _bytes[offset];
    }

    public readonly byte PeekByte(string what)
    {
        if ((uint)_offset >= (uint)_bytes.Length)
        {
            ThrowUnexpectedEnd(_offset, what);
        }

        return _bytes[_offset];
    }

    public uint ReadU32(string what)
    {
        int offset = _offset;
        if ((uint)offset < (uint)_bytes.Length)
        {
            byte first = _bytes[offset];
            if (first < 0x80)
            {
                _offset = offset + 1;
                return first;
            }
        }

        return ReadLongU32(what);
    }

    /// <summary>An index: a u32, given as int because no index space reaches 2^31.</summary>
    public int ReadIndex(string what)
    {
        int offset = _offset;
        uint value = ReadU32(what);
        if (value > int.MaxValue - 1)
        {
            throw new WasmFormatException(offset, $"unknown {what}: the index is {value}");
        }

        return (int)value;
    }

    public ulong ReadU64(string what)
    {
        int start = _offset;
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte part = ReadByte(what);
            value |= (ulong)(part & 0x7F) << shift;
            if (shift == 63)
            {
                CheckLastByte(part, (part & 0x7E) == 0, start, 64, what);
                return value;
            }

            if (part < 0x80)
            {
                return value;
            }
        }
    }

    public int ReadS32(string what) => (int)ReadSigned(32, what);

    public long ReadS33(string what) => ReadSigned(33, what);

    public long ReadS64(string what) => ReadSigned(64, what);

    public uint ReadFixed32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(ReadBytes(sizeof(uint), what));

    public ulong ReadFixed64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(ReadBytes(sizeof(ulong), what));

    public ReadOnlySpan<byte> ReadBytes(int count, string what)
    {
        int offset = _offset;
        if ((uint)count > (uint)(_bytes.Length - offset))
        {
            ThrowUnexpectedEnd(_bytes.Length, what);
        }

        _offset = offset + count;
        return _bytes.Slice(offset, count);
    }

    /// <summary>A size in bytes, which must be no more than what is left.</summary>
    public int ReadByteCount(string what)
    {
        int offset = _offset;
        uint count = ReadU32(what);
        if (count > (uint)Remaining)
        {
            throw new WasmFormatException(
                offset, $"length out of bounds (unexpected end): {what} is {count:N0} bytes, but only {Remaining:N0} are left");
        }

        return (int)count;
    }

    /// <summary>How many items follow: no more than a limit, and no more than the bytes that are left can hold.</summary>
    /// <param name="what">What is counted, in the plural.</param>
    /// <param name="max">The limit.</param>
    /// <param name="bytesEachMin">The fewest bytes that one item takes.</param>
    public int ReadCount(string what, int max, int bytesEachMin)
    {
        int offset = _offset;
        uint count = ReadU32(what);
        if (count > (ulong)Remaining / (uint)bytesEachMin)
        {
            throw new WasmFormatException(
                offset, $"length out of bounds (unexpected end): {count:N0} {what} are declared, but only {Remaining:N0} bytes are left");
        }

        if (count > (uint)max)
        {
            throw new WasmFormatException(offset, $"too many {what}: {count:N0}, where at most {max:N0} are allowed");
        }

        return (int)count;
    }

    /// <summary>A name (core specification, section 5.2.4): strict UTF-8.</summary>
    public string ReadName(string what)
    {
        int offset = _offset;
        int length = ReadByteCount(what);
        if (length > ModuleLimits.NameBytesMax)
        {
            throw new WasmFormatException(
                offset, $"{what} is too long: {length:N0} bytes, where at most {ModuleLimits.NameBytesMax:N0} are allowed");
        }

        int start = _offset;
        ReadOnlySpan<byte> utf8 = ReadBytes(length, what);
        if (!Utf8.IsValid(utf8))
        {
            throw new WasmFormatException(start, $"malformed UTF-8 encoding in {what}");
        }

        return Encoding.UTF8.GetString(utf8);
    }

    [DoesNotReturn]
    private static void ThrowUnexpectedEnd(int offset, string what) =>
        throw new WasmFormatException(offset, $"unexpected end, where {what} was expected");

    private uint ReadLongU32(string what)
    {
        int start = _offset;
        uint value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte part = ReadByte(what);
            value |= (uint)(part & 0x7F) << shift;
            if (shift == 28)
            {
                CheckLastByte(part, (part & 0x70) == 0, start, 32, what);
                return value;
            }

            if (part < 0x80)
            {
                return value;
            }
        }
    }

    private long ReadSigned(int bits, string what)
    {
        int start = _offset;
        long value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte part = ReadByte(what);
            value |= (long)(part & 0x7F) << shift;
            int bitsLeft = bits - shift;
            if (bitsLeft <= 7)
            {
                // The bits beyond the number's own must all equal its sign.
                int extension = (0x7F << (bitsLeft - 1)) & 0x7F;
                int sign = part & extension;
                CheckLastByte(part, sign == 0 || sign == extension, start, bits, what);
                return SignExtend(value, shift + 7);
            }

            if (part < 0x80)
            {
                return SignExtend(value, shift + 7);
            }
        }
    }

    private static long SignExtend(long value, int bits) => bits >= 64 ? value : value << (64 - bits) >> (64 - bits);

    private static void CheckLastByte(byte part, bool fits, int start, int bits, string what)
    {
        if (part >= 0x80)
        {
            throw new WasmFormatException(
                start, $"integer representation too long: {what} takes more bytes than a {bits}-bit number may");
        }

        if (!fits)
        {
            throw new WasmFormatException(start, $"integer too large: {what} does not fit {bits} bits");
        }
    }
}
