namespace Everheap.Engine.Benchmarks;

/// <summary>How large the benchmarks are: small in a smoke run, which only shows that they still run.</summary>
internal static class Sizes
{
    private const int MiB = 1 << 20;

    public static bool IsSmoke { get; set; }

    /// <summary>Bytes of the heap that faults are served from, and the budget they are served into.</summary>
    public static (int HeapBytes, int ResidentBytes) Fault => IsSmoke ? (8 * MiB, MiB) : (64 * MiB, 4 * MiB);

    /// <summary>MiB dirty at a checkpoint, of a heap twice as large.</summary>
    public static int[] CheckpointDirtyMiB => IsSmoke ? [1, 4] : [1, 16, 64];

    /// <summary>In a sparse heap of 10 GiB, one page is written in every so many bytes.</summary>
    public static ulong SparseStride => IsSmoke ? 4UL * MiB : MiB / 4;
}
