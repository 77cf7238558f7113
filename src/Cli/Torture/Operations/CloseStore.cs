using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Closes the store as a program does that ends well. What is not part of a checkpoint is lost.</summary>
internal sealed class CloseStore(StoreModel? model = null) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.CloseStore;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply) => lane.Session.CloseStore();

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply) => model?.Abandon();
}
