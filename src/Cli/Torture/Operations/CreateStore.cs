using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Makes the store, also where a kill has left one half made, and leaves it open.</summary>
internal sealed class CreateStore(string path, int salt) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.CreateStore;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        string path = request.ReadString();
        lane.Session.Salt = request.ReadInt32();
        lane.Session.Store = HeapStore.OpenOrCreate(path);
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(path);
        request.Write(salt);
    }
}
