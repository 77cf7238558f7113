using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Fuzzing;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.Transfer;

/// <summary>Damages streams, mostly in what directs the reader; and may then make all checksums match, so that what is behind them is reached.</summary>
internal sealed class StreamMutator(Random random, byte[] other)
{
    private const int BlocksMax = 15;

    /// <summary>Bytes from the start of a block that direct the reader: its header, and some of its records.</summary>
    private const int BlockStartBytes = BlockHeader.Size + 64;

    private readonly Mutator _mutator = new(random);

    /// <summary>A damaged stream; now and then one that is as it was.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="isSealed">Whether its checksums were made to match, as only somebody who forges would.</param>
    public byte[] Mutate(byte[] stream, out bool isSealed)
    {
        byte[] mutated = [.. stream];
        for (int times = _mutator.Few(); times > 0; times--)
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
        if (random.Next(3) == 0)
        {
            return _mutator.Mutate(stream, other);
        }

        (int start, int length) = Directions(stream);
        int end = start + length;
        return [.. stream[..start], .. _mutator.Mutate(stream.AsSpan(start, length), other), .. stream[end..]];
    }

    /// <summary>The header of the stream, or the start of a block: a small part of the stream.</summary>
    private (int Start, int Length) Directions(byte[] stream)
    {
        List<int> starts = [0];
        for (int at = StreamHeader.Size; at < stream.Length - BlockHeader.Size && starts.Count <= BlocksMax;)
        {
            starts.Add(at);
            at += BlockHeader.Size + (int)Math.Min(BitConverter.ToUInt32(stream, at + 4), (uint)stream.Length);
        }

        int start = starts[random.Next(starts.Count)];
        return (start, Math.Min(start == 0 ? StreamHeader.Size : BlockStartBytes, stream.Length - start));
    }
}
