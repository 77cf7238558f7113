using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>What answers to checkpoints tell of the store.</summary>
/// <param name="UsedBytes">What is in use, or cannot be given out yet.</param>
/// <param name="BytesWritten">What was written to the file since it was opened.</param>
internal readonly record struct SpaceReport(long UsedBytes, long BytesWritten)
{
    /// <summary>In the worker.</summary>
    public static void Write(BinaryWriter reply, WorkerLane lane, PersistentHeap heap)
    {
        SpaceStatistics space = lane.Session.Store.Space;
        reply.Write(space.UsedBytes + space.HeldBytes);
        reply.Write(heap.Statistics.BytesWritten);
    }

    /// <summary>On the other side.</summary>
    public static SpaceReport Read(BinaryReader reply) => new(reply.ReadInt64(), reply.ReadInt64());
}
