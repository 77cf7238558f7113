namespace Everheap.Cli.Torture;

/// <summary>Something that did not hold.</summary>
/// <param name="Stage">In which stage.</param>
/// <param name="Seed">The seed that its round can be done again with, alone.</param>
/// <param name="Message">What was found.</param>
/// <param name="KeptPath">The file that was kept for inspection; null if none could be.</param>
internal sealed record FailureRecord(string Stage, int Seed, string Message, string? KeptPath);

/// <summary>Counts of what was done. Any thread may look while it goes on.</summary>
internal sealed class Tally
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, long> _kills = [];
    private readonly SortedDictionary<string, long> _images = [];
    private readonly List<double> _recoveryMilliseconds = [];
    private readonly List<FailureRecord> _failures = [];
    private readonly Dictionary<Count, long> _counts = [];

    /// <summary>What is counted.</summary>
    internal enum Count
    {
        Rounds,
        Operations,
        Checkpoints,
        Transfers,
        TransfersResumed,
        BytesWritten,
        PagesCompared,
        Walks,
        PagesWalked,
        CleanEnds,
        FullRefusals,
        FullGoneOn,
        OpenersRefused,
        OpenersTogether,
        GuestRuns,
        GuestKills,
        GuestLines,
    }

    /// <summary>Kills by their moments.</summary>
    public IReadOnlyDictionary<string, long> Kills => Locked(() => new SortedDictionary<string, long>(_kills));

    /// <summary>Damaged stores by what became of them.</summary>
    public IReadOnlyDictionary<string, long> Images => Locked(() => new SortedDictionary<string, long>(_images));

    /// <summary>What did not hold.</summary>
    public IReadOnlyList<FailureRecord> Failures => Locked(() => _failures.ToArray());

    /// <summary>Kills in all, of stores and of guests.</summary>
    public long KillCount => Locked(() => _kills.Values.Sum());

    /// <summary>Times from a kill on that opening took, in milliseconds, in order.</summary>
    public IReadOnlyList<double> RecoveryMilliseconds => Locked(() => _recoveryMilliseconds.Order().ToArray());

    /// <summary>A count.</summary>
    public long this[Count count] => Locked(() => _counts.GetValueOrDefault(count));

    /// <summary>Counts.</summary>
    public void Add(Count count, long amount = 1) => Locked(() => _counts[count] = _counts.GetValueOrDefault(count) + amount);

    /// <summary>A worker was killed.</summary>
    /// <param name="moment">When.</param>
    public void AddKill(string moment) => Locked(() => _kills[moment] = _kills.GetValueOrDefault(moment) + 1);

    /// <summary>A damaged store was judged right.</summary>
    /// <param name="outcome">What became of it.</param>
    public void AddImage(string outcome) => Locked(() => _images[outcome] = _images.GetValueOrDefault(outcome) + 1);

    /// <summary>A store was opened after a kill.</summary>
    /// <param name="time">How long that took.</param>
    public void AddRecovery(TimeSpan time) => Locked(() =>
    {
        _recoveryMilliseconds.Add(time.TotalMilliseconds);
        return 0;
    });

    /// <summary>Something did not hold.</summary>
    public void AddFailure(FailureRecord failure) => Locked(() =>
    {
        _failures.Add(failure);
        return 0;
    });

    private T Locked<T>(Func<T> action)
    {
        lock (_lock)
        {
            return action();
        }
    }
}
