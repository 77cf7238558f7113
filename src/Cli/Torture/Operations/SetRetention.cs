using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Says which checkpoints of a heap are retained from now on.</summary>
internal sealed class SetRetention(HeapTrack heap, int keepLast, bool keepsAll) : DurableOperation(heap)
{
    /// <summary>An age that no checkpoint reaches.</summary>
    private static readonly TimeSpan Ever = TimeSpan.FromDays(36_500);

    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.SetRetention;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply) => lane.Session.Store.SetRetention(
        request.ReadString(),
        new RetentionPolicy { KeepLast = request.ReadInt32(), KeepFor = request.ReadBoolean() ? Ever : TimeSpan.Zero });

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(Heap.Name);
        request.Write(keepLast);
        request.Write(keepsAll);
    }

    /// <inheritdoc/>
    protected override HeapModel? Next() => Heap.Newest!.WithRetention(keepLast, keepsAll);
}
