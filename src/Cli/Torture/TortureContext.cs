using System.Diagnostics;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture;

/// <summary>What the stages of a run share.</summary>
/// <param name="options">What the run is to do.</param>
/// <param name="workPath">The folder, of its own, in which all files are made.</param>
/// <param name="command">How workers are started.</param>
/// <param name="stop">Ends the run, with the report of what was done.</param>
internal sealed class TortureContext(TortureOptions options, string workPath, WorkerCommand command, CancellationToken stop) : IDisposable
{
    private readonly Stopwatch _elapsed = Stopwatch.StartNew();

    /// <summary>What the run is to do.</summary>
    public TortureOptions Options { get; } = options;

    /// <summary>How workers are started.</summary>
    public WorkerCommand Command { get; } = command;

    /// <summary>Workers to take.</summary>
    public WorkerPool Workers { get; } = new(command);

    /// <summary>What was done so far.</summary>
    public Tally Tally { get; } = new();

    /// <summary>How long the run has gone on.</summary>
    public TimeSpan Elapsed => _elapsed.Elapsed;

    /// <summary>Whether the user has asked for the end.</summary>
    public bool IsStopped => stop.IsCancellationRequested;

    /// <summary>Whether it is time to end: what is under way is checked, and nothing more is begun.</summary>
    public bool IsOver => IsStopped || _elapsed.Elapsed >= Options.Time;

    /// <summary>Waits for the user to ask for the end.</summary>
    /// <param name="time">How long.</param>
    /// <returns>Whether that has been asked for.</returns>
    public bool WaitForStop(TimeSpan time) => stop.WaitHandle.WaitOne(time);

    /// <summary>A file among those that are made.</summary>
    /// <param name="name">Its name.</param>
    public string this[string name] => Path.Combine(workPath, name);

    /// <inheritdoc/>
    public void Dispose() => Workers.Dispose();
}
