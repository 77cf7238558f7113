using System.Runtime.CompilerServices;

namespace Everheap.Engine.Storage;

/// <summary>
/// A read-only shared mapping of the start of a file, and of no more than <see cref="BytesMax"/> of it.
/// </summary>
/// <remarks>
/// <para>
/// Pages read through a mapping stay in the process's resident set until they are given back, and giving back costs more than it saves: random
/// 4 KiB reads of a cached 1 GiB file took 1.15 us through a mapping left alone, 1.7 us by a positional read, and 3.6 us (advice a page) to
/// 11 us (advice every 64 to 512 pages, each fault mapping 16) when the mapping was kept small. So the view covers what may stay resident for good,
/// which bounds file-backed memory without any further call, and everything past it is read positionally.
/// </para>
/// <para>
/// Safety: touching a mapped page past the end of its file ends the process (SIGBUS). Before every copy the file's length is asked of the
/// system; a file that someone cuts short in spite of the lock is then an error of a positional read.
/// </para>
/// </remarks>
internal sealed unsafe class MappedView : IDisposable
{
    /// <summary>The most of a file that is mapped, and so the most file-backed memory a store holds.</summary>
    public const long BytesMax = 8L << 20;

    private readonly int _descriptor;
    private byte* _start;

    private MappedView(byte* start, int descriptor)
    {
        _start = start;
        _descriptor = descriptor;
    }

    /// <summary>Maps the start of an open file; null where that is not possible.</summary>
    public static MappedView? TryCreate(int descriptor)
    {
        if (!Libc.IsAvailable)
        {
            return null;
        }

        // The mapping may reach past the end: what the file grows into becomes visible in it.
        var start = Libc.Map(0, (nuint)BytesMax, Libc.ProtRead, Libc.MapShared, descriptor, 0);
        if (start == -1)
        {
            return null;
        }

        // With the default read-ahead one cold fault reads half a megabyte.
        _ = Libc.Advise(start, (nuint)BytesMax, Libc.AdviseRandom);
        return new MappedView((byte*)start, descriptor);
    }

    /// <summary>Copies from the view, if all of the range is in it and in the file.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRead(long offset, Span<byte> destination)
    {
        var end = offset + destination.Length;
        if (end > BytesMax || offset < 0 || _start == null || end > Libc.Seek(_descriptor, 0, Libc.SeekEnd))
        {
            return false;
        }

        new ReadOnlySpan<byte>(_start + offset, destination.Length).CopyTo(destination);
        return true;
    }

    /// <summary>Gives the view's resident pages back to the system.</summary>
    public void Release()
    {
        if (_start != null)
        {
            _ = Libc.Advise((nint)_start, (nuint)BytesMax, Libc.AdviseDontNeed);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_start != null)
        {
            _ = Libc.Unmap((nint)_start, (nuint)BytesMax);
            _start = null;
        }
    }
}
