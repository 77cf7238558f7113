using Everheap.Engine;

namespace Everheap.Cli.Torture.Workload;

/// <summary>How much a store is made to hold, by how long its file may become.</summary>
/// <param name="fileBytesMax">The longest that the file may become.</param>
internal sealed class WorkloadLimits(long fileBytesMax)
{
    /// <summary>Heaps of a lane, about.</summary>
    public const int HeapsPerLaneMax = 4;

    /// <summary>Checkpoints of a heap that are retained, about.</summary>
    public const int RetainedMax = 10;

    /// <summary>Ranges of addresses that a heap gives out.</summary>
    public const int RangesMax = 6;

    private const int PagesPerClusterShift = 6;

    /// <summary>The longest that the file may become, in bytes.</summary>
    public long FileBytesMax { get; } = fileBytesMax;

    /// <summary>From so much in use on, more is dropped than made.</summary>
    public long CrowdedBytes { get; } = fileBytesMax / 2;

    /// <summary>Pages of a heap at fixed addresses that are written to.</summary>
    public int SlotsPerHeap { get; } = (int)Math.Clamp(fileBytesMax / PersistentHeap.PageSize / 24, 64, 4096);

    /// <summary>Pages written at once, at most.</summary>
    public int PagesPerWriteMax => SlotsPerHeap / 3;

    /// <summary>The page of a slot: clusters of pages in a row, far from each other, so that the page map has many branches.</summary>
    /// <param name="slot">From 0 to <see cref="SlotsPerHeap"/> - 1.</param>
    public static ulong PageOf(int slot)
    {
        const ulong Farthest = (1UL << 35) - (1UL << PagesPerClusterShift);
        ulong cluster = (ulong)(slot >> PagesPerClusterShift);
        ulong start = cluster switch
        {
            0 => 0, // the owner's own addresses, below what is given out
            1 => 1UL << 24,
            _ => (((cluster * 0x9E3779B97F4A7C15) >> 29) % Farthest) | (1UL << 30),
        };
        return start + (ulong)(slot & ((1 << PagesPerClusterShift) - 1));
    }
}
