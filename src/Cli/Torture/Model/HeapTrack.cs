namespace Everheap.Cli.Torture.Model;

/// <summary>
/// What is known of one heap while it is worked on and killed: the state that is surely durable, those after it that may be, and what the open heap holds.
/// </summary>
/// <param name="name">Its name.</param>
internal sealed class HeapTrack(string name)
{
    private readonly List<HeapModel?> _inDoubt = [];
    private readonly List<HeapModel?> _past = [];

    /// <summary>Its name.</summary>
    public string Name { get; } = name;

    /// <summary>The last state that was acknowledged; null: there is no such heap.</summary>
    public HeapModel? Durable { get; private set; }

    /// <summary>What may be found after a kill: the state acknowledged last, and all that were begun after it, in order.</summary>
    public IReadOnlyList<HeapModel?> Candidates => [Durable, .. _inDoubt];

    /// <summary>The state that the next operation starts from.</summary>
    public HeapModel? Newest => _inDoubt.Count > 0 ? _inDoubt[^1] : Durable;

    /// <summary>All states that were ever found durable, the current one last: what a store may fall back to whose newest roots are lost.</summary>
    public IEnumerable<HeapModel?> Past => _past;

    /// <summary>Whether the worker has it open.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>What the open heap holds.</summary>
    public HeapContent Content { get; set; } = HeapContent.Empty;

    /// <summary>The number of a checkpoint that is being written; 0: none.</summary>
    public long PendingNumber { get; private set; }

    /// <summary>What was sealed and found no room: the next checkpoint completes it first.</summary>
    public HeapContent? Stalled { get; set; }

    /// <summary>The open heap was left half changed for want of room: it is to be closed, which undoes it.</summary>
    public bool MustClose { get; set; }

    /// <summary>The checkpoint that a snapshot is open of; 0: none.</summary>
    public long HeldSnapshot { get; set; }

    /// <summary>The worker opens it, unless it is open.</summary>
    public void Open()
    {
        if (!IsOpen)
        {
            IsOpen = true;
            Content = Durable?.Content ?? HeapContent.Empty;
        }
    }

    /// <summary>The worker has closed it, or is gone: what was not sealed is lost.</summary>
    public void Close()
    {
        IsOpen = false;
        MustClose = false;
        Stalled = null;
        PendingNumber = 0;
    }

    /// <summary>From now on this state may be found.</summary>
    public void Doubt(HeapModel? state) => _inDoubt.Add(state);

    /// <summary>A checkpoint of what the open heap holds is being made; if one before it found no room, that is completed first.</summary>
    /// <returns>The state that the heap has when it is durable.</returns>
    public HeapModel BeginCheckpoint()
    {
        if (Stalled is { } stalled)
        {
            Doubt(After(stalled));
        }

        HeapModel next = After(Content);
        Doubt(next);
        return next;
    }

    /// <summary>A checkpoint is written while the worker goes on.</summary>
    public void Pend(long number) => PendingNumber = number;

    /// <summary>This state is durable, and with it all before it.</summary>
    public void Settle(HeapModel? state)
    {
        int index = _inDoubt.LastIndexOf(state);
        if (index < 0)
        {
            return; // Known already.
        }

        for (int i = 0; i <= index; i++)
        {
            Become(_inDoubt[i]);
        }

        _inDoubt.RemoveRange(0, index + 1);
        if (PendingNumber > 0 && Durable is { } durable && durable.Latest >= PendingNumber)
        {
            PendingNumber = 0;
        }
    }

    /// <summary>The checkpoint of this number is durable.</summary>
    public void Settle(long number)
    {
        // The first of that number: states after it may have the same, of a change that is no checkpoint and still in doubt.
        if ((Durable?.Latest ?? 0) < number && _inDoubt.Find(state => state?.Latest == number) is { } checkpoint)
        {
            Settle(checkpoint);
        }
    }

    /// <summary>All that was begun is settled: the worker says that it is not durable.</summary>
    public void Withdraw()
    {
        _inDoubt.Clear();
        PendingNumber = 0;
    }

    /// <summary>The durable state is said anew: which snapshots are open of it has changed.</summary>
    public void Restate(Func<HeapModel, HeapModel> change)
    {
        if (Durable is { } durable)
        {
            Durable = change(durable);
        }

        for (int i = 0; i < _inDoubt.Count; i++)
        {
            _inDoubt[i] = _inDoubt[i] is { } state ? change(state) : null;
        }
    }

    /// <summary>This state was found after a kill.</summary>
    public void Adopt(HeapModel? state)
    {
        _inDoubt.Clear();
        HeldSnapshot = 0;
        Close();
        Become(state);
    }

    private HeapModel After(HeapContent content) => Newest?.Advance(content) ?? HeapModel.First(Name, content);

    private void Become(HeapModel? state)
    {
        Durable = state;
        _past.Add(state);
    }
}
