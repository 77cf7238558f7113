namespace Everheap.Cli.Torture.Model;

/// <summary>A checkpoint that can be opened, as a worker found it.</summary>
internal sealed record FoundCheckpoint(long Number, string? Name, bool IsHeld);

/// <summary>A heap as a worker found it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Latest">The number of its latest checkpoint.</param>
/// <param name="KeepLast">The newest so many are retained.</param>
/// <param name="KeepsAll">Whether age retains all.</param>
/// <param name="OriginName">The heap that it was forked from, if that is still there.</param>
/// <param name="OriginCheckpoint">The checkpoint that it was forked from, or 0.</param>
/// <param name="MappedPages">Pages that hold something, by the store's own count.</param>
/// <param name="CountedPages">Pages that hold something, counted by walking.</param>
/// <param name="Checkpoints">Those that can be opened, oldest first.</param>
/// <param name="Pages">What the latest holds, in order.</param>
internal sealed record FoundHeap(
    string Name,
    long Latest,
    int KeepLast,
    bool KeepsAll,
    string? OriginName,
    long OriginCheckpoint,
    long MappedPages,
    long CountedPages,
    IReadOnlyList<FoundCheckpoint> Checkpoints,
    IReadOnlyList<FoundPage> Pages);

/// <summary>What the store's own walk over everything found.</summary>
/// <param name="Pages">Pages of heaps whose checksums matched.</param>
/// <param name="AllocatedPages">Pages of the file that are in use by the allocator's account.</param>
/// <param name="ReachablePages">Pages of the file that were found in use.</param>
/// <param name="ProblemCount">How many problems there are.</param>
/// <param name="FirstProblem">The first of them, in words.</param>
internal sealed record FoundVerification(long Pages, long AllocatedPages, long ReachablePages, long ProblemCount, string? FirstProblem);

/// <summary>A store as a worker found it after opening.</summary>
/// <param name="Heaps">Its heaps.</param>
/// <param name="Unfinished">The names of heaps of which something was received in part.</param>
/// <param name="Note">Its session note, 0 if there is none.</param>
/// <param name="Verification">What its walk over everything found.</param>
internal sealed record StoreDescription(IReadOnlyList<FoundHeap> Heaps, IReadOnlyList<string> Unfinished, long Note, FoundVerification Verification);
