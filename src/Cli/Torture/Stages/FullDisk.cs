using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Stages;

/// <summary>When in a worker's life the disk becomes full, as far as the worker can tell.</summary>
/// <param name="AfterOperations">How many operations come first.</param>
/// <param name="RoomBytes">How much the file may still grow.</param>
/// <param name="Operations">How many operations there are before there is room again.</param>
internal sealed record FullDisk(int AfterOperations, long RoomBytes, int Operations)
{
    /// <summary>Draws one; null: the disk does not become full in this life.</summary>
    /// <param name="random">Where from.</param>
    public static FullDisk? Draw(Random random) => FileSizeLimit.IsAvailable && random.Next(4) == 0
        ? new FullDisk(random.Next(1, 40), random.Next(3) == 0 ? 1 << 20 : 0, random.Next(20, 90))
        : null;
}
