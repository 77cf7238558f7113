using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>A heap's epoch that has been written, to be made its latest checkpoint.</summary>
internal sealed record HeapCommit
{
    public required HeapEntry Heap { get; init; }

    /// <summary>What the epoch took from the file and gave back.</summary>
    public required SpaceDelta Delta { get; init; }

    public required MapEntry MapRoot { get; init; }

    public required long MappedPages { get; init; }

    /// <summary>The number it is to have.</summary>
    public required ulong Number { get; init; }

    /// <summary>When it was sealed, UTC.</summary>
    public required DateTime Time { get; init; }

    /// <summary>The same by the monotonic clock.</summary>
    public required long SealedAt { get; init; }

    public required long Pages { get; init; }

    public required long Bytes { get; init; }

    public required TimeSpan Pause { get; init; }
}
