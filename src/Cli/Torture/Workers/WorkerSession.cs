using Everheap.Engine;

namespace Everheap.Cli.Torture.Workers;

/// <summary>What the lanes of a worker share: the store, and the pipe for answers.</summary>
/// <param name="replies">The pipe.</param>
internal sealed class WorkerSession(Stream replies) : IDisposable
{
    private readonly Lock _replying = new();
    private readonly List<WorkerLane> _lanes = [];
    private HeapStore? _store;

    /// <summary>The number that all bytes in the store are made from.</summary>
    public int Salt { get; set; }

    /// <summary>The open store.</summary>
    public HeapStore Store
    {
        get => _store ?? throw new InvalidOperationException("No store is open.");
        set => _store = value;
    }

    /// <summary>Sends a message.</summary>
    public void Reply(MemoryStream content)
    {
        lock (_replying)
        {
            Frames.Write(replies, content);
        }
    }

    /// <summary>A lane has begun.</summary>
    public void Add(WorkerLane lane)
    {
        lock (_lanes)
        {
            _lanes.Add(lane);
        }
    }

    /// <summary>Closes the store, if one is open. The lanes stand still.</summary>
    public void CloseStore()
    {
        _store?.Dispose();
        _store = null;
        lock (_lanes)
        {
            _lanes.ForEach(lane => lane.Forget());
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        CloseStore();
        replies.Dispose();
    }
}
