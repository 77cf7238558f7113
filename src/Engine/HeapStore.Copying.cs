using Everheap.Engine.Checkpoints;

namespace Everheap.Engine;

/// <content>Forks into another store: they share nothing, so everything is copied.</content>
public sealed partial class HeapStore
{
    /// <summary>
    /// Makes a new heap of this store that starts as a checkpoint of another one: a fork that shares no page with its origin. Its first checkpoint has the number of
    /// the one that was copied, and is durable when this returns; until then there is no such heap.
    /// </summary>
    /// <param name="source">The checkpoint, of any store.</param>
    /// <param name="newName">The new heap's name, 1 to <see cref="HeapNameBytesMax"/> bytes in UTF-8.</param>
    /// <param name="options">The budget for copying; null for the store's.</param>
    /// <param name="cancellation">Ends the copying with an <see cref="OperationCanceledException"/>; no heap is left.</param>
    /// <remarks>Takes as long as reading and writing all its pages. Every page is checked as it is read.</remarks>
    /// <exception cref="ArgumentException">The new name is empty or too long.</exception>
    /// <exception cref="HeapException">The new name is taken, there are too many heaps, or the store was opened for reading only.</exception>
    /// <exception cref="HeapCorruptedException">A page of the source does not match its checksum.</exception>
    /// <exception cref="HeapFullException">There is no room; no heap is left.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public HeapInfo CopyHeap(HeapSnapshot source, string newName, HeapOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(newName);
        var residentBytes = ResidentBytes(options);
        ThrowIfReadOnly();
        var retention = source.Store.GetHeap(source.HeapName).Retention;
        using (var heap = Open(() => NewCopy(source, newName, retention), residentBytes))
        {
            var page = new byte[PersistentHeap.PageSize];
            foreach (var (number, entry) in source.Store.Watched(TreeReader.Pages(source.Store.Channel, source.MapRoot, source.HeapName, 0), source))
            {
                cancellation.ThrowIfCancellationRequested();
                source.ReadPage(number, entry, page);
                heap.WriteAnywhere(number << PersistentHeap.PageShift, page);
            }

            heap.Checkpoint();
        }

        return GetHeap(newName);
    }

    private HeapEntry NewCopy(HeapSnapshot source, string newName, RetentionPolicy retention)
    {
        ThrowIfTaken(newName);
        var heap = _catalog.NewHeap(newName, Committer.UtcNow);
        var number = (ulong)source.CheckpointNumber;
        heap.Record.Number = number - 1; // the first checkpoint has the next
        heap.Record.OriginNumber = number;
        heap.Record.BranchNumber = number;
        heap.Record.KeepLast = (uint)retention.KeepLast;
        heap.Record.KeepForTicks = retention.KeepFor.Ticks;
        return heap;
    }
}
