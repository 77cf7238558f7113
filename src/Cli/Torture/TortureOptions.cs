namespace Everheap.Cli.Torture;

/// <summary>What a run of <c>everheap torture</c> is to do.</summary>
internal sealed record TortureOptions
{
    /// <summary>The smallest <see cref="SizeBytes"/>.</summary>
    public const long SizeBytesMin = 24L << 20;

    /// <summary>The largest <see cref="SizeBytes"/>.</summary>
    public const long SizeBytesMax = 1L << 40;

    /// <summary>The default <see cref="SizeBytes"/>.</summary>
    public const long SizeBytesDefault = 96L << 20;

    /// <summary>The default <see cref="Time"/>.</summary>
    public static readonly TimeSpan TimeDefault = TimeSpan.FromMinutes(5);

    /// <summary>Files at once: a store, an older copy of it, and a damaged one.</summary>
    private const int FilesAtOnce = 3;

    /// <summary>The user's folder.</summary>
    public required string Folder { get; init; }

    /// <summary>How long to go on; null: until <see cref="Rounds"/> are done.</summary>
    public TimeSpan? Time { get; init; }

    /// <summary>How many rounds; null: until <see cref="Time"/> is up.</summary>
    public int? Rounds { get; init; }

    /// <summary>What everything is drawn from. Round n draws from this + n, so that one round can be done again alone.</summary>
    public required int Seed { get; init; }

    /// <summary>The most room in the folder that is used at once, in bytes, what is kept after a failure not counted.</summary>
    public long SizeBytes { get; init; } = SizeBytesDefault;

    /// <summary>Where the report goes, too; null: only to standard output.</summary>
    public string? ReportPath { get; init; }

    /// <summary>The longest that one store's file may become.</summary>
    public long FileBytesMax => SizeBytes / FilesAtOnce;
}
