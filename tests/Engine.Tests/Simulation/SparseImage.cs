namespace Everheap.Engine.Tests.Simulation;

/// <summary>
/// The bytes of a simulated file: sparse, and cheap to copy, because chunks are shared between copies until one of them writes.
/// </summary>
internal sealed class SparseImage
{
    public const int ChunkSize = 4096;

    private readonly Dictionary<long, byte[]> _chunks;
    private readonly HashSet<long> _owned = [];

    public SparseImage()
    {
        _chunks = [];
    }

    private SparseImage(SparseImage other)
    {
        _chunks = new Dictionary<long, byte[]>(other._chunks);
        Length = other.Length;
        other._owned.Clear();
    }

    public long Length { get; private set; }

    /// <summary>Chunks that were ever written and not cut off since: what a sparse file would occupy.</summary>
    public int ChunkCount => _chunks.Count;

    public SparseImage Copy() => new(this);

    public void Read(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            long chunk = offset / ChunkSize;
            int within = (int)(offset % ChunkSize);
            int count = Math.Min(destination.Length, ChunkSize - within);
            if (_chunks.TryGetValue(chunk, out byte[]? bytes))
            {
                bytes.AsSpan(within, count).CopyTo(destination);
            }
            else
            {
                destination[..count].Clear();
            }

            destination = destination[count..];
            offset += count;
        }
    }

    /// <summary>Writes without regard to <see cref="Length"/>: bytes past it show up when the length grows over them.</summary>
    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            long chunk = offset / ChunkSize;
            int within = (int)(offset % ChunkSize);
            int count = Math.Min(source.Length, ChunkSize - within);
            source[..count].CopyTo(OwnChunk(chunk).AsSpan(within));
            source = source[count..];
            offset += count;
        }
    }

    /// <summary>Cuts off or extends. What is cut off reads as zero if the file grows again.</summary>
    public void Resize(long length)
    {
        if (length < Length)
        {
            CutOff(length);
        }

        Length = length;
    }

    /// <summary>Drops bytes that were written past the end and never covered by a resize.</summary>
    public void DropBytesPastTheEnd() => CutOff(Length);

    /// <summary>Whether any byte of the range was ever written.</summary>
    public bool IsHole(long offset, long count)
    {
        for (long chunk = offset / ChunkSize; chunk <= (offset + count - 1) / ChunkSize; chunk++)
        {
            if (_chunks.ContainsKey(chunk))
            {
                return false;
            }
        }

        return true;
    }

    public void Flip(long offset, int bit)
    {
        Span<byte> one = stackalloc byte[1];
        Read(offset, one);
        one[0] ^= (byte)(1 << bit);
        Write(offset, one);
    }

    /// <summary>The offsets of the chunks that hold something, in order.</summary>
    public IReadOnlyList<long> OccupiedOffsets() => [.. _chunks.Keys.Order().Select(chunk => chunk * ChunkSize)];

    private byte[] OwnChunk(long chunk)
    {
        if (_chunks.TryGetValue(chunk, out byte[]? bytes))
        {
            if (_owned.Add(chunk))
            {
                bytes = (byte[])bytes.Clone();
                _chunks[chunk] = bytes;
            }
        }
        else
        {
            bytes = new byte[ChunkSize];
            _chunks[chunk] = bytes;
            _owned.Add(chunk);
        }

        return bytes;
    }

    private void CutOff(long length)
    {
        long firstWhole = (length + ChunkSize - 1) / ChunkSize;
        foreach (long chunk in _chunks.Keys.Where(chunk => chunk >= firstWhole).ToList())
        {
            _chunks.Remove(chunk);
            _owned.Remove(chunk);
        }

        int within = (int)(length % ChunkSize);
        if (within != 0 && _chunks.ContainsKey(length / ChunkSize))
        {
            OwnChunk(length / ChunkSize).AsSpan(within).Clear();
        }
    }
}
