using Everheap.Engine.Checkpoints;
using Everheap.Engine.Storage;

namespace Everheap.Engine;

/// <content>History: checkpoints that are remembered and retained, going back to them, and looking at them.</content>
public sealed partial class HeapStore
{
    /// <summary>How the file is used, now.</summary>
    public SpaceStatistics Space => Committer.Synchronized(() =>
    {
        var root = Roots.Current;
        var used = (long)root.AllocatedPages;
        return new SpaceStatistics(
            _allocator.FileLength,
            used << FileLayout.PageShift,
            Math.Max(_allocator.TakenPages - used, 0) << FileLayout.PageShift,
            (long)_catalog.SharedPages,
            _catalog.ReclaimCount);
    });

    /// <summary>The checkpoints of a heap that are retained or remembered, oldest first; the last is the latest.</summary>
    /// <param name="heapName">The heap.</param>
    /// <exception cref="HeapException">There is no heap of that name.</exception>
    public IReadOnlyList<CheckpointInfo> History(string heapName)
    {
        ArgumentNullException.ThrowIfNull(heapName);
        return Committer.Synchronized(() => Find(heapName).History());
    }

    /// <summary>Retains a checkpoint until it is dropped, whatever the heap's policy says. Durable when this returns.</summary>
    /// <param name="heapName">The heap.</param>
    /// <param name="checkpoint">The number of its latest checkpoint, or of one that is retained.</param>
    /// <param name="name">A name for it, 1 to <see cref="HeapNameBytesMax"/> bytes in UTF-8 and no other's of this heap; null: the one it has, or none.</param>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    /// <exception cref="HeapException">There is no such heap or checkpoint, it is not retained, or the name is another checkpoint's.</exception>
    /// <exception cref="HeapFullException">There is no room for the commit; nothing was changed.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public void Retain(string heapName, long checkpoint, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(heapName);
        uint length = 0;
        var encoded = name is null ? default : RecordText.Encode(name, out length);
        Execute(() =>
        {
            var heap = FindDurable(heapName);
            var entry = FindRetained(heap, checkpoint, out _);
            if (name is not null)
            {
                if (heap.Checkpoints.Exists(other => other != entry && RecordText.Decode(other.Record.Name, other.Record.NameLength) == name))
                {
                    throw new HeapException($"{Path}: another checkpoint of heap '{heapName}' is named '{name}'. Drop that, or choose another name.");
                }

                entry.Record.Name = encoded;
                entry.Record.NameLength = length;
            }

            entry.Record.Flags |= CheckpointFlags.Held;
            _catalog.Enter(entry);
            return entry;
        });
    }

    /// <summary>Says which of a heap's checkpoints are retained from now on; those that no longer are, are dropped. Durable when this returns.</summary>
    /// <param name="heapName">The heap.</param>
    /// <param name="policy">The policy.</param>
    /// <exception cref="ArgumentOutOfRangeException">The policy keeps less than one checkpoint, too many, or for a negative time.</exception>
    /// <exception cref="HeapException">There is no such heap, it has no checkpoint yet, or the store was opened for reading only.</exception>
    /// <exception cref="HeapFullException">There is no room for the commit; nothing was changed.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public void SetRetention(string heapName, RetentionPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(heapName);
        ArgumentNullException.ThrowIfNull(policy);
        if (policy.KeepLast is < 1 or > RetentionPolicy.KeepLastMax || policy.KeepFor < TimeSpan.Zero)
        {
            throw new ArgumentOutOfRangeException(
                nameof(policy), policy, $"A policy keeps the last 1 to {RetentionPolicy.KeepLastMax} checkpoints, and for no negative time.");
        }

        Execute(() =>
        {
            var heap = FindDurable(heapName);
            heap.Record.KeepLast = (uint)policy.KeepLast;
            heap.Record.KeepForTicks = policy.KeepFor.Ticks;
            Committer.Prune(heap);
            _catalog.Enter(heap);
            return heap;
        });
    }

    /// <summary>Drops a retained checkpoint; it stays remembered. What it alone uses comes back in bounded steps (<see cref="Reclaim"/>). Durable when this returns.</summary>
    /// <param name="heapName">The heap.</param>
    /// <param name="checkpoint">The number of a retained checkpoint that is not the latest.</param>
    /// <exception cref="HeapException">
    /// There is no such heap or checkpoint, it is not retained, is the latest (revert to another first), or a snapshot of it is open.
    /// </exception>
    /// <exception cref="HeapFullException">There is no room for the commit; nothing was changed.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public void DropCheckpoint(string heapName, long checkpoint)
    {
        ArgumentNullException.ThrowIfNull(heapName);
        Execute(() =>
        {
            var heap = FindDurable(heapName);
            var entry = FindRetained(heap, checkpoint, out _);
            if (heap.IsLatest(entry))
            {
                throw new HeapException($"{Path}: checkpoint {checkpoint} is the latest of heap '{heapName}', and is what that heap is. Revert to another first, or drop the heap.");
            }

            if (entry.Pins > 0)
            {
                throw new HeapException($"{Path}: a snapshot of checkpoint {checkpoint} of heap '{heapName}' is open. Dispose of that first.");
            }

            Committer.DropMap(entry);
            _catalog.Enter(entry);
            return entry;
        });
    }

    /// <summary>
    /// Takes a heap that is not open back to an older checkpoint: makes a new one with that one's content. What came between stays retained as far as the policy says.
    /// Durable when this returns. (A heap that is open: <see cref="PersistentHeap.Revert"/>.)
    /// </summary>
    /// <param name="heapName">The heap.</param>
    /// <param name="checkpoint">The number of a retained checkpoint, or of the latest.</param>
    /// <returns>The new checkpoint.</returns>
    /// <remarks>One commit, whatever the heap's size.</remarks>
    /// <exception cref="HeapException">There is no such heap or checkpoint, it is not retained, the heap is open, or the store was opened for reading only.</exception>
    /// <exception cref="HeapFullException">There is no room for the commit; nothing was changed.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public CheckpointInfo Revert(string heapName, long checkpoint)
    {
        ArgumentNullException.ThrowIfNull(heapName);
        return Execute(() =>
        {
            var heap = FindDurable(heapName);
            return heap.IsOpen
                ? throw new HeapException($"{Path}: the heap '{heapName}' is open. Revert it there, or dispose of it first.")
                : RevertEntry(heap, checkpoint);
        });
    }

    /// <summary>Opens a checkpoint for reading, by any number of threads, while its heap goes on.</summary>
    /// <param name="heapName">The heap; it may be open or not.</param>
    /// <param name="checkpoint">The number of a retained checkpoint; null: the latest.</param>
    /// <param name="options">The snapshot's own budget; null for the store's.</param>
    /// <returns>The snapshot. While it is open its checkpoint stays retained.</returns>
    /// <remarks>Costs a moment without a commit, and a budget of its own. Nothing in the file is changed.</remarks>
    /// <exception cref="HeapException">There is no such heap or checkpoint, or it is not retained.</exception>
    public HeapSnapshot OpenSnapshot(string heapName, long? checkpoint = null, HeapOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(heapName);
        var residentBytes = ResidentBytes(options);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var snapshot = Committer.Synchronized(() =>
            {
                var heap = FindDurable(heapName);
                var entry = FindRetained(heap, checkpoint ?? (long)heap.Durable.Number, out var map);
                if (entry.Record.Number > heap.Durable.Number)
                {
                    Channel.ThrowIfFailed();
                }

                var opened = new HeapSnapshot(this, heap, entry, map.Root, (long)map.MappedPages, residentBytes);
                entry.Pins++;
                return opened;
            });
            _open.Add(snapshot);
            return snapshot;
        }
    }

    /// <summary>The pages in which two checkpoints differ, in the order of their numbers.</summary>
    /// <param name="before">One snapshot; of any heap of this store.</param>
    /// <param name="after">The other.</param>
    /// <returns>The differences, found as they are enumerated; both snapshots stay open for as long.</returns>
    /// <remarks>
    /// Compares the two page maps from their roots down, and looks at nothing below nodes that are the same: takes time by how much differs, not by the heaps' sizes.
    /// A page that was written again with the same content does not differ.
    /// </remarks>
    /// <exception cref="ArgumentException">A snapshot is of another store.</exception>
    /// <exception cref="HeapCorruptedException">A node or page does not match its checksum, or a page map reaches more pages than the file has (while enumerating).</exception>
    public IEnumerable<PageDifference> Difference(HeapSnapshot before, HeapSnapshot after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        if (before.Store != this || after.Store != this)
        {
            throw new ArgumentException("Only snapshots of this store can be compared here.", before.Store != this ? nameof(before) : nameof(after));
        }

        return Watched(new TreeDifference(before, after).Pages(), before, after);
    }

    /// <summary>Does one bounded step of giving back what dropped checkpoints and heaps alone used.</summary>
    /// <param name="pagesMax">How many pages to look at, about; at least 1.</param>
    /// <returns>Whether something is left to do.</returns>
    /// <remarks>One commit. Every other commit does a small step of its own, and an idle store goes on by itself (<see cref="HeapStoreOptions.BackgroundReclaim"/>).</remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="pagesMax"/> is less than 1.</exception>
    /// <exception cref="HeapException">The store was opened for reading only.</exception>
    /// <exception cref="HeapFullException">There is no room for the commit; nothing was changed.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public bool Reclaim(int pagesMax = ReclaimPagesDefault)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pagesMax, 1);
        return Execute(() =>
        {
            Committer.Reclaimer.Step(pagesMax);
            return Committer.HasIdleWork;
        });
    }

    /// <summary>Makes a new checkpoint with the content of an older one. Within a commit.</summary>
    internal CheckpointInfo RevertEntry(HeapEntry heap, long checkpoint)
    {
        var source = FindRetained(heap, checkpoint, out var map);
        _catalog.ThrowIfFull();
        Committer.Share(map.Root);
        Committer.RetireLatest(heap, isMapMoved: true);
        heap.Record.MapRoot = map.Root;
        heap.Record.MappedPages = map.MappedPages;
        heap.Record.Number++;
        heap.Record.BranchNumber = heap.Record.Number;
        var entry = new CheckpointEntry(new CheckpointRecord { HeapId = heap.Id, Number = heap.Number, TimeTicks = Committer.UtcNow.Ticks, ContentId = source.Record.ContentId });
        heap.Checkpoints.Add(entry);
        Committer.Prune(heap);
        _catalog.Enter(entry);
        _catalog.Enter(heap);
        return entry.ToInfo(isLatest: true);
    }

    /// <summary>A snapshot is closed.</summary>
    internal void Closed(HeapSnapshot snapshot, HeapEntry heap, CheckpointEntry entry)
    {
        lock (_lock)
        {
            _open.Remove(snapshot);
        }

        Committer.Synchronized(() =>
        {
            if (--entry.Pins == 0 && !heap.IsLatest(entry))
            {
                Committer.PruneLater(heap);
            }

            return 0;
        });
        _idleReclaimer?.Awaken();
    }
}
