using System.Buffers.Binary;
using System.Text;
using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <summary>Writes the primitives of the binary format (core specification, section 5.2).</summary>
internal sealed class BinaryWriter
{
    private const int NullableReference = 0x63;
    private const int Reference = 0x64;

    private readonly List<byte> _bytes = [];

    public byte[] ToArray() => [.. _bytes];

    /// <summary>The bytes that something writes.</summary>
    public static byte[] BytesOf(Action<BinaryWriter> write)
    {
        var writer = new BinaryWriter();
        write(writer);
        return writer.ToArray();
    }

    public BinaryWriter Byte(int value)
    {
        _bytes.Add((byte)value);
        return this;
    }

    public BinaryWriter Bytes(ReadOnlySpan<byte> value)
    {
        _bytes.AddRange(value);
        return this;
    }

    public BinaryWriter Unsigned(ulong value)
    {
        do
        {
            byte low = (byte)(value & 0x7F);
            value >>= 7;
            _bytes.Add(value == 0 ? low : (byte)(low | 0x80));
        }
        while (value != 0);
        return this;
    }

    public BinaryWriter Unsigned(int value) => Unsigned((ulong)value);

    public BinaryWriter Signed(long value)
    {
        while (true)
        {
            byte low = (byte)(value & 0x7F);
            value >>= 7;
            if ((value == 0 && (low & 0x40) == 0) || (value == -1 && (low & 0x40) != 0))
            {
                _bytes.Add(low);
                return this;
            }

            _bytes.Add((byte)(low | 0x80));
        }
    }

    public BinaryWriter Fixed32(uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return Bytes(bytes);
    }

    public BinaryWriter Fixed64(ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return Bytes(bytes);
    }

    public BinaryWriter Name(string name)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(name);
        return Unsigned(utf8.Length).Bytes(utf8);
    }

    public BinaryWriter Type(ValType type) => type.IsConcrete ? Byte(type.IsNullable ? NullableReference : Reference).Signed(type.TypeIndex) : Byte((int)type);

    public BinaryWriter Types(ReadOnlySpan<ValType> types)
    {
        Unsigned(types.Length);
        foreach (ValType type in types)
        {
            Type(type);
        }

        return this;
    }

    /// <summary>An opcode: one byte, or a prefix and a number.</summary>
    public BinaryWriter Opcode(Opcode opcode)
    {
        int number = (int)opcode;
        return number switch
        {
            <= 0xFF => Byte(number),
            <= 0xFFFF => Byte(number >> 8).Unsigned(number & 0xFF),
            _ => Byte(number >> 12).Unsigned(number & 0xFFF),
        };
    }
}
