using Everheap.Engine.Checkpoints;

namespace Everheap.Engine;

/// <content>Going back behind damage.</content>
public sealed partial class HeapStore
{
    /// <summary>Looks at every heap's latest and retained checkpoints, shared parts included, and says which are damaged. Changes nothing.</summary>
    /// <param name="cancellation">Ends the walk with an <see cref="OperationCanceledException"/>.</param>
    /// <remarks>Takes as long as reading all pages in use. Checkpoints become durable only after it.</remarks>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    public IReadOnlyList<HeapRepair> Examine(CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return new StoreRepairer(Committer, _allocator, Channel, Roots).Examine(cancellation);
    }

    /// <summary>
    /// Takes every heap whose latest checkpoint is damaged back to its newest retained one that is wholly valid, drops retained ones that are damaged, and makes
    /// the allocator's bitmaps and the counts of shared pages anew from what is left. Durable when this returns; one commit.
    /// </summary>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/> before anything is changed.</param>
    /// <returns>What was found and done, a heap each. A heap without any valid checkpoint is left as it is: what can be read of it still can.</returns>
    /// <remarks>Walks everything twice. No heap and no snapshot is open meanwhile.</remarks>
    /// <exception cref="HeapException">A heap or snapshot is open, or the store was opened for reading only.</exception>
    /// <exception cref="HeapFullException">There is no room for the commit; nothing was changed.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public IReadOnlyList<HeapRepair> Repair(CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ThrowIfReadOnly();
        lock (_lock)
        {
            if (_open.Count > 0)
            {
                throw new HeapException($"{Path}: a heap or snapshot is open. Dispose of it, then repair.");
            }

            var repairs = new StoreRepairer(Committer, _allocator, Channel, Roots).Run(cancellation);
            foreach (var repair in repairs.Where(repair => repair.Damaged.Count > 0))
            {
                StoreLog.Repaired(Channel.Logger, Path, repair.HeapName, string.Join(", ", repair.Damaged), repair.NewestValid?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "none");
            }

            return repairs;
        }
    }

    /// <summary>
    /// Opens a store as the root before the newest has it, for the case that the newest is damaged beyond repair: that root, and all that it reaches, is never written over
    /// before the next commit. The next commit then takes the newest one's place: what that had changed is gone.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="HeapLockedException">Someone else holds it.</exception>
    /// <exception cref="HeapFormatException">Not a store, or of a newer version.</exception>
    /// <exception cref="HeapCorruptedException">There is no whole root before the newest.</exception>
    /// <exception cref="IOException">The file is missing or cannot be read.</exception>
    public static HeapStore OpenPrevious(string path, HeapStoreOptions? options = null) =>
        Open(path, options, medium => OpenRoot(medium, Checked(options), skipNewest: true));
}

/// <summary>What is wrong with a heap, and what there is to go back to.</summary>
/// <param name="HeapName">The heap.</param>
/// <param name="Damaged">The numbers of its checkpoints, the latest and retained ones, in which something does not match its checksum.</param>
/// <param name="NewestValid">The newest of them in which everything matches; null if there is none.</param>
public sealed record HeapRepair(string HeapName, IReadOnlyList<long> Damaged, long? NewestValid);
