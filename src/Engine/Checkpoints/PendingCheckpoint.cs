using System.Runtime.CompilerServices;

namespace Everheap.Engine;

/// <summary>A checkpoint that has been sealed and is being written. It exists once it has completed, and not before.</summary>
public sealed class PendingCheckpoint
{
    private readonly TaskCompletionSource<CheckpointInfo> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal PendingCheckpoint(long number, TimeSpan pause)
    {
        Number = number;
        Pause = pause;
    }

    /// <summary>The number it has when it completes.</summary>
    public long Number { get; }

    /// <summary>How long the mutator was stopped for it.</summary>
    public TimeSpan Pause { get; }

    /// <summary>Whether it has completed, well or not.</summary>
    public bool IsCompleted => _completion.Task.IsCompleted;

    /// <summary>Completes when it is durable; fails with <see cref="HeapFailedException"/> if it could not be written.</summary>
    public Task<CheckpointInfo> Completion => _completion.Task;

    /// <summary>For <c>await</c>: what <see cref="Completion"/> has.</summary>
    public TaskAwaiter<CheckpointInfo> GetAwaiter() => Completion.GetAwaiter();

    /// <summary>Waits until it is durable.</summary>
    /// <exception cref="HeapFailedException">It could not be written; the checkpoint before it holds.</exception>
    public CheckpointInfo Wait() => _completion.Task.GetAwaiter().GetResult();

    internal void Complete(CheckpointInfo info) => _completion.SetResult(info);

    internal void Fail(Exception failure)
    {
        _completion.SetException(failure);
        _ = _completion.Task.Exception; // Whoever does not ask is told by the next call that changes something.
    }
}
