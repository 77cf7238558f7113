using Everheap.Engine;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>
/// A linear memory in a heap (core specification, section 4.2.8). It is reached by pages, through the translation window, or, while it is pinned, in one piece.
/// </summary>
internal sealed unsafe class LinearMemory : GuestMemory, IDisposable
{
    /// <summary>log2 of <see cref="WasmPageBytes"/>.</summary>
    public const int WasmPageShift = 16;

    /// <summary>WebAssembly's page, the unit of a memory's size, in bytes.</summary>
    public const int WasmPageBytes = 1 << WasmPageShift;

    /// <summary>The most pages that 32-bit addresses reach.</summary>
    public const uint WasmPagesMax = 65536;

    /// <summary>The most pages of a memory with addresses of 64 bits: 1 TiB.</summary>
    public const uint WidePagesMax = (uint)(TranslationWindow.WindowBytesMax >> WasmPageShift);

    private readonly PersistentHeap _heap;
    private readonly uint _pagesMax;
    private PinnedRange? _pinned;

    /// <summary>Makes a memory known that lies in a heap.</summary>
    /// <param name="heap">The heap.</param>
    /// <param name="number">Its number in its group.</param>
    /// <param name="address">Where it begins in the heap.</param>
    /// <param name="pages">Its size.</param>
    /// <param name="type">Its type as it was declared.</param>
    public LinearMemory(PersistentHeap heap, int number, ulong address, uint pages, MemoryType type)
    {
        _heap = heap;
        Number = number;
        Address = address;
        Pages = pages;
        Type = type;
        _pagesMax = (uint)Math.Min(type.Limits.Maximum ?? PagesMaxOf(type), PagesMaxOf(type));
        Window = heap.OpenWindow(address, (long)AddressSpaceOf(type));
    }

    /// <summary>The most pages that a memory of a type may have here, whatever it declares.</summary>
    public static uint PagesMaxOf(MemoryType type) => type.Is64 ? WidePagesMax : WasmPagesMax;

    /// <summary>The least heap address space that a memory takes, in bytes.</summary>
    public const ulong AddressSpaceMin = (ulong)TranslationWindow.WindowBytes;

    /// <summary>Heap address space that a memory takes, in bytes: what its window spans.</summary>
    public static ulong AddressSpaceOf(MemoryType type) => (ulong)(type.Is64 ? TranslationWindow.WindowBytesMax : TranslationWindow.WindowBytes);

    /// <summary>Its number in its group.</summary>
    public int Number { get; }

    /// <summary>Its type as it was declared.</summary>
    public MemoryType Type { get; }

    /// <summary>The instances whose code is compiled for it: those that have it as memory 0. They all reach it in the same way.</summary>
    public List<Instance> Users { get; } = [];

    /// <summary>Where the memory begins in the heap.</summary>
    public ulong Address { get; }

    public uint Pages { get; private set; }

    public TranslationWindow Window { get; }

    public override ulong Length => (ulong)Pages * WasmPageBytes;

    /// <summary>Where the memory lies in one piece, and which of its pages have been stored to; null while it is reached by pages.</summary>
    public PinnedRange? Pinned => _pinned;

    /// <summary>How it is reached.</summary>
    public Addressing Addressing => _pinned is null ? Addressing.Paged : Addressing.Contiguous;

    /// <summary>Whether it is reached by pages for the time being only: it is to be pinned later, if it fits then.</summary>
    public bool IsPinDeferred { get; set; }

    /// <summary>Whether it has grown beyond what is pinned of it.</summary>
    public bool HasOutgrownPin => _pinned is not null && Length > _pinned.Length;

    /// <summary>Grows the memory; the new pages are zero and cost nothing until they are written. What is pinned grows with it as long as it fits.</summary>
    /// <returns>The size before, in pages, or null if the memory may not become so large.</returns>
    public uint? Grow(ulong delta)
    {
        if (delta > _pagesMax - Pages)
        {
            return null;
        }

        uint before = Pages;
        Pages += (uint)delta;
        if (HasOutgrownPin && Length <= _pinned!.MaxLength && Length - _pinned.Length <= _heap.PinnableBytes)
        {
            try
            {
                _pinned.Extend(Length);
            }
            catch (HeapFullException)
            {
                // The file has no room for what would have to make way. By pages, the memory grows without any.
            }
        }

        return before;
    }

    /// <summary>Makes the memory resident in one piece, unless it is longer than a limit, or than leaves enough of the budget to everything else.</summary>
    /// <param name="bytesMax">The limit.</param>
    /// <returns>Whether it is pinned.</returns>
    public bool TryPin(ulong bytesMax)
    {
        ulong fits = FittingBytes(bytesMax);
        ulong length = Math.Max(Length, WasmPageBytes);
        if (_pinned is null && length <= fits)
        {
            try
            {
                _pinned = _heap.PinRange(Address, length, Math.Min(fits, (ulong)_pagesMax * WasmPageBytes));
            }
            catch (Exception exception) when (exception is HeapCorruptedException or HeapFullException)
            {
                // A page cannot be read, or nothing can make way. By pages, that is met only by what uses the page or needs the room.
            }
        }

        return _pinned is not null;
    }

    /// <summary>Whether it is no longer than a limit, and than leaves enough of the budget to everything else.</summary>
    public bool Fits(ulong bytesMax) => Length <= FittingBytes(bytesMax);

    // A seal needs frames for copies of the pages that have changed, which may be all of them.
    private ulong FittingBytes(ulong bytesMax) => Math.Min(bytesMax, _heap.PinnableBytes / 2);

    /// <summary>From now on the memory is reached by pages.</summary>
    public void Unpin()
    {
        _pinned?.Dispose();
        _pinned = null;
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
            int piece = (int)Math.Min(length, int.MaxValue);
            Span<byte> span = SpanForWriting(offset, piece);
            span.Fill(value);
            offset += (ulong)span.Length;
            length -= (ulong)span.Length;
        }
    }

    /// <summary>Room that lies inside the memory, as far as it lies in one piece; to be written to before anything else is asked of the heap.</summary>
    public Span<byte> SpanForWriting(ulong offset, int length) => IsPinned(offset, (ulong)length) ? _pinned!.WriteSpan(offset, length) : Window.WriteSpan(offset, length);

    /// <summary>Copies a range that lies inside another memory, or this one, to one inside this; they may overlap.</summary>
    public void CopyFrom(LinearMemory from, ulong destination, ulong source, ulong length)
    {
        if (from == this && destination == source)
        {
            return;
        }

        if (IsPinned(destination, length) && from.IsPinned(source, length))
        {
            CopyPinned(from, destination, source, length);
            return;
        }

        bool isBackwards = from == this && destination > source && destination - source < length;
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
            byte* target = Translate(Window.StoreTable, destination + skip);
            byte* origin = Translate(from.Window.LoadTable, source + skip);
            if (origin == null || target == null)
            {
                CopyThroughBuffer(from, destination + skip, source + skip, (int)piece);
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

    public void Dispose()
    {
        Unpin();
        Window.Dispose();
    }

    private bool IsPinned(ulong offset, ulong length) => _pinned is not null && offset <= _pinned.Length && length <= _pinned.Length - offset;

    private void CopyPinned(LinearMemory from, ulong destination, ulong source, ulong length)
    {
        for (ulong marked = 0; marked < length; marked += int.MaxValue)
        {
            _pinned!.MarkDirty(destination + marked, (int)Math.Min(length - marked, int.MaxValue));
        }

        Buffer.MemoryCopy((byte*)from._pinned!.Memory + source, (byte*)_pinned!.Memory + destination, length, length);
    }

    // The address by an entry as it stands, or null: no call into the heap.
    private static byte* Translate(nint table, ulong offset)
    {
        long entry = *(long*)(table + (nint)(offset >> TranslationWindow.PageShift << 3));
        return entry == 0 ? null : (byte*)(entry + (long)offset);
    }

    private void CopyThroughBuffer(LinearMemory from, ulong destination, ulong source, int length)
    {
        Span<byte> buffer = stackalloc byte[PersistentHeap.PageSize];
        buffer = buffer[..length];
        from.Window.ReadSpan(source, length).CopyTo(buffer);
        buffer.CopyTo(Window.WriteSpan(destination, length));
    }
}
