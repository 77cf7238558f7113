using Everheap.Engine;

namespace Everheap.Vm.Execution;

/// <summary>
/// A linear memory in a heap (core specification, section 4.2.8). Ranges are moved page by page through the translation window.
/// </summary>
internal sealed unsafe class LinearMemory : GuestMemory, IDisposable
{
    /// <summary>WebAssembly's page, the unit of a memory's size, in bytes.</summary>
    public const int WasmPageBytes = 65536;

    /// <summary>The most pages that 32-bit addresses reach.</summary>
    public const uint WasmPagesMax = 65536;

    /// <summary>Heap address space that a memory takes: what its window spans.</summary>
    public const ulong AddressSpaceBytes = (ulong)TranslationWindow.WindowBytes;

    private readonly PersistentHeap _heap;
    private readonly uint _pagesMax;

    public LinearMemory(PersistentHeap heap, ulong address, uint pages, uint? maximum)
    {
        _heap = heap;
        Address = address;
        Pages = pages;
        _pagesMax = Math.Min(maximum ?? WasmPagesMax, WasmPagesMax);
        Window = heap.OpenWindow(address);
    }

    /// <summary>Where the memory begins in the heap.</summary>
    public ulong Address { get; }

    public uint Pages { get; private set; }

    public TranslationWindow Window { get; }

    public override ulong Length => (ulong)Pages * WasmPageBytes;

    /// <summary>Grows the memory; the new pages are zero and cost nothing until they are written.</summary>
    /// <returns>The size before, in pages, or null if the memory may not become so large.</returns>
    public uint? Grow(uint delta)
    {
        if (delta > _pagesMax - Pages)
        {
            return null;
        }

        uint before = Pages;
        Pages += delta;
        return before;
    }

    public bool IsInside(ulong offset, ulong length) => offset <= Length && length <= Length - offset;

    public override void Read(ulong offset, Span<byte> destination)
    {
        if (!IsInside(offset, (ulong)destination.Length))
        {
            throw new GuestMemoryException(offset, (ulong)destination.Length, Length);
        }

        _heap.Read(Address + offset, destination);
    }

    public override void Write(ulong offset, ReadOnlySpan<byte> source)
    {
        if (!IsInside(offset, (ulong)source.Length))
        {
            throw new GuestMemoryException(offset, (ulong)source.Length, Length);
        }

        _heap.Write(Address + offset, source);
    }

    /// <summary>Fills a range that lies inside the memory.</summary>
    public void Fill(ulong offset, byte value, ulong length)
    {
        while (length > 0)
        {
            Span<byte> span = Window.WriteSpan(offset, (int)Math.Min(length, int.MaxValue));
            span.Fill(value);
            offset += (ulong)span.Length;
            length -= (ulong)span.Length;
        }
    }

    /// <summary>Copies between ranges that lie inside the memory and may overlap.</summary>
    public void Copy(ulong destination, ulong source, ulong length)
    {
        if (destination == source)
        {
            return;
        }

        bool isBackwards = destination > source && destination - source < length;
        const int PageSize = PersistentHeap.PageSize;
        while (length > 0)
        {
            // The largest piece that lies within one page at both ends.
            ulong sourceRoom = isBackwards ? ((source + length - 1) % PageSize) + 1 : PageSize - (source % PageSize);
            ulong destinationRoom = isBackwards ? ((destination + length - 1) % PageSize) + 1 : PageSize - (destination % PageSize);
            ulong piece = Math.Min(length, Math.Min(sourceRoom, destinationRoom));
            ulong skip = isBackwards ? length - piece : 0;

            // A pointer holds until the next call into the heap, and bringing one page in may take the other away: where either is not
            // there, the bytes go through a buffer.
            byte* target = Translate(destination + skip, TranslationWindow.StoreTableDistance);
            byte* origin = Translate(source + skip, 0);
            if (origin == null || target == null)
            {
                CopyThroughBuffer(destination + skip, source + skip, (int)piece);
            }
            else
            {
                Buffer.MemoryCopy(origin, target, piece, piece);
            }

            if (!isBackwards)
            {
                destination += piece;
                source += piece;
            }

            length -= piece;
        }
    }

    public void Dispose() => Window.Dispose();

    // The address by an entry as it stands, or null: no call into the heap.
    private byte* Translate(ulong offset, long tableDistance)
    {
        long entry = *(long*)(Window.LoadTable + (nint)tableDistance + (nint)(offset >> TranslationWindow.PageShift << 3));
        return entry == 0 ? null : (byte*)(entry + (long)offset);
    }

    private void CopyThroughBuffer(ulong destination, ulong source, int length)
    {
        Span<byte> buffer = stackalloc byte[PersistentHeap.PageSize];
        buffer = buffer[..length];
        Window.ReadSpan(source, length).CopyTo(buffer);
        buffer.CopyTo(Window.WriteSpan(destination, length));
    }
}
