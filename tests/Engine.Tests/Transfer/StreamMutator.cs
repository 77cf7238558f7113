using Everheap.Engine.Storage;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.Transfer;

/// <summary>Damages streams: bytes, numbers and pieces of them, and pieces of another; and may then make all checksums match, so that what is behind them is reached.</summary>
internal sealed class StreamMutator(Random random, byte[] other)
{
    private static readonly ulong[] Numbers = [0, 1, 2, 31, 32, 33, 2048, 2049, 4096, int.MaxValue, 0x80000000, uint.MaxValue, 1UL << 36, (1UL << 36) - 1, long.MaxValue, ulong.MaxValue];

    /// <summary>A damaged stream; now and then one that is as it was.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="isSealed">Whether its checksums were made to match, as only somebody who forges would.</param>
    public byte[] Mutate(byte[] stream, out bool isSealed)
    {
        byte[] mutated = [.. stream];
        int count = 1 + random.Next(4);
        for (int i = 0; i < count; i++)
        {
            mutated = MutateOnce(mutated);
        }

        isSealed = random.Next(2) == 0;
        if (isSealed)
        {
            Seal(mutated);
        }

        return mutated;
    }

    /// <summary>Makes the checksums of the header and of all blocks match what the stream says now, as far as it can be followed.</summary>
    public static void Seal(byte[] stream)
    {
        if (stream.Length < StreamHeader.Size)
        {
            return;
        }

        ref StreamHeader header = ref DiskView.As<StreamHeader>(stream);
        ulong chain = header.Checksum = DiskView.HashWithout(ref header, ref header.Checksum);
        for (int at = StreamHeader.Size; stream.Length - at >= BlockHeader.Size;)
        {
            ref BlockHeader block = ref DiskView.As<BlockHeader>(stream.AsSpan(at));
            if (block.Length > (uint)(stream.Length - at - BlockHeader.Size))
            {
                return;
            }

            int length = BlockHeader.Size + (int)block.Length;
            block.Checksum = 0;
            block.Checksum = chain = System.IO.Hashing.XxHash3.HashToUInt64(stream.AsSpan(at, length), (long)chain);
            at += length;
        }
    }

    private byte[] MutateOnce(byte[] stream)
    {
        int at = Position(stream);
        int length = Math.Min(1 << random.Next(14), stream.Length - at);
        switch (random.Next(9))
        {
            case 0:
                stream[at] ^= (byte)(1 << random.Next(8));
                return stream;
            case 1:
                stream[at] = (byte)random.Next(256);
                return stream;
            case 2:
                Number(stream, at & ~3, sizeof(uint));
                return stream;
            case 3:
                Number(stream, at & ~7, sizeof(ulong));
                return stream;
            case 4:
                return at == 0 ? stream : stream[..at];
            case 5:
                return length == stream.Length ? stream : [.. stream[..at], .. stream[(at + length)..]];
            case 6:
                return [.. stream[..(at + length)], .. stream[at..]];
            case 7:
                int from = random.Next(other.Length);
                int taken = Math.Min(length, other.Length - from);
                return [.. stream[..at], .. other[from..(from + taken)], .. stream[Math.Min(at + taken, stream.Length)..]];
            default:
                random.NextBytes(stream.AsSpan(at, length));
                return stream;
        }
    }

    /// <summary>Mostly in what directs the reader: headers and records, which are a small part of the stream.</summary>
    private int Position(byte[] stream)
    {
        if (random.Next(3) == 0 || stream.Length < StreamHeader.Size + BlockHeader.Size)
        {
            return random.Next(stream.Length);
        }

        List<int> starts = [0];
        for (int at = StreamHeader.Size; at < stream.Length - BlockHeader.Size && starts.Count < 16;)
        {
            starts.Add(at);
            at += BlockHeader.Size + (int)Math.Min(BitConverter.ToUInt32(stream, at + 4), (uint)stream.Length);
        }

        int start = starts[random.Next(starts.Count)];
        return Math.Min(start + random.Next(start == 0 ? StreamHeader.Size : BlockHeader.Size + 64), stream.Length - 1);
    }

    private void Number(byte[] stream, int at, int size)
    {
        if (at + size > stream.Length)
        {
            return;
        }

        ulong value = random.Next(2) == 0
            ? Numbers[random.Next(Numbers.Length)]
            : (size == 4 ? BitConverter.ToUInt32(stream, at) : BitConverter.ToUInt64(stream, at)) + (ulong)random.Next(-2, 3);
        BitConverter.GetBytes(value).AsSpan(0, size).CopyTo(stream.AsSpan(at));
    }
}
