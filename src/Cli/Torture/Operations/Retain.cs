using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Retains a checkpoint one by one, by a name or without.</summary>
internal sealed class Retain(HeapTrack heap, long number, string? name) : DurableOperation(heap)
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.Retain;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply) =>
        lane.Session.Store.Retain(request.ReadString(), request.ReadInt64(), request.ReadString() is { Length: > 0 } name ? name : null);

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(Heap.Name);
        request.Write(number);
        request.Write(name ?? "");
    }

    /// <inheritdoc/>
    protected override HeapModel? Next() => Heap.Newest!.Retain(number, name);
}
