namespace Everheap.Engine;

/// <summary>What kind of thing a problem was found with.</summary>
public enum VerifySubject
{
    /// <summary>The root that was walked. (Slots that were refused are in <see cref="HeapStore.SkippedRoots"/>; after a crash one is normal.)</summary>
    Root,

    /// <summary>The catalog of heaps and checkpoints.</summary>
    Catalog,

    /// <summary>A bitmap or directory of the allocator, or its agreement with what is reachable.</summary>
    Allocator,

    /// <summary>A node of the page map.</summary>
    MapNode,

    /// <summary>A page of a heap.</summary>
    Page,
}

/// <summary>One thing that is not as it should be.</summary>
/// <param name="Subject">What it was found with.</param>
/// <param name="HeapName">The heap concerned; empty if it is the store itself.</param>
/// <param name="PageNumber">The page, or the first page below a map node, or -1.</param>
/// <param name="FileOffset">Where in the file, in bytes, or -1.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="CheckpointNumber">The checkpoint of that heap which it was found in, or 0. What several share is reported for the first that is looked at: the heap as it is, then its retained checkpoints.</param>
public sealed record VerifyProblem(VerifySubject Subject, string HeapName, long PageNumber, long FileOffset, string Message, long CheckpointNumber = 0);

/// <summary>The outcome of walking everything the newest root reaches.</summary>
/// <param name="CommitNumber">The root that was walked (<see cref="HeapStore.CommitNumber"/>).</param>
/// <param name="Pages">Pages of heaps whose checksums matched; what is shared counts once.</param>
/// <param name="MapNodes">Nodes of page maps, the catalog's included, whose checksums matched.</param>
/// <param name="AllocatedPages">File pages the allocator says are in use.</param>
/// <param name="ReachablePages">File pages found in use.</param>
/// <param name="Problems">What was found wrong, up to <see cref="HeapStore.VerifyProblemCountMax"/>; empty if all is well.</param>
/// <param name="ProblemCount">How many problems there are, listed or not.</param>
public sealed record VerifyReport(
    long CommitNumber,
    long Pages,
    long MapNodes,
    long AllocatedPages,
    long ReachablePages,
    IReadOnlyList<VerifyProblem> Problems,
    long ProblemCount)
{
    /// <summary>Whether everything matched.</summary>
    public bool IsSound => ProblemCount == 0;
}
