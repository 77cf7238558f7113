using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Everheap.Engine.Storage;

/// <summary>The catalog of version 1, which was one page with up to four heaps and sixty checkpoints that were remembered, none retained. Only ever read.</summary>
[StructLayout(LayoutKind.Sequential, Size = FileLayout.PageSize)]
internal struct Version1Catalog
{
    /// <summary>"EHCATLOG".</summary>
    public const ulong ExpectedMagic = 0x474F4C5441434845;

    public const int HeapsMax = 4;

    public const int HistoryLengthMax = 60;

    public ulong Magic;

    /// <summary>The root this catalog belongs to.</summary>
    public ulong Sequence;

    public uint HeapCount;

    public uint HistoryCount;

    public ReservedHeader Reserved;

    public HeapRecords Heaps;

    /// <summary>Oldest first.</summary>
    public HistoryRecords History;

    /// <summary>Reads the catalog that a root of version 1 names.</summary>
    public static bool TryRead(StoreChannel channel, in Superblock root, out Version1Catalog page)
    {
        page = default;
        var place = root.Catalog.Place;
        if (place == 0 || place >= root.FileLength >> FileLayout.PageShift)
        {
            return false;
        }

        var bytes = DiskView.Bytes(ref page);
        channel.Read((long)(place << FileLayout.PageShift), bytes);
        return DiskView.Hash(bytes) == root.Catalog.Checksum
            && page.Magic == ExpectedMagic
            && page.Sequence == root.Sequence
            && page.HeapCount <= HeapsMax
            && page.HistoryCount <= HistoryLengthMax;
    }

    /// <summary>A remembered checkpoint of version 1.</summary>
    [StructLayout(LayoutKind.Sequential, Size = Size)]
    internal struct CheckpointRecord
    {
        public const int Size = 48;

        public ulong Number;

        public long TimeTicks;

        public ulong Pages;

        public ulong Bytes;

        public long PauseTicks;

        public long DurationTicks;
    }

    /// <summary>Keeps <see cref="Heaps"/> at offset 64.</summary>
    [InlineArray(5)]
    internal struct ReservedHeader
    {
        private ulong _first;
    }

    /// <summary>Records as they are now: what version 1 has reserved in them is zero.</summary>
    [InlineArray(HeapsMax)]
    internal struct HeapRecords
    {
        private HeapRecord _first;
    }

    [InlineArray(HistoryLengthMax)]
    internal struct HistoryRecords
    {
        private CheckpointRecord _first;
    }
}
