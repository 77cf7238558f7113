using System.Runtime.InteropServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Transfer;

/// <summary>The stream as code: what docs/transfer.md says in prose. Both change together.</summary>
/// <remarks>
/// A stream is a <see cref="StreamHeader"/>, then blocks, each a <see cref="BlockHeader"/> and its payload; the last block is the end record. Every block's
/// checksum is seeded with the one before it, the first with the header's: what was cut, left out, repeated or taken from another stream does not match.
/// </remarks>
internal static class TransferFormat
{
    /// <summary>"EHSTREAM".</summary>
    public const ulong Magic = 0x4D41455254534845;

    /// <summary>The version that is written, and the newest that is read.</summary>
    public const uint Version = 1;

    /// <summary>Pages of content of a block: 128 KiB.</summary>
    public const int BlockContentsMax = 32;

    /// <summary>Page records of a block, those without content included.</summary>
    public const int BlockRecordsMax = 2048;

    /// <summary>Bytes of a page record.</summary>
    public const int RecordSize = sizeof(ulong);

    /// <summary>Bytes of a block's payload at most: the bound of what either side holds in memory.</summary>
    public const int PayloadBytesMax = (BlockRecordsMax * RecordSize) + (BlockContentsMax * FileLayout.PageSize);

    /// <summary>The page after the last of an address space.</summary>
    public const ulong PageEnd = PersistentHeap.AddressSpaceBytes >> FileLayout.PageShift;

    /// <summary>The largest number a checkpoint may have: none has counted that far.</summary>
    public const ulong NumberMax = 1UL << 62;

    private const int KindShift = 56;

    /// <summary>A page record: the page's number, and in the highest byte what became of it.</summary>
    public static ulong Record(ulong page, PageRecordKind kind) => page | ((ulong)kind << KindShift);

    /// <summary>The page of a record; not below <see cref="PageEnd"/> if the record is malformed.</summary>
    public static ulong PageOf(ulong record) => record & ((1UL << KindShift) - 1);

    /// <summary>The kind of a record; none of those there are if the record is malformed.</summary>
    public static PageRecordKind KindOf(ulong record) => (PageRecordKind)(record >> KindShift);

    /// <summary>Whether a page's content follows in the block.</summary>
    public static bool HasContent(PageRecordKind kind) => kind is PageRecordKind.Added or PageRecordKind.Changed;
}

/// <summary>What became of a page between the two checkpoints. A whole checkpoint is the difference from nothing: all its pages are added.</summary>
internal enum PageRecordKind : byte
{
    None = 0,

    /// <summary>It has content only in the later one, and that follows.</summary>
    Added = 1,

    /// <summary>It has content in both, and the later one's follows.</summary>
    Changed = 2,

    /// <summary>It has content only in the earlier one.</summary>
    Removed = 3,

    /// <summary>Like <see cref="Added"/>, with a content of zeros, which does not follow.</summary>
    AddedZero = 4,

    /// <summary>Like <see cref="Changed"/>, with a content of zeros, which does not follow.</summary>
    ChangedZero = 5,
}

/// <summary>What a block is.</summary>
internal enum BlockKind : uint
{
    None = 0,

    /// <summary>Page records, then the contents of those that have one.</summary>
    Pages = 1,

    /// <summary>An <see cref="EndRecord"/>; nothing follows.</summary>
    End = 2,

    /// <summary>The note of the sender's heap, if it is sent: once, after the pages.</summary>
    Note = 3,
}

/// <summary>The start of a stream: which checkpoint, and what it is based on.</summary>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal struct StreamHeader
{
    public const int Size = 256;

    /// <summary><see cref="TransferFormat.Magic"/>, in every version.</summary>
    public ulong Magic;

    /// <summary>At this offset in every version.</summary>
    public uint Version;

    /// <summary><see cref="FileLayout.PageSize"/>.</summary>
    public uint PageSize;

    /// <summary>XXH3-64 of the header with this field zero; at this offset, over 256 bytes, in every version.</summary>
    public ulong Checksum;

    /// <summary>The sender's store.</summary>
    public Guid StoreId;

    /// <summary>The content id of the checkpoint that is sent.</summary>
    public Guid ToContentId;

    /// <summary>The content id of the checkpoint that the receiver has already; zero if the checkpoint is sent whole.</summary>
    public Guid FromContentId;

    /// <summary>The number of the checkpoint that is sent, in the sender's heap.</summary>
    public ulong ToNumber;

    /// <summary>The number of the one it is based on, in the sender's heap; 0 if it is sent whole.</summary>
    public ulong FromNumber;

    /// <summary>When the checkpoint that is sent was sealed, in ticks of 100 ns since year 1, UTC.</summary>
    public long ToTimeTicks;

    /// <summary>Pages of the checkpoint that is sent which hold something: as many has the receiver in the end.</summary>
    public ulong MappedPages;

    /// <summary>The stream has no records of pages below this: the receiver has them from an earlier stream that broke off.</summary>
    public ulong FirstPage;

    public uint Reserved;

    /// <summary>Bytes of the heap's name in UTF-8.</summary>
    public uint NameLength;

    /// <summary>The name in UTF-8, zero after its end.</summary>
    public HeapRecord.NameBytes Name;
}

/// <summary>The start of a block.</summary>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal struct BlockHeader
{
    public const int Size = 32;

    public BlockKind Kind;

    /// <summary>Bytes of the payload, which follows.</summary>
    public uint Length;

    /// <summary>XXH3-64 of the block with this field zero, header and payload, seeded with the checksum of the block or stream header before it.</summary>
    public ulong Checksum;

    /// <summary>The block's number, from 1.</summary>
    public ulong Number;

    /// <summary>Page records in the payload.</summary>
    public uint Records;

    /// <summary>Contents of pages in the payload, after the records.</summary>
    public uint Contents;
}

/// <summary>The payload of the last block: what the stream held.</summary>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal struct EndRecord
{
    public const int Size = 64;

    public ulong Added;

    public ulong Changed;

    public ulong Removed;

    /// <summary>How many of the added and changed pages came with their content, because it was not zero.</summary>
    public ulong Contents;

    /// <summary>Blocks before this one.</summary>
    public ulong Blocks;

    /// <summary>Bytes of the stream before this block.</summary>
    public ulong StreamBytes;

    /// <summary>The same as in the header.</summary>
    public Guid ToContentId;

    /// <summary>Counts a page record.</summary>
    public void Count(PageRecordKind kind)
    {
        switch (kind)
        {
            case PageRecordKind.Added or PageRecordKind.AddedZero:
                Added++;
                break;
            case PageRecordKind.Changed or PageRecordKind.ChangedZero:
                Changed++;
                break;
            default:
                Removed++;
                break;
        }

        Contents += TransferFormat.HasContent(kind) ? 1u : 0u;
    }
}
