using System.Buffers.Binary;

namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>
/// Changes bytes at random in the ways that break readers: single bits, numbers at the edges of what they may be, pieces that are missing, doubled,
/// exchanged or from elsewhere, an end that comes too early or too late. The same seed does the same.
/// </summary>
internal sealed class Mutator(Random random)
{
    /// <summary>The longest piece that is moved, doubled or filled.</summary>
    private const int PieceMax = 8192;

    private static readonly ulong[] EdgeNumbers =
    [
        0, 1, 2, 3, 7, 15, 16, 31, 32, 33, 63, 64, 127, 128, 255, 256, 511, 512, 2048, 2049, 4095, 4096, 4097, 32_767, 32_768, 65_535, 65_536, 1UL << 20, (1UL << 24) - 1,
        int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32, (1UL << 36) - 1, 1UL << 36, 1UL << 48, 1UL << 52, long.MaxValue, 1UL << 63, ulong.MaxValue - 1, ulong.MaxValue,
    ];

    /// <summary>The source of chance, for mutators that build on this one.</summary>
    public Random Random => random;

    /// <summary>Changes some bytes in one way or a few ways; the length may change, too.</summary>
    /// <param name="input">What to start from.</param>
    /// <param name="donor">Something of the same kind that pieces may be taken from; empty for none.</param>
    public byte[] Mutate(ReadOnlySpan<byte> input, ReadOnlySpan<byte> donor = default)
    {
        byte[] bytes = input.ToArray();
        for (int times = Few(); times > 0; times--)
        {
            bytes = random.Next(10) switch
            {
                0 => CutOff(bytes),
                1 => Extend(bytes, donor),
                2 => Insert(bytes, donor),
                3 => Remove(bytes),
                _ => MutateInPlace(bytes, donor),
            };
        }

        return bytes;
    }

    /// <summary>Changes some bytes; the length stays. Returns the same array.</summary>
    public byte[] MutateInPlace(byte[] bytes, ReadOnlySpan<byte> donor = default)
    {
        if (bytes.Length == 0)
        {
            return bytes;
        }

        for (int times = Few(); times > 0; times--)
        {
            switch (random.Next(8))
            {
                case 0:
                case 1:
                    bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                    break;
                case 3:
                case 4:
                    MutateNumber(bytes, aligned: random.Next(4) != 0);
                    break;
                case 5:
                    Piece(bytes).Fill(random.Next(2) == 0 ? (byte)0 : (byte)0xFF);
                    break;
                case 6:
                    random.NextBytes(Piece(bytes));
                    break;
                default:
                    CopyPiece(donor.IsEmpty || random.Next(2) == 0 ? bytes : donor, bytes);
                    break;
            }
        }

        return bytes;
    }

    /// <summary>Changes a number of 1, 2, 4 or 8 bytes: to one at the edge of something, by a little, or to the one next to it.</summary>
    public void MutateNumber(Span<byte> bytes, bool aligned)
    {
        int size = 1 << random.Next(4);
        if (bytes.Length < size)
        {
            return;
        }

        int at = random.Next(bytes.Length - size + 1);
        at = aligned ? at & -size : at;
        Span<byte> word = stackalloc byte[sizeof(ulong)];
        bytes.Slice(at, size).CopyTo(word);
        ulong number = BinaryPrimitives.ReadUInt64LittleEndian(word);
        number = random.Next(4) switch
        {
            0 => number + (ulong)random.Next(-3, 4),
            1 => number << random.Next(1, 9),
            2 => ~number,
            _ => EdgeNumbers[random.Next(EdgeNumbers.Length)],
        };
        BinaryPrimitives.WriteUInt64LittleEndian(word, number);
        word[..size].CopyTo(bytes.Slice(at, size));
    }

    /// <summary>Once mostly, sometimes more often.</summary>
    public int Few()
    {
        int times = 1;
        while (times < 16 && random.Next(3) == 0)
        {
            times++;
        }

        return times;
    }

    private byte[] CutOff(byte[] bytes) => bytes[..random.Next(bytes.Length + 1)];

    private byte[] Extend(byte[] bytes, ReadOnlySpan<byte> donor) => [.. bytes, .. NewPiece(bytes, donor)];

    private byte[] Insert(byte[] bytes, ReadOnlySpan<byte> donor)
    {
        int at = random.Next(bytes.Length + 1);
        return [.. bytes[..at], .. NewPiece(bytes, donor), .. bytes[at..]];
    }

    private byte[] Remove(byte[] bytes)
    {
        (int start, int length) = Range(bytes.Length);
        return [.. bytes[..start], .. bytes[(start + length)..]];
    }

    private byte[] NewPiece(byte[] bytes, ReadOnlySpan<byte> donor)
    {
        ReadOnlySpan<byte> source = donor.IsEmpty || random.Next(2) == 0 ? bytes : donor;
        if (source.IsEmpty || random.Next(4) == 0)
        {
            byte[] junk = new byte[random.Next(1, PieceMax)];
            random.NextBytes(junk);
            return junk;
        }

        (int start, int length) = Range(source.Length);
        return source.Slice(start, length).ToArray();
    }

    private void CopyPiece(ReadOnlySpan<byte> source, Span<byte> target)
    {
        (int start, int length) = Range(Math.Min(source.Length, target.Length));
        int to = random.Next(target.Length - length + 1);
        byte[] piece = source.Slice(start, length).ToArray();
        piece.CopyTo(target[to..]);
    }

    private Span<byte> Piece(Span<byte> bytes)
    {
        (int start, int length) = Range(bytes.Length);
        return bytes.Slice(start, length);
    }

    /// <summary>Short ranges are as likely as long ones.</summary>
    private (int Start, int Length) Range(int available)
    {
        if (available == 0)
        {
            return (0, 0);
        }

        int length = random.Next(1, Math.Min(available, 1 << random.Next(1, 14)) + 1);
        length = Math.Min(length, PieceMax);
        return (random.Next(available - length + 1), length);
    }
}
