using System.Globalization;

namespace Everheap.Engine.Benchmarks.Workloads;

/// <summary>What a phase does.</summary>
internal enum PhaseKind
{
    /// <summary>Writes all keys in order.</summary>
    Load,

    /// <summary>Commits, one after the other.</summary>
    Commit,

    /// <summary>As Commit, and asks for a file that is not there after each: a mark in a trace.</summary>
    MarkedCommit,

    /// <summary>As Commit or Mix, but not timed: until the code is compiled for good and the memory full.</summary>
    Warm,

    /// <summary>Reads, and writes among them.</summary>
    Mix,

    /// <summary>Closes it and opens it again: what is read from then on was durable.</summary>
    Reopen,

    /// <summary>Reads and checks every byte.</summary>
    Verify,
}

/// <summary>Which keys are used.</summary>
internal enum KeyDistribution
{
    /// <summary>All alike.</summary>
    Uniform,

    /// <summary>Some far more often than others.</summary>
    Zipfian,

    /// <summary>A small part of them, side by side.</summary>
    Hot,
}

/// <summary>One phase of a <see cref="PeerRun"/>; as text, it is a child's argument and the name of its figure.</summary>
internal sealed record Phase(
    PhaseKind Kind, KeyDistribution Keys = default, long Count = 0, long RecordsPerCommit = 1, long Milliseconds = 0, long WritePercent = 0)
{
    private const char Separator = ':';
    private const long CommitMillisecondsMax = 3000;

    public static Phase Load(long recordsPerCommit) => new(PhaseKind.Load, Count: recordsPerCommit);

    /// <summary>So many commits of so many records each; fewer if they take too long.</summary>
    public static Phase Commits(long count, long records) => new(PhaseKind.Commit, Count: count, RecordsPerCommit: records, Milliseconds: CommitMillisecondsMax);

    public static Phase MarkedCommits(long count, long records) => new(PhaseKind.MarkedCommit, Count: count, RecordsPerCommit: records, Milliseconds: long.MaxValue);

    public static Phase WarmCommits(long count, long records) => new(PhaseKind.Warm, Count: count, RecordsPerCommit: records, Milliseconds: CommitMillisecondsMax);

    public static Phase Warm(KeyDistribution keys, long milliseconds) => new(PhaseKind.Warm, keys, Milliseconds: milliseconds);

    public static Phase Reads(KeyDistribution keys, long milliseconds) => new(PhaseKind.Mix, keys, Milliseconds: milliseconds);

    public static Phase Mix(KeyDistribution keys, long milliseconds, long writePercent, long recordsPerCommit) =>
        new(PhaseKind.Mix, keys, RecordsPerCommit: recordsPerCommit, Milliseconds: milliseconds, WritePercent: writePercent);

    public static Phase Reopen() => new(PhaseKind.Reopen);

    public static Phase Verify(long count) => new(PhaseKind.Verify, Count: count);

    public static Phase Parse(string text)
    {
        string[] parts = text.Split(Separator);
        return new Phase(
            Enum.Parse<PhaseKind>(parts[0]), Enum.Parse<KeyDistribution>(parts[1]), Number(parts[2]), Number(parts[3]), Number(parts[4]), Number(parts[5]));
    }

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Kind}{Separator}{Keys}{Separator}{Count}{Separator}{RecordsPerCommit}{Separator}{Milliseconds}{Separator}{WritePercent}");

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
