using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Sets how long files may become: from then on the disk is as good as full there.</summary>
internal sealed class LimitFileSize(long bytes) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.LimitFileSize;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply) => FileSizeLimit.Set(request.ReadInt64());

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request) => request.Write(bytes);
}
