using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>How an operation ended in the worker.</summary>
internal enum Outcome : byte
{
    /// <summary>Done, and durable if it is of the kind that is durable when it returns.</summary>
    Done,

    /// <summary>There was no room; what the operation promises in that case holds.</summary>
    Full,

    /// <summary>It threw what it should not.</summary>
    Failed,
}

/// <summary>
/// Something that a worker is asked to do, with all that belongs to it: how it is put into bytes, what it does to the model, and, as a static
/// <c>Execute</c>, what it does in the worker.
/// </summary>
internal abstract class Operation
{
    /// <summary>Which it is.</summary>
    public abstract OperationKind Kind { get; }

    /// <summary>Its arguments, for the worker.</summary>
    public abstract void Encode(BinaryWriter request);

    /// <summary>It is on its way: from now on what it does may be found after a kill.</summary>
    public virtual void Sent()
    {
    }

    /// <summary>The worker has done it.</summary>
    /// <param name="reply">What it answers.</param>
    /// <exception cref="TortureFailure">The answer is not what it should be.</exception>
    public virtual void Done(BinaryReader reply)
    {
    }

    /// <summary>The worker had no room for it.</summary>
    /// <param name="reply">What it answers.</param>
    public virtual void Full(BinaryReader reply) => throw new TortureFailure($"{Kind}: refused for want of room, which it takes none of");

    /// <inheritdoc/>
    public override string ToString() => Kind.ToString();

    /// <summary>What the worker does for each kind.</summary>
    public static Action<WorkerLane, BinaryReader, BinaryWriter> ExecutionOf(OperationKind kind) => kind switch
    {
        OperationKind.CreateStore => CreateStore.Execute,
        OperationKind.OpenStore => OpenStore.Execute,
        OperationKind.DescribeStore => DescribeStore.Execute,
        OperationKind.CloseStore => CloseStore.Execute,
        OperationKind.LimitFileSize => LimitFileSize.Execute,
        OperationKind.CheckRanges => CheckRanges.Execute,
        OperationKind.InspectImage => InspectImage.Execute,
        OperationKind.DropUnfinished => DropUnfinished.Execute,
        OperationKind.CreateHeap => CreateHeap.Execute,
        OperationKind.CloseHeap => CloseHeap.Execute,
        OperationKind.WritePages => WritePages.Execute,
        OperationKind.ClearPages => ClearPages.Execute,
        OperationKind.AllocateRange => AllocateRange.Execute,
        OperationKind.ReleaseRange => ReleaseRange.Execute,
        OperationKind.ReadPages => ReadPages.Execute,
        OperationKind.Checkpoint => MakeCheckpoint.Execute,
        OperationKind.BeginCheckpoint => BeginCheckpoint.Execute,
        OperationKind.AwaitCheckpoint => AwaitCheckpoint.Execute,
        OperationKind.Retain => Retain.Execute,
        OperationKind.SetRetention => SetRetention.Execute,
        OperationKind.DropCheckpoint => DropCheckpoint.Execute,
        OperationKind.Fork => Fork.Execute,
        OperationKind.ReceiveCheckpoint => ReceiveCheckpoint.Execute,
        OperationKind.Revert => Revert.Execute,
        OperationKind.DropHeap => DropHeap.Execute,
        OperationKind.InspectCheckpoint => InspectCheckpoint.Execute,
        OperationKind.HoldSnapshot => HoldSnapshot.Execute,
        OperationKind.ReleaseSnapshot => ReleaseSnapshot.Execute,
        OperationKind.CompareCheckpoints => CompareCheckpoints.Execute,
        OperationKind.Reclaim => Reclaim.Execute,
        OperationKind.Compact => CompactStore.Execute,
        OperationKind.WriteNote => WriteNote.Execute,
        OperationKind.Verify => VerifyStore.Execute,
        _ => throw new InvalidDataException($"there is no operation {kind}"),
    };
}
