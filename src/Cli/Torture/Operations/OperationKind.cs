namespace Everheap.Cli.Torture.Operations;

/// <summary>What a worker can be asked to do. The values are the protocol's.</summary>
internal enum OperationKind : byte
{
    CreateStore,
    OpenStore,
    DescribeStore,
    CloseStore,
    LimitFileSize,
    CheckRanges,
    InspectImage,
    DropUnfinished,

    CreateHeap,
    CloseHeap,
    WritePages,
    ClearPages,
    AllocateRange,
    ReleaseRange,
    ReadPages,
    Checkpoint,
    BeginCheckpoint,
    AwaitCheckpoint,
    Retain,
    SetRetention,
    DropCheckpoint,
    Fork,
    ReceiveCheckpoint,
    Revert,
    DropHeap,
    InspectCheckpoint,
    HoldSnapshot,
    ReleaseSnapshot,
    CompareCheckpoints,
    Reclaim,
    Compact,
    WriteNote,
    Verify,

    /// <summary>Said by a worker unasked: a checkpoint that was begun has become durable.</summary>
    CheckpointCompleted,
}
