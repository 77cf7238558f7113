using System.Globalization;
using System.IO.Pipelines;
using Everheap.Engine;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Transfer;

/// <summary>Receives into one heap file.</summary>
internal sealed class Reception(string path, HeapStore store, string? heapName, IProgress<TransferProgress> progress)
{
    /// <summary>Bytes that are read at once.</summary>
    public const int BufferBytes = 128 * 1024;

    /// <summary>Memory for pages on their way to the file.</summary>
    public const long ResidentBytes = 48L << 20;

    /// <summary>What was received is durable after so much more of it.</summary>
    private const long SaveIntervalBytes = 16L << 20;

    /// <summary>
    /// Whether the heap's note goes along with this checkpoint: of a program, it tells how much of its output was shown since, so that what is left is shown elsewhere, and
    /// nothing twice. It speaks of the latest checkpoint alone.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <returns>Whether it does.</returns>
    public static bool NoteBelongsTo(HeapStore store, HeapSnapshot checkpoint) => store.GetHeap(checkpoint.HeapName).LatestCheckpoint == checkpoint.CheckpointNumber;

    /// <summary>Receives a stream.</summary>
    /// <param name="reader">Where from.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>What came of it, for people.</returns>
    public async Task<string> ReceiveAsync(PipeReader reader, CancellationToken cancellation)
    {
        var options = new ReceiveOptions { HeapName = heapName, SaveIntervalBytes = SaveIntervalBytes };
        ReceivedCheckpoint received = await HeapTransfer.ReceiveAsync(store, reader, options, progress, cancellation).ConfigureAwait(false);
        if (received.Note.Length > 0)
        {
            using PersistentHeap heap = store.OpenHeap(received.HeapName);
            heap.WriteNote(received.Note.Span);
        }

        return string.Create(
            CultureInfo.InvariantCulture,
            $"{path}: heap '{received.HeapName}', checkpoint {received.Checkpoint.Number}: {received.Added} pages added, {received.Changed} changed, {received.Removed} removed, {ByteSize.Format(received.Bytes)}");
    }

    /// <summary>Whether what is offered is here already.</summary>
    /// <param name="offer">The offer.</param>
    /// <returns>Where, for people; null if it is not.</returns>
    public string? Find(Offer offer)
    {
        string name = heapName ?? offer.HeapName;
        return store.Heaps.FirstOrDefault(heap => heap.Name == name) is { } found && store.History(name)[^1].ContentId == offer.Transfer.ToContentId
            ? string.Create(CultureInfo.InvariantCulture, $"{path}: heap '{name}' has this checkpoint already, as its number {found.LatestCheckpoint}")
            : null;
    }

    /// <summary>The page from which on what is offered has to be sent.</summary>
    /// <param name="offer">The offer.</param>
    /// <returns>The page; 0 if nothing of it has come.</returns>
    public ulong NextPage(Offer offer)
    {
        string name = heapName ?? offer.HeapName;
        UnfinishedReceive? unfinished = HeapTransfer.GetUnfinished(store).FirstOrDefault(
            receive => receive.HeapName == name && receive.ResumePoint with { NextPage = 0 } == offer.Transfer);
        return unfinished?.ResumePoint.NextPage ?? 0;
    }
}
