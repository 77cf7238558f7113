using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Closes a heap. A checkpoint that is being written is waited for; what has changed since is lost.</summary>
internal sealed class CloseHeap(StoreModel model, HeapTrack heap) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.CloseHeap;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply) => reply.Write(lane.Close(request.ReadString()));

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request) => request.Write(heap.Name);

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        heap.Settle(reply.ReadInt64());
        heap.Withdraw();
        heap.Close();
        if (heap.Durable is null)
        {
            model.Forget(heap); // No checkpoint has seen it.
        }
    }
}
