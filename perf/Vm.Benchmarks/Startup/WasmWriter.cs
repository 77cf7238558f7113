namespace Everheap.Vm.Benchmarks.Startup;

/// <summary>Writes the pieces that the binary format is made of (core specification, section 5.2).</summary>
internal sealed class WasmWriter
{
    private byte[] _bytes = new byte[256];

    /// <summary>Bytes written so far.</summary>
    public int Length { get; private set; }

    /// <summary>What was written.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Forgets what was written.</summary>
    public void Clear() => Length = 0;

    public WasmWriter Byte(byte value)
    {
        if (Length == _bytes.Length)
        {
            Array.Resize(ref _bytes, 2 * _bytes.Length);
        }

        _bytes[Length++] = value;
        return this;
    }

    public WasmWriter Bytes(ReadOnlySpan<byte> values)
    {
        if (values.Length > _bytes.Length - Length)
        {
            Array.Resize(ref _bytes, Math.Max(2 * _bytes.Length, Length + values.Length));
        }

        values.CopyTo(_bytes.AsSpan(Length));
        Length += values.Length;
        return this;
    }

    /// <summary>An unsigned number in LEB128.</summary>
    public WasmWriter U32(int value)
    {
        uint rest = (uint)value;
        while (rest >= 0x80)
        {
            Byte((byte)(rest | 0x80));
            rest >>= 7;
        }

        return Byte((byte)rest);
    }

    /// <summary>A signed number in LEB128.</summary>
    public WasmWriter S64(long value)
    {
        while (value is < -64 or > 63)
        {
            Byte((byte)(value | 0x80));
            value >>= 7;
        }

        return Byte((byte)(value & 0x7F));
    }

    /// <summary>A name: its length, and the bytes.</summary>
    public WasmWriter Name(ReadOnlySpan<byte> utf8) => U32(utf8.Length).Bytes(utf8);

    /// <summary>A section: its number, its size, and its contents.</summary>
    public WasmWriter Section(byte number, WasmWriter contents) => Byte(number).U32(contents.Length).Bytes(contents.Written);
}
