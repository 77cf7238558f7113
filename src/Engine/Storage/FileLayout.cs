namespace Everheap.Engine.Storage;

/// <summary>Where things are in a store's file. docs/format.md is this file in prose; both change together.</summary>
/// <remarks>
/// The file is a row of pages; a <em>place</em> is a page's number in the file (offset / 4096). Pages are grouped in regions of 128 MiB, each with one
/// page of bitmap; regions in groups of 256 (32 GiB), each with one page of directory. A region's first pages are reserved for these, at fixed
/// places, so that finding space never needs a place to be allocated first.
/// </remarks>
internal static class FileLayout
{
    /// <summary>Bytes of a page, of a root slot, of a node: the unit of everything in the file.</summary>
    public const int PageSize = 4096;

    /// <summary>log2 of <see cref="PageSize"/>.</summary>
    public const int PageShift = 12;

    /// <summary>The version that is written. Version 1, of one heap and no history, is read, and becomes this one with its next checkpoint.</summary>
    public const uint Version = 2;

    /// <summary>"EVERHEAP" in little-endian order.</summary>
    public const ulong SuperblockMagic = 0x5041454852455645;

    /// <summary>"EHHOLDER".</summary>
    public const ulong HolderMagic = 0x5245444C4F484845;

    /// <summary>"EHNOTE01".</summary>
    public const ulong NoteMagic = 0x313045544F4E4845;

    /// <summary>
    /// How many of the newest roots are kept wholly intact: the newest, and the one before it, so that damage to the newest root alone
    /// costs one checkpoint and not the store.
    /// </summary>
    public const int RootsKept = 2;

    /// <summary>Slots of every structure that is written in turn: one more than the roots whose state must survive the writing.</summary>
    public const int SlotCount = RootsKept + 1;

    /// <summary>First page of the root slots.</summary>
    public const int SuperblockPage = 0;

    /// <summary>The page that says who holds the store; advisory, outside the checkpoints.</summary>
    public const int HolderPage = 3;

    /// <summary>First page of the slots of the session note; outside the checkpoints.</summary>
    public const int NotePage = 4;

    /// <summary>Slots of the session note.</summary>
    public const int NoteSlotCount = 2;

    /// <summary>First page of the notes of heaps; outside the checkpoints.</summary>
    public const int HeapNotePage = 12;

    /// <summary>Pages of the notes of heaps: two for each half of the pairs, so that the two slots of a pair never lie in one page.</summary>
    public const int HeapNotePages = 4;

    /// <summary>Heaps that can have a note: each has a pair of slots, written in turn.</summary>
    public const int HeapNoteCountMax = HeapNotePages / 2 * (PageSize / HeapNoteRecord.Size);

    /// <summary>Bytes of a heap's note.</summary>
    public const int HeapNoteLengthMax = 96;

    /// <summary>First page, within every region, of the slots of its bitmap.</summary>
    public const int BitmapPage = 6;

    /// <summary>First page, within the first region of every group, of the slots of the group's directory.</summary>
    public const int DirectoryPage = 9;

    /// <summary>Pages at the start of every region that are never given out.</summary>
    public const int RegionReservedPages = 16;

    /// <summary>Pages of a region: one bit each in a page.</summary>
    public const int RegionPages = PageSize * 8;

    /// <summary>log2 of <see cref="RegionPages"/>.</summary>
    public const int RegionShift = 15;

    /// <summary>Words of 64 bits in a bitmap.</summary>
    public const int BitmapWords = RegionPages / 64;

    /// <summary>Regions of a group: entries of 16 bytes in a page.</summary>
    public const int GroupRegions = PageSize / 16;

    /// <summary>log2 of <see cref="GroupRegions"/>.</summary>
    public const int GroupShift = 8;

    /// <summary>Groups that a root has room for.</summary>
    public const int GroupCountMax = 128;

    /// <summary>The longest file: 4 TiB.</summary>
    public const long FileLengthMax = (long)GroupCountMax * GroupRegions * RegionPages * PageSize;

    /// <summary>The length a store is created with.</summary>
    public const long FileLengthInitial = 1L << 20;

    /// <summary>The file grows by an eighth of itself, but no less than this, in bytes.</summary>
    public const long GrowthMin = 1L << 20;

    /// <summary>The file grows by an eighth of itself, but no more than this, in bytes.</summary>
    public const long GrowthMax = 64L << 20;

    /// <summary>Entries of a node of the page map.</summary>
    public const int NodeEntries = PageSize / 16;

    /// <summary>log2 of <see cref="NodeEntries"/>.</summary>
    public const int NodeShift = 8;

    /// <summary>Levels of nodes above the pages; level 1 holds the places of pages, level <see cref="NodeLevels"/> is the root.</summary>
    public const int NodeLevels = 5;

    /// <summary>Bytes of a session note.</summary>
    public const int NoteLengthMax = 256;

    /// <summary>Bytes of the name of a heap or checkpoint in UTF-8.</summary>
    public const int HeapNameBytesMax = 64;

    /// <summary>The offset in the file of a root slot.</summary>
    public static long SuperblockOffset(int slot) => (long)(SuperblockPage + slot) << PageShift;

    /// <summary>The offset in the file of one of the two slots of a pair for a heap's note.</summary>
    public static long HeapNoteOffset(int pair, int slot)
    {
        const int PairsPerPage = PageSize / HeapNoteRecord.Size;
        var page = HeapNotePage + (2 * (pair / PairsPerPage)) + slot;
        return ((long)page << PageShift) + (pair % PairsPerPage * HeapNoteRecord.Size);
    }

    /// <summary>The slot that the root of a checkpoint goes to.</summary>
    public static int SuperblockSlot(ulong sequence) => (int)(sequence % SlotCount);

    /// <summary>The offset in the file of a slot of a region's bitmap.</summary>
    public static long BitmapOffset(int region, int slot) => (((long)region << RegionShift) + BitmapPage + slot) << PageShift;

    /// <summary>The offset in the file of a slot of a group's directory.</summary>
    public static long DirectoryOffset(int group, int slot) =>
        (((long)group << (GroupShift + RegionShift)) + DirectoryPage + slot) << PageShift;
}
