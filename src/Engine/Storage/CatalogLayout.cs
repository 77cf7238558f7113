namespace Everheap.Engine.Storage;

/// <summary>
/// Where things are in the catalog: a small heap of the store's own, paged and copied on write like any other, that holds what the store knows of its
/// heaps. Addresses in bytes.
/// </summary>
internal static class CatalogLayout
{
    /// <summary>"EHCATAL2".</summary>
    public const ulong HeaderMagic = 0x324C415441434845;

    /// <summary>The id that stands for the catalog itself where a heap's id is asked for.</summary>
    public const uint CatalogId = 0;

    /// <summary>The <see cref="CatalogHeader"/>.</summary>
    public const ulong HeaderAddress = 0;

    /// <summary>The table of <see cref="HeapRecord"/>.</summary>
    public const ulong HeapsAddress = 1UL << 24;

    /// <summary>The table of <see cref="CheckpointRecord"/>.</summary>
    public const ulong CheckpointsAddress = 1UL << 32;

    /// <summary>The stack of <see cref="ReclaimRecord"/>.</summary>
    public const ulong ReclaimAddress = 1UL << 36;

    /// <summary>The counts of shared pages: 4 bytes for every page of the file, how many references it has beyond the first.</summary>
    public const ulong CountsAddress = 1UL << 40;

    /// <summary>Heaps of a store.</summary>
    public const int HeapCountMax = 4096;

    /// <summary>Checkpoints of a store, retained or remembered.</summary>
    public const int CheckpointCountMax = 1 << 18;

    /// <summary>Checkpoints of a heap that are remembered without being retained.</summary>
    public const int HistoryLengthMax = 60;

    /// <summary>The reclaim stack's entries: a tree's path, all siblings on it, for each root dropped and not yet worked off.</summary>
    public const int ReclaimCountMax = 1 << 26;

    /// <summary>The address of a heap's record.</summary>
    public static ulong HeapAddress(int slot) => HeapsAddress + ((ulong)slot * HeapRecord.Size);

    /// <summary>The address of a checkpoint's record.</summary>
    public static ulong CheckpointAddress(int slot) => CheckpointsAddress + ((ulong)slot * CheckpointRecord.Size);

    /// <summary>The address of an entry of the reclaim stack.</summary>
    public static ulong ReclaimEntryAddress(uint index) => ReclaimAddress + ((ulong)index * ReclaimRecord.Size);

    /// <summary>The address of a page's count.</summary>
    public static ulong CountAddress(ulong place) => CountsAddress + (place * sizeof(uint));
}
