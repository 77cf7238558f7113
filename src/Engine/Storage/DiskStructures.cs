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

    /// <summary>The root node of the catalog's page map (in version 1: the catalog, one page).</summary>
    public MapEntry Catalog;

    /// <summary>Pages the bitmaps say are in use, reserved pages of written regions included.</summary>
    public ulong AllocatedPages;

    /// <summary>Pages of the catalog that have a place.</summary>
    public ulong CatalogPages;

    public ReservedHeader Reserved;

    /// <summary>One entry a group of 32 GiB.</summary>
    public GroupEntries Groups;

    /// <summary>Keeps <see cref="Groups"/> at offset 256.</summary>
    [InlineArray(19)]
    internal struct ReservedHeader
    {
        private ulong _first;
    }
}

/// <summary>The first page of the catalog: how far its tables reach.</summary>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal struct CatalogHeader
{
    public const int Size = 64;

    /// <summary><see cref="CatalogLayout.HeaderMagic"/>; 0 in a catalog that nothing was entered in.</summary>
    public ulong Magic;

    /// <summary>Slots for heaps that were ever used.</summary>
    public uint HeapSlots;

    /// <summary>Slots for checkpoints that were ever used.</summary>
    public uint CheckpointSlots;

    /// <summary>Entries of the reclaim stack.</summary>
    public uint ReclaimCount;

    /// <summary>The id of the next heap; ids are not used again.</summary>
    public uint NextHeapId;

    /// <summary>How many counts of shared pages are not zero.</summary>
    public ulong SharedPages;

    /// <summary>The root commit that last changed the catalog.</summary>
    public ulong Sequence;
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

    /// <summary>The root node of the heap's page map, as of its latest checkpoint.</summary>
    public MapEntry MapRoot;

    /// <summary>Pages that have a place.</summary>
    public ulong MappedPages;

    /// <summary>When the heap was created, in ticks of 100 ns since year 1, UTC.</summary>
    public long CreatedTicks;

    /// <summary>The number of the latest checkpoint.</summary>
    public ulong Number;

    /// <summary>The number of the checkpoint that the heap was forked from; 0 if it was not.</summary>
    public ulong OriginNumber;

    /// <summary>The id of the heap that it was forked from; 0 if it was not.</summary>
    public uint OriginId;

    /// <summary>How many of the newest checkpoints are retained; the latest is one of them.</summary>
    public uint KeepLast;

    /// <summary>Checkpoints younger than this are retained, in ticks of 100 ns; 0: age counts for nothing.</summary>
    public long KeepForTicks;

    /// <summary>In a heap that is being received, what is to become of it; all zero in any other.</summary>
    public ReceiveRecord Receive;

    /// <summary>The number of the checkpoint that the heap was forked with, last went back to or was last received as, and has gone straight on from since; 0 if since it was created.</summary>
    public ulong BranchNumber;

    [InlineArray(FileLayout.HeapNameBytesMax)]
    internal struct NameBytes
    {
        private byte _first;
    }
}

/// <summary>What a heap that is not whole yet is received as: nobody sees it until it is, under the name that its record has already.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ReceiveRecord
{
    public const int Size = 56;

    /// <summary>The content id of the checkpoint it will be; zero: the heap is not being received.</summary>
    public Guid ToContentId;

    /// <summary>The content id of the checkpoint it started as; zero if it started empty.</summary>
    public Guid FromContentId;

    /// <summary>The number of the checkpoint in the sender's heap.</summary>
    public ulong ToNumber;

    /// <summary>All pages below this one have come, and are in the heap's latest checkpoint.</summary>
    public ulong NextPage;

    /// <summary>How many page records had come by then.</summary>
    public ulong Pages;

    /// <summary>Whether the heap is being received.</summary>
    public readonly bool IsActive => ToContentId != Guid.Empty;

    /// <summary>Whether this is a receive of the same difference.</summary>
    public readonly bool IsOf(in ReceiveRecord other) => ToContentId == other.ToContentId && FromContentId == other.FromContentId;
}

/// <summary>A checkpoint of a heap, as the catalog knows it.</summary>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal struct CheckpointRecord
{
    public const int Size = 256;

    /// <summary>The heap; 0 in an unused record.</summary>
    public uint HeapId;

    /// <summary>See <see cref="CheckpointFlags"/>.</summary>
    public CheckpointFlags Flags;

    public ulong Number;

    /// <summary>Ticks of 100 ns since year 1, UTC.</summary>
    public long TimeTicks;

    public ulong Pages;

    public ulong Bytes;

    /// <summary>In ticks of 100 ns.</summary>
    public long PauseTicks;

    /// <summary>In ticks of 100 ns.</summary>
    public long DurationTicks;

    /// <summary>The root node of the page map if the checkpoint is retained and not the latest; otherwise nothing.</summary>
    public MapEntry MapRoot;

    /// <summary>Pages that have a place below <see cref="MapRoot"/>.</summary>
    public ulong MappedPages;

    /// <summary>Bytes of the name in UTF-8; 0 if it has none.</summary>
    public uint NameLength;

    public uint Reserved;

    public HeapRecord.NameBytes Name;

    /// <summary>Identifies what the checkpoint holds, in every store that has it: forks, reverts and transfers keep it.</summary>
    public Guid ContentId;
}

/// <summary>What is said of a checkpoint.</summary>
[Flags]
internal enum CheckpointFlags : uint
{
    None = 0,

    /// <summary>Its pages are kept: it can be opened. The latest of a heap is so without this.</summary>
    Retained = 1,

    /// <summary>Kept until it is dropped, whatever the heap's retention says.</summary>
    Held = 2,
}

/// <summary>An entry of the reclaim stack: one reference to a page map's node that is to be given up, with what it alone reaches.</summary>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal struct ReclaimRecord
{
    public const int Size = 32;

    public MapEntry Node;

    /// <summary>The node's level, 1 to <see cref="FileLayout.NodeLevels"/>.</summary>
    public uint Level;
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

/// <summary>A slot of a heap's note. All zero: never written.</summary>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal struct HeapNoteRecord
{
    public const int Size = 128;

    /// <summary>XXH3-64 of the record with this field zero.</summary>
    public ulong Checksum;

    /// <summary>Counts up with every note of the store; of a heap's two slots the one with the larger holds.</summary>
    public ulong Sequence;

    /// <summary>XXH3-64 of the heap's id, time of creation and <see cref="HeapRecord.BranchNumber"/>, 8 bytes each: another heap, or one that went back since, has another.</summary>
    public ulong Lineage;

    /// <summary>The heap's id.</summary>
    public uint HeapId;

    public uint Length;

    public NoteBytes Bytes;

    [InlineArray(FileLayout.HeapNoteLengthMax)]
    internal struct NoteBytes
    {
        private byte _first;
    }
}
