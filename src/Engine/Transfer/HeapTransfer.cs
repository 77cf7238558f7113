using System.IO.Pipelines;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Transfer;

/// <summary>
/// Sends checkpoints from one store to another, as a stream: whole, or as what differs from a checkpoint that the other store has already.
/// </summary>
/// <remarks>
/// <para>
/// A stream can be kept in a file, sent through a pipe or a socket, and received at any time; docs/transfer.md describes it byte by byte. Every block is checked before it is
/// used. What is received becomes visible in one commit, when the whole stream has come; until then, and after a stream that broke off or was refused,
/// the store shows what it showed before, and keeps what has come for a stream that goes on from there (<see cref="GetUnfinished"/>).
/// </para>
/// <para>Either side holds one block of the stream in memory, some 150 KiB, besides the snapshots' and the receiving heap's budgets.</para>
/// </remarks>
public static class HeapTransfer
{
    /// <summary>Sends a checkpoint.</summary>
    /// <param name="from">The checkpoint that the receiver has already: what differs from it is sent. Null: the whole checkpoint is. Of the same store as <paramref name="to"/>.</param>
    /// <param name="to">The checkpoint.</param>
    /// <param name="writer">Where to; not completed by this.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Told about each MiB, and at the end.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>; the receiver can go on later.</param>
    /// <returns>What was sent in all, once the pipe has taken it.</returns>
    /// <remarks>Takes time by what is sent. The heaps may go on meanwhile.</remarks>
    /// <exception cref="ArgumentException">The snapshots are of two stores, or the resume point is of another transfer.</exception>
    /// <exception cref="HeapTransferException">The other end of the pipe takes no more.</exception>
    /// <exception cref="HeapCorruptedException">A page or node does not match its checksum, or a page map reaches more pages than the file has. The receiver will refuse what it got.</exception>
    /// <exception cref="HeapException">
    /// The store was opened past another process's lock (<see cref="HeapStore.OpenShared"/>), and that process has dropped or moved a checkpoint meanwhile. The receiver will see the stream break off.
    /// </exception>
    /// <exception cref="IOException">The medium cannot be read, or the pipe's stream cannot be written.</exception>
    public static Task<TransferProgress> SendAsync(
        HeapSnapshot? from,
        HeapSnapshot to,
        PipeWriter writer,
        SendOptions? options = null,
        IProgress<TransferProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(writer);
        if (from is not null && from.Store != to.Store)
        {
            throw new ArgumentException("What differs between two checkpoints can be sent only if they are in the same store.", nameof(from));
        }

        var resume = options?.ResumeFrom;
        if (resume is { } point && (point.ToContentId != to.Checkpoint.ContentId || point.FromContentId != (from?.Checkpoint.ContentId ?? Guid.Empty)))
        {
            throw new ArgumentException("The resume point is of another transfer: of another checkpoint, or based on another.", nameof(options));
        }

        // Reading pages blocks, and a fast pipe never makes an asynchronous caller wait: off the caller's thread with it.
        return Task.Run(() => new CheckpointSender(from, to, writer, resume?.NextPage ?? 0, options?.IncludesNote ?? false, progress).RunAsync(cancellation), cancellation);
    }

    /// <summary>Receives a checkpoint: whole, as a new heap; what differs, as the next checkpoint of the heap whose latest it differs from.</summary>
    /// <param name="store">Where to.</param>
    /// <param name="reader">Where from; not completed by this. What follows the end of the stream is left in it.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Told about each MiB, and at the end.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>; what has come is kept (<see cref="GetUnfinished"/>).</param>
    /// <returns>The checkpoint, once it is durable.</returns>
    /// <remarks>
    /// The heap must not be open. What differs from a checkpoint of some heap here may also be received under a name that no heap has: it becomes a fork of that heap.
    /// The checkpoint keeps the sender's number and time, unless the heap here has that number already. What was received before of the same transfer under the same
    /// name is gone on with; what was received of another under that name is dropped.
    /// </remarks>
    /// <exception cref="ArgumentException">The name is empty or too long, or the save interval too short.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The budget is out of its range.</exception>
    /// <exception cref="HeapTransferException">The stream broke off, is damaged or malformed, or starts past what has come here.</exception>
    /// <exception cref="HeapException">
    /// The stream does not fit: there is a heap of that name, or it is at another checkpoint than the stream is based on, or is open, or has this checkpoint already; or the store was opened for
    /// reading only.
    /// </exception>
    /// <exception cref="HeapFullException">There is no room; what was saved is kept.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public static Task<ReceivedCheckpoint> ReceiveAsync(
        HeapStore store,
        PipeReader reader,
        ReceiveOptions? options = null,
        IProgress<TransferProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(reader);
        options ??= new ReceiveOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.SaveIntervalBytes, FileLayout.PageSize, nameof(options));
        return Task.Run(() => new CheckpointReceiver(store, reader, options, progress).RunAsync(cancellation), cancellation);
    }

    /// <summary>What was received in part, and can go on: at most one for each heap's name.</summary>
    /// <param name="store">The store.</param>
    public static IReadOnlyList<UnfinishedReceive> GetUnfinished(HeapStore store)
    {
        ArgumentNullException.ThrowIfNull(store);
        return store.UnfinishedReceives();
    }

    /// <summary>Drops what was received in part for a heap; its space comes back in bounded steps. Durable when this returns.</summary>
    /// <param name="store">The store.</param>
    /// <param name="heapName">The heap that it was for.</param>
    /// <exception cref="HeapException">Nothing was received in part for it, it is being received now, or the store was opened for reading only.</exception>
    /// <exception cref="HeapFullException">There is no room for the commit; nothing was changed.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public static void DropUnfinished(HeapStore store, string heapName)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(heapName);
        store.DropReceiving(heapName);
    }
}
