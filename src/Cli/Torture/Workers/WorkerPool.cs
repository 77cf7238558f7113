namespace Everheap.Cli.Torture.Workers;

/// <summary>Keeps one worker started ahead, so that the start of a process is not waited for after every kill.</summary>
/// <param name="command">How workers are started.</param>
internal sealed class WorkerPool(WorkerCommand command) : IDisposable
{
    private Task<WorkerProcess>? _spare;

    /// <summary>Takes a worker.</summary>
    public WorkerProcess Take()
    {
        Task<WorkerProcess> taken = _spare ?? StartOne();
        _spare = StartOne();
        return taken.GetAwaiter().GetResult();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _spare?.GetAwaiter().GetResult().Dispose();
        _spare = null;
    }

    private Task<WorkerProcess> StartOne() => Task.Run(() => WorkerProcess.Start(command));
}
