using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Does one bounded step of giving back what was dropped.</summary>
internal sealed class Reclaim(int pagesMax) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.Reclaim;

    /// <summary>Whether something is left to do.</summary>
    public bool IsLeft { get; private set; }

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply) => reply.Write(lane.Session.Store.Reclaim(request.ReadInt32()));

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request) => request.Write(pagesMax);

    /// <inheritdoc/>
    public override void Done(BinaryReader reply) => IsLeft = reply.ReadBoolean();

    /// <inheritdoc/>
    public override void Full(BinaryReader reply)
    {
        // There was no room for the commit; nothing was changed.
    }
}
