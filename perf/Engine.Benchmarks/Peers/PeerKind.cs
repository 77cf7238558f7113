namespace Everheap.Engine.Benchmarks.Peers;

/// <summary>Where a peer's files are, and how much there will be.</summary>
/// <param name="Folder">A folder for its files alone.</param>
/// <param name="RecordCount">How many keys there are at most.</param>
/// <param name="BudgetBytes">The memory that it may use for data.</param>
internal sealed record PeerSetup(string Folder, long RecordCount, long BudgetBytes)
{
    public string File(string name) => Path.Combine(Folder, name);
}

/// <summary>One of the stores that are compared.</summary>
/// <param name="Name">As tables and plots show it, with the version.</param>
/// <param name="Settings">The settings it runs with, and how it keeps to the budget.</param>
/// <param name="Durability">What makes a commit durable.</param>
/// <param name="Open">Opens it in a folder, as it was left there.</param>
internal sealed record PeerKind(string Name, string Settings, string Durability, Func<PeerSetup, IKeyValuePeer> Open)
{
    /// <summary>Why it cannot run here; null if it can.</summary>
    public Func<string?> WhyNotAvailable { get; init; } = () => null;

    /// <summary>Whether its memory can be bounded; one that has no setting for that is not run under the limit.</summary>
    public bool HasBudget { get; init; } = true;
}
