using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Everheap.Engine.Storage;

// Everything with a shape on disk, as structs that are laid over the bytes of a page: all fields little-endian, naturally aligned, without padding
// (a test proves sizes and offsets). Fields named Reserved are zero when written and not looked at when read.

/// <summary>A reference to a page of the file: where it is, and what its content must hash to. Place 0 is "nothing: all zero".</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MapEntry
{
    public const int Size = 16;

    /// <summary>The page's number in the file; 0 for none (page 0 is a root slot, so never anything else's place).</summary>
    public ulong Place;

    /// <summary>XXH3-64 of the 4096 bytes there.</summary>
    public ulong Checksum;
}

/// <summary>What the allocator's next level up knows of a bitmap or of a directory.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SpaceEntry
{
    public const int Size = 16;

    /// <summary>XXH3-64 of the slot that holds.</summary>
    public ulong Checksum;

    /// <summary>Pages below this entry that are not in use, among those that have a bitmap.</summary>
    public uint FreePages;

    /// <summary>Which of the slots holds.</summary>
    public byte Slot;

    /// <summary>1 once a slot has been written; 0: nothing below is in use but the reserved pages.</summary>
    public byte Written;

    public ushort Reserved;
}

/// <summary>The entries of a directory page or, in part, of a root.</summary>
[InlineArray(FileLayout.GroupRegions)]
internal struct DirectoryEntries
{
    private SpaceEntry _first;
}

/// <summary>The entries for groups in a root.</summary>
[InlineArray(FileLayout.GroupCountMax)]
internal struct GroupEntries
{
    private SpaceEntry _first;
}

/// <summary>A root: one slot of 4096 bytes, from which everything of one checkpoint is reached.</summary>
[StructLayout(LayoutKind.Sequential, Size = FileLayout.PageSize)]
internal struct Superblock
{
    /// <summary><see cref="FileLayout.SuperblockMagic"/>, in every version.</summary>
    public ulong Magic;

    /// <summary>The format's version; at this offset in every version.</summary>
    public uint Version;

    /// <summary><see cref="FileLayout.PageSize"/>.</summary>
    public uint PageSize;

    /// <summary>XXH3-64 of the slot with this field zero; at this offset, over 4096 bytes, in every version.</summary>
    public ulong Checksum;

    /// <summary>The checkpoint's number.</summary>
    public ulong Sequence;

    /// <summary>The <see cref="Checksum"/> of the root numbered one less; 0 in the first.</summary>
    public ulong ParentChecksum;

    /// <summary>The file is at least this long, in bytes.</summary>
    public ulong FileLength;

    /// <summary>Identifies the store; the same in all its roots.</summary>
    public Guid StoreId;

    /// <summary>When the checkpoint was sealed, in ticks of 100 ns since year 1, UTC.</summary>
    public long TimeTicks;

    /// <summary>The catalog.</summary>
    public MapEntry Catalog;

    /// <summary>Pages the bitmaps say are in use, reserved pages of written regions included.</summary>
    public ulong AllocatedPages;

    public ReservedHeader Reserved;

    /// <summary>One entry a group of 32 GiB.</summary>
    public GroupEntries Groups;

    /// <summary>Keeps <see cref="Groups"/> at offset 256.</summary>
    [InlineArray(20)]
    internal struct ReservedHeader
    {
        private ulong _first;
    }
}

/// <summary>A heap, as the catalog knows it.</summary>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal struct HeapRecord
{
    public const int Size = 256;

    /// <summary>1 for the first heap of the store, and so on; 0 in an unused record.</summary>
    public uint Id;

    /// <summary>Bytes of the name in UTF-8.</summary>
    public uint NameLength;

    /// <summary>The name in UTF-8, zero after its end.</summary>
    public NameBytes Name;

    /// <summary>The root node of the heap's page map.</summary>
    public MapEntry MapRoot;

    /// <summary>Pages that have a place.</summary>
    public ulong MappedPages;

    /// <summary>When the heap was created, in ticks of 100 ns since year 1, UTC.</summary>
    public long CreatedTicks;

    [InlineArray(FileLayout.HeapNameBytesMax)]
    internal struct NameBytes
    {
        private byte _first;
    }
}

/// <summary>A checkpoint, as the catalog's history knows it.</summary>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal struct CheckpointRecord
{
    public const int Size = 48;

    public ulong Number;

    /// <summary>Ticks of 100 ns since year 1, UTC.</summary>
    public long TimeTicks;

    public ulong Pages;

    public ulong Bytes;

    /// <summary>In ticks of 100 ns.</summary>
    public long PauseTicks;

    /// <summary>In ticks of 100 ns.</summary>
    public long DurationTicks;
}

/// <summary>The catalog of heaps and checkpoints: one page.</summary>
[StructLayout(LayoutKind.Sequential, Size = FileLayout.PageSize)]
internal struct CatalogPage
{
    /// <summary><see cref="FileLayout.CatalogMagic"/>.</summary>
    public ulong Magic;

    /// <summary>The checkpoint this catalog belongs to.</summary>
    public ulong Sequence;

    /// <summary>Heaps in <see cref="Heaps"/>.</summary>
    public uint HeapCount;

    /// <summary>Checkpoints in <see cref="History"/>.</summary>
    public uint HistoryCount;

    public ReservedHeader Reserved;

    public HeapRecords Heaps;

    /// <summary>Oldest first.</summary>
    public HistoryRecords History;

    /// <summary>Keeps <see cref="Heaps"/> at offset 64.</summary>
    [InlineArray(5)]
    internal struct ReservedHeader
    {
        private ulong _first;
    }

    [InlineArray(FileLayout.CatalogHeapsMax)]
    internal struct HeapRecords
    {
        private HeapRecord _first;
    }

    [InlineArray(FileLayout.HistoryLengthMax)]
    internal struct HistoryRecords
    {
        private CheckpointRecord _first;
    }
}

/// <summary>Who holds the store: written when a store is opened for writing. The lock is the system's; this only says whose it is.</summary>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal struct HolderRecord
{
    public const int Size = 512;

    /// <summary><see cref="FileLayout.HolderMagic"/>.</summary>
    public ulong Magic;

    /// <summary>XXH3-64 of the record with this field zero.</summary>
    public ulong Checksum;

    /// <summary>Ticks of 100 ns since year 1, UTC.</summary>
    public long SinceTicks;

    public int ProcessId;

    /// <summary>Bytes of the host's name in UTF-8.</summary>
    public uint HostLength;

    public HostBytes Host;

    [InlineArray(256)]
    internal struct HostBytes
    {
        private byte _first;
    }
}

/// <summary>A slot of the session note.</summary>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal struct NoteRecord
{
    public const int Size = 512;

    /// <summary><see cref="FileLayout.NoteMagic"/>.</summary>
    public ulong Magic;

    /// <summary>XXH3-64 of the record with this field zero.</summary>
    public ulong Checksum;

    /// <summary>Counts up with every note; the slot with the larger one holds.</summary>
    public ulong Sequence;

    public uint Length;

    public uint Reserved;

    public NoteBytes Bytes;

    [InlineArray(FileLayout.NoteLengthMax)]
    internal struct NoteBytes
    {
        private byte _first;
    }
}
