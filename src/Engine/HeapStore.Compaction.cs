using Everheap.Engine.Checkpoints;

namespace Everheap.Engine;

/// <content>Making the file shorter.</content>
public sealed partial class HeapStore
{
    /// <summary>
    /// Makes the file as short as what is in it allows, in bounded steps, while the store is in use: reclaims what was dropped, moves what lies at the end of the file to
    /// free places before it, and cuts the end off.
    /// </summary>
    /// <param name="progress">Told after each step; null for nobody.</param>
    /// <param name="cancellation">Ends it between two steps with an <see cref="OperationCanceledException"/>; what was moved stays moved.</param>
    /// <returns>What was done, and what is left to wait for.</returns>
    /// <remarks>
    /// <para>
    /// Each step is a commit that moves some 8 MiB; checkpoints that become ready meanwhile wait for it. A crash leaves the store before or after a step. What heaps,
    /// forks and retained checkpoints share stays shared. Takes time by the number of nodes of all page maps, and by what is to be moved.
    /// </para>
    /// <para>
    /// Heaps that are open are not moved by this call: each moves some of its pages at the start of each of its checkpoints from now on (and what is shared with its
    /// own older checkpoints no longer is), and the file is cut when all have. Closed heaps compact best.
    /// </para>
    /// </remarks>
    /// <exception cref="HeapException">The store was opened for reading only, a page that is to be moved is damaged, or a page map reaches more pages than the file has.</exception>
    /// <exception cref="HeapFullException">There is no room for a commit.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public CompactionReport Compact(IProgress<CompactionProgress>? progress = null, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ThrowIfReadOnly();
        lock (_compactionLock)
        {
            using var activity = EngineTelemetry.Activities.StartActivity("compact");
            var report = new Compactor(Committer, _allocator, Channel).Run(progress, cancellation);
            StoreLog.Compacted(Channel.Logger, Path, report.FileBytesBefore, report.FileBytesAfter, report.MovedPages);
            return report;
        }
    }
}

/// <summary>How far a compaction has got.</summary>
/// <param name="MovedPages">Pages and nodes moved so far.</param>
/// <param name="FileBytes">The file's length now.</param>
public sealed record CompactionProgress(long MovedPages, long FileBytes);

/// <summary>What a compaction did.</summary>
/// <param name="FileBytesBefore">The file's length before, in bytes.</param>
/// <param name="FileBytesAfter">Its length after.</param>
/// <param name="MovedPages">Pages and nodes that were moved.</param>
/// <param name="WaitingFor">What could not be moved now: open heaps (which move with their own checkpoints), checkpoints that snapshots are open of (as heap@number).</param>
public sealed record CompactionReport(long FileBytesBefore, long FileBytesAfter, long MovedPages, IReadOnlyList<string> WaitingFor)
{
    /// <summary>Whether everything that could be in the way was moved.</summary>
    public bool IsComplete => WaitingFor.Count == 0;
}
