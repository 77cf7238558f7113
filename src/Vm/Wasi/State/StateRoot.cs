using System.Buffers.Binary;
using System.IO.Hashing;
using Everheap.Engine;

namespace Everheap.Vm.Wasi.State;

/// <summary>The sections of the stored state.</summary>
internal enum StateSection
{
    /// <summary>Arguments, environment, clocks, descriptors, output positions: small, and changed by almost everything.</summary>
    Process = 0,

    /// <summary>Files, directories and links: as large as there are files, changed only when they are.</summary>
    Files = 1,
}

/// <summary>
/// The root of the stored state: a page in the heap that says where each section lies. Invariants: the page never moves;
/// a section is written whole, and the page after it; both are of one checkpoint, since the heap's checkpoints are atomic.
/// </summary>
/// <remarks>
/// The page: magic (8 bytes), version (4), number of sections (4), then for each section address, capacity, length and
/// XXH3 of its bytes (8 each), then XXH3 of all before (8). All numbers are little-endian.
/// </remarks>
internal sealed class StateRoot
{
    private const ulong Magic = 0x3149_5341_5756_4545; // "EEVWASI1"
    private const uint Version = 1;
    private const int SectionCount = 2;
    private const int HeaderBytes = 16;
    private const int EntryBytes = 32;
    private const int ChecksumOffset = HeaderBytes + (SectionCount * EntryBytes);
    private const int RootBytes = ChecksumOffset + 8;
    private const int PageBytes = 4096;

    private static readonly string[] SectionNames = ["process state", "file system"];

    private readonly IHeapSpace _heap;
    private readonly Entry[] _entries = new Entry[SectionCount];

    private StateRoot(IHeapSpace heap, ulong address)
    {
        _heap = heap;
        Address = address;
    }

    /// <summary>Where the root page lies.</summary>
    public ulong Address { get; }

    /// <summary>Makes an empty root.</summary>
    /// <param name="heap">The heap.</param>
    /// <returns>The root.</returns>
    public static StateRoot Create(IHeapSpace heap)
    {
        var root = new StateRoot(heap, heap.Allocate(PageBytes));
        root.WriteRoot();
        return root;
    }

    /// <summary>Opens a root.</summary>
    /// <param name="heap">The heap.</param>
    /// <param name="address">Where its page lies.</param>
    /// <returns>The root.</returns>
    /// <exception cref="InvalidDataException">There is no root of this version at the address.</exception>
    public static StateRoot Open(IHeapSpace heap, ulong address)
    {
        var root = new StateRoot(heap, address);
        Span<byte> page = stackalloc byte[RootBytes];
        heap.Read(address, page);
        if (BinaryPrimitives.ReadUInt64LittleEndian(page) != Magic)
        {
            throw new InvalidDataException($"There is no stored system state at address 0x{address:x} of the heap: is this the heap of a program?");
        }

        uint version = BinaryPrimitives.ReadUInt32LittleEndian(page[8..]);
        if (version != Version)
        {
            throw new InvalidDataException($"The stored system state has version {version}; this program reads version {Version}. Resume it with the program that wrote it.");
        }

        if (BinaryPrimitives.ReadUInt64LittleEndian(page[ChecksumOffset..]) != XxHash3.HashToUInt64(page[..ChecksumOffset]))
        {
            throw new InvalidDataException($"The stored system state at address 0x{address:x} of the heap does not match its checksum.");
        }

        for (int i = 0; i < SectionCount; i++)
        {
            var entry = page.Slice(HeaderBytes + (i * EntryBytes), EntryBytes);
            root._entries[i] = new Entry
            {
                Address = BinaryPrimitives.ReadUInt64LittleEndian(entry),
                Capacity = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]),
                Length = BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]),
                Checksum = BinaryPrimitives.ReadUInt64LittleEndian(entry[24..]),
            };
        }

        return root;
    }

    /// <summary>Reads a section.</summary>
    /// <param name="section">Which.</param>
    /// <returns>Its bytes.</returns>
    /// <exception cref="InvalidDataException">The section is damaged.</exception>
    public byte[] Read(StateSection section)
    {
        var entry = _entries[(int)section];
        if (entry.Length > entry.Capacity || entry.Length > WasiLimits.SectionBytesMax || entry.Address > PersistentHeap.AddressEnd - entry.Length)
        {
            throw new InvalidDataException($"The stored {Name(section)} of the program has an impossible length or place: {entry.Length} bytes at address 0x{entry.Address:x}.");
        }

        byte[] bytes = new byte[entry.Length];
        _heap.Read(entry.Address, bytes);
        if (XxHash3.HashToUInt64(bytes) != entry.Checksum)
        {
            throw new InvalidDataException($"The stored {Name(section)} of the program ({entry.Length} bytes at address 0x{entry.Address:x}) does not match its checksum.");
        }

        return bytes;
    }

    /// <summary>Replaces a section; does nothing if it is the same already.</summary>
    /// <param name="section">Which.</param>
    /// <param name="bytes">Its bytes.</param>
    public void Write(StateSection section, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > WasiLimits.SectionBytesMax)
        {
            throw new InvalidOperationException($"The {Name(section)} of the program takes {bytes.Length} bytes; the limit is {WasiLimits.SectionBytesMax}.");
        }

        ref var entry = ref _entries[(int)section];
        ulong checksum = XxHash3.HashToUInt64(bytes);
        if (entry.Address != 0 && checksum == entry.Checksum && (ulong)bytes.Length == entry.Length)
        {
            return;
        }

        if (entry.Address == 0 || (ulong)bytes.Length > entry.Capacity)
        {
            if (entry.Address != 0)
            {
                _heap.Release(entry.Address, entry.Capacity);
            }

            entry.Capacity = Math.Max(PageBytes, System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)bytes.Length));
            entry.Address = _heap.Allocate(entry.Capacity);
        }

        _heap.Write(entry.Address, bytes);
        entry.Length = (ulong)bytes.Length;
        entry.Checksum = checksum;
        WriteRoot();
    }

    /// <summary>What a section is called in messages.</summary>
    /// <param name="section">Which.</param>
    /// <returns>The name.</returns>
    public static string Name(StateSection section) => SectionNames[(int)section];

    private void WriteRoot()
    {
        Span<byte> page = stackalloc byte[RootBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(page, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(page[8..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(page[12..], SectionCount);
        for (int i = 0; i < SectionCount; i++)
        {
            var entry = page.Slice(HeaderBytes + (i * EntryBytes), EntryBytes);
            BinaryPrimitives.WriteUInt64LittleEndian(entry, _entries[i].Address);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], _entries[i].Capacity);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], _entries[i].Length);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[24..], _entries[i].Checksum);
        }

        BinaryPrimitives.WriteUInt64LittleEndian(page[ChecksumOffset..], XxHash3.HashToUInt64(page[..ChecksumOffset]));
        _heap.Write(Address, page);
    }

    private struct Entry
    {
        public ulong Address;
        public ulong Capacity;
        public ulong Length;
        public ulong Checksum;
    }
}
