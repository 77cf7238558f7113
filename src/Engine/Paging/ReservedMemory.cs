using System.Runtime.InteropServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

/// <summary>
/// A block of zeroed, page-aligned address space that takes memory as it is touched. The owner frees it, after the last use of its addresses.
/// </summary>
internal sealed unsafe class ReservedMemory : IDisposable
{
    private readonly nuint _length;
    private void* _start;

    /// <summary>Reserves.</summary>
    /// <param name="length">Bytes.</param>
    public ReservedMemory(long length)
    {
        _length = checked((nuint)length);
        if (Libc.IsAvailable)
        {
            var start = Libc.Map(
                0,
                _length,
                Libc.ProtRead | Libc.ProtWrite,
                Libc.MapPrivate | Libc.MapAnonymous | Libc.MapNoReserve,
                -1,
                0);
            if (start == -1)
            {
                throw new HeapException($"{length} bytes of address space could not be reserved. Is there a limit on this process (ulimit -v)?");
            }

            _start = (void*)start;
        }
        else
        {
            // The system's allocator maps blocks of this size lazily, too.
            _start = NativeMemory.AlignedAlloc(_length, FileLayout.PageSize);
            NativeMemory.Clear(_start, _length);
        }
    }

    public byte* Start => (byte*)_start;

    /// <summary>From now on, writing here ends the process instead of going unnoticed; where the system can.</summary>
    public void MakeReadOnly()
    {
        if (Libc.IsAvailable)
        {
            _ = Libc.Protect((nint)_start, _length, Libc.ProtRead);
        }
    }

    /// <summary>Makes all of it zero again, and gives back what memory it took, where the system can.</summary>
    public void Clear() => Clear(0, (long)_length);

    /// <summary>Makes a part zero again, and gives back what memory it took, where the system can.</summary>
    /// <param name="offset">Where it begins; at a page.</param>
    /// <param name="length">Bytes; whole pages.</param>
    public void Clear(long offset, long length)
    {
        if (!Libc.IsAvailable || Libc.Advise((nint)(Start + offset), (nuint)length, Libc.AdviseDontNeed) != 0)
        {
            NativeMemory.Clear(Start + offset, (nuint)length);
        }
    }

    /// <summary>Gives back what memory a part took, where the system can: from then on its content is anything.</summary>
    /// <param name="offset">Where it begins; at a page.</param>
    /// <param name="length">Bytes; whole pages.</param>
    public void GiveBack(long offset, long length)
    {
        if (Libc.IsAvailable)
        {
            _ = Libc.Advise((nint)(Start + offset), (nuint)length, Libc.AdviseDontNeed);
        }
    }

    /// <summary>Whether the system may back this with pages of 2 MiB, also where only a part of one is in use; at first it may not.</summary>
    public void AllowHugePages(bool allow)
    {
        if (Libc.IsAvailable)
        {
            _ = Libc.Advise((nint)_start, _length, allow ? Libc.AdviseHugePage : Libc.AdviseNoHugePage);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_start == null)
        {
            return;
        }

        if (Libc.IsAvailable)
        {
            _ = Libc.Unmap((nint)_start, _length);
        }
        else
        {
            NativeMemory.AlignedFree(_start);
        }

        _start = null;
    }
}
