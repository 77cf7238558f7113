using Everheap.Vm.Wasi.State;

namespace Everheap.Vm.Wasi.Files;

/// <summary>
/// The bytes of a file in the heap: one range of addresses, which moves to a larger one when it is outgrown. Invariant: what is
/// in the range past the file's length is zero, so that a file can grow without being written.
/// </summary>
internal sealed class FileContent
{
    /// <summary>The first range of a file that is not empty, in bytes.</summary>
    public const long CapacityMin = 64 << 10;

    /// <summary>How much larger each next range is: addresses cost nothing until they are written, moving the bytes does.</summary>
    public const int CapacityFactor = 16;

    private const int CopyBytes = 256 << 10;
    private const int PageBytes = 4096;

    private readonly IHeapSpace _heap;
    private ulong _address;
    private long _capacity;

    /// <summary>Makes an empty file.</summary>
    /// <param name="heap">The heap.</param>
    public FileContent(IHeapSpace heap) => _heap = heap;

    /// <summary>In bytes.</summary>
    public long Length { get; private set; }

    /// <summary>Reads what <see cref="Write(StateWriter)"/> wrote.</summary>
    /// <param name="heap">The heap.</param>
    /// <param name="reader">The state.</param>
    /// <returns>The file's bytes.</returns>
    public static FileContent Read(IHeapSpace heap, ref StateReader reader)
    {
        var content = new FileContent(heap) { _capacity = reader.I64(), Length = reader.I64() };
        if (content.Length < 0 || content.Length > content._capacity || content.Length > WasiLimits.FileBytesMax)
        {
            throw reader.Fault($"a file of {content.Length} bytes in a range of {content._capacity} is impossible");
        }

        content._address = reader.Address((ulong)content._capacity);
        if ((content._address == 0) != (content._capacity == 0))
        {
            throw reader.Fault($"a file in {content._capacity} bytes at address 0x{content._address:x} is impossible");
        }

        return content;
    }

    /// <summary>Writes where the bytes are.</summary>
    /// <param name="writer">The state.</param>
    public void Write(StateWriter writer)
    {
        writer.I64(_capacity);
        writer.I64(Length);
        writer.U64(_address);
    }

    /// <summary>Reads bytes.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="destination">Filled from its start.</param>
    /// <returns>How many there were.</returns>
    public int Read(long offset, Span<byte> destination)
    {
        int count = (int)Math.Clamp(Length - offset, 0, destination.Length);
        if (count > 0)
        {
            _heap.Read(_address + (ulong)offset, destination[..count]);
        }

        return count;
    }

    /// <summary>Writes bytes; the file grows if need be.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="source">The bytes.</param>
    /// <exception cref="WasiException">The file would be too large.</exception>
    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
        {
            return;
        }

        if (offset > WasiLimits.FileBytesMax - source.Length)
        {
            throw new WasiException(Errno.FileTooBig);
        }

        long end = offset + source.Length;
        EnsureCapacity(end);
        _heap.Write(_address + (ulong)offset, source);
        Length = Math.Max(Length, end);
    }

    /// <summary>Makes the file shorter, or longer by zeros.</summary>
    /// <param name="length">In bytes.</param>
    /// <exception cref="WasiException">The file would be too large.</exception>
    public void SetLength(long length)
    {
        if (length > WasiLimits.FileBytesMax)
        {
            throw new WasiException(Errno.FileTooBig);
        }

        if (length == 0)
        {
            Free();
            return;
        }

        if (length < Length)
        {
            _heap.Clear(_address + (ulong)length, (ulong)(Length - length));
        }
        else
        {
            EnsureCapacity(length);
        }

        Length = length;
    }

    /// <summary>Gives the bytes back; the file is empty then.</summary>
    public void Free()
    {
        if (_address != 0)
        {
            _heap.Release(_address, (ulong)_capacity);
        }

        _address = 0;
        _capacity = 0;
        Length = 0;
    }

    private void EnsureCapacity(long length)
    {
        if (length <= _capacity)
        {
            return;
        }

        long capacity = Math.Max(_capacity, CapacityMin);
        while (capacity < length)
        {
            capacity *= CapacityFactor;
        }

        ulong address = _heap.Allocate((ulong)capacity);
        if (Length > 0)
        {
            Copy(_address, address, Length);
        }

        if (_address != 0)
        {
            _heap.Release(_address, (ulong)_capacity);
        }

        _address = address;
        _capacity = capacity;
    }

    private void Copy(ulong from, ulong to, long length)
    {
        byte[] buffer = new byte[(int)Math.Min(CopyBytes, length)];
        for (long done = 0; done < length; done += buffer.Length)
        {
            var piece = buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - done));
            _heap.Read(from + (ulong)done, piece);
            WriteUnlessZero(to + (ulong)done, piece);
        }
    }

    /// <summary>Writes the pages that are not all zero: a hole stays one.</summary>
    private void WriteUnlessZero(ulong address, ReadOnlySpan<byte> bytes)
    {
        for (int start = 0; start < bytes.Length; start += PageBytes)
        {
            var page = bytes.Slice(start, Math.Min(PageBytes, bytes.Length - start));
            if (page.ContainsAnyExcept((byte)0))
            {
                _heap.Write(address + (ulong)start, page);
            }
        }
    }
}
