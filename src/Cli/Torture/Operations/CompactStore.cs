using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Makes the file as short as what it holds allows, while other lanes go on.</summary>
internal sealed class CompactStore : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.Compact;

    /// <summary>The file's length afterwards, in bytes.</summary>
    public long FileBytes { get; private set; }

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        CompactionReport report = lane.Session.Store.Compact();
        reply.Write(report.FileBytesBefore);
        reply.Write(report.FileBytesAfter);
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        _ = reply.ReadInt64();
        FileBytes = reply.ReadInt64();
    }

    /// <inheritdoc/>
    public override void Full(BinaryReader reply)
    {
        // There was no room for a commit; the steps before it stay done.
    }
}
