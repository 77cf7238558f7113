using Everheap.Engine.Checkpoints;

namespace Everheap.Engine;

/// <content>Having at hand what will be read soon.</content>
public sealed partial class PersistentHeap
{
    private readonly CancellationTokenSource _closing = new();
    private Task _prefetching = Task.CompletedTask;

    /// <summary>Completes when all that <see cref="Prefetch"/> was called for has been asked of the medium.</summary>
    internal Task Prefetching => _prefetching;

    /// <summary>Whether it is being closed, or is closed.</summary>
    internal bool IsClosing => _isDisposed;

    /// <summary>The ranges that were used lately and are resident; of pinned ranges, the pages that have changed lately.</summary>
    /// <param name="pagesMax">Pages that the ranges have at most: where there are more, those that were used most. At least 1.</param>
    /// <returns>Whole pages, in no order; pages that follow each other may be in ranges of their own.</returns>
    /// <remarks>
    /// A hint for <see cref="Prefetch"/>, when the heap is opened again. Which pages were used is known as well as the clock needs it to choose victims: while all fits the budget, all that was loaded counts as used.
    /// "Lately" in a pinned range is since the call before the last. Takes some 25 ns a page that it returns, and 5 to 10 for each other frame in use or pinned page.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="pagesMax"/> is less than 1.</exception>
    public IReadOnlyList<HeapRange> RecentRanges(int pagesMax)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ArgumentOutOfRangeException.ThrowIfLessThan(pagesMax, 1);
        return _pager.RecentPages(pagesMax);
    }

    /// <summary>
    /// Asks the medium to have ranges at hand, as the last checkpoint has them: reading them then takes no wait for a disk. Returns at once; it happens in the background, in the order of the calls and of the ranges.
    /// </summary>
    /// <param name="ranges">The ranges. Pages that never were written cost nothing.</param>
    /// <remarks>
    /// The pages do not become resident, and nothing is evicted for them: for a file, they are read into the system's cache (on Linux; elsewhere it does nothing). Damage that is met is told to whoever reads there, and ends
    /// the prefetching. Meanwhile that checkpoint's pages are kept, as for a snapshot. Closing the heap ends it.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">A range reaches past the end of the address space.</exception>
    public void Prefetch(IReadOnlyList<HeapRange> ranges)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ArgumentNullException.ThrowIfNull(ranges);
        foreach (var range in ranges)
        {
            if (range.Address > AddressSpaceBytes || range.Length > AddressSpaceBytes - range.Address)
            {
                throw new ArgumentOutOfRangeException(nameof(ranges), $"{range.Length} bytes at 0x{range.Address:x} reach past the end of the heap's addresses.");
            }
        }

        if (ranges.Count == 0 || LatestCheckpointNumber == 0)
        {
            return;
        }

        var snapshot = _store.OpenSnapshot(Name, null, new HeapOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin });
        _prefetching = _prefetching.ContinueWith(
            _ => Walk(snapshot, ranges),
            CancellationToken.None,
            TaskContinuationOptions.RunContinuationsAsynchronously,
            TaskScheduler.Default);
    }

    private void Walk(HeapSnapshot snapshot, IReadOnlyList<HeapRange> ranges)
    {
        using (snapshot)
        {
            try
            {
                new Prefetcher(_store.Channel, snapshot.MapRoot, Name).Ask(ranges, _closing.Token);
            }
            catch (Exception exception) when (exception is HeapCorruptedException or IOException)
            {
                // Whoever reads there is told: here, nobody has asked for it yet.
                StoreLog.PrefetchEnded(_store.Channel.Logger, _store.Channel.Name, Name, exception);
            }
        }
    }

    private void EndPrefetching()
    {
        _closing.Cancel();
        _prefetching.Wait();
        _closing.Dispose();
    }
}
