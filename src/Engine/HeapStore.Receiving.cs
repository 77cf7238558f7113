using Everheap.Engine.Checkpoints;
using Everheap.Engine.Storage;
using Everheap.Engine.Transfer;

namespace Everheap.Engine;

/// <content>
/// Heaps that are being received: in the catalog like others, hidden until they are whole, at most one for each name. What has come of them survives a crash as
/// part of their own checkpoints; one commit makes them visible, or their content the next checkpoint of the heap they are the difference for.
/// </content>
public sealed partial class HeapStore
{
    /// <summary>What was received in part, and may go on.</summary>
    internal IReadOnlyList<UnfinishedReceive> UnfinishedReceives() => Committer.Synchronized(() => (IReadOnlyList<UnfinishedReceive>)
    [
        .. _catalog.Heaps.Where(heap => heap.Record.Receive.IsActive && (heap.IsOpen || heap.Durable.Number > 0)).Select(heap =>
        {
            ref var receive = ref heap.Record.Receive;
            var resumePoint = new TransferResumePoint(receive.ToContentId, receive.FromContentId, receive.NextPage);
            return new UnfinishedReceive(heap.Name, (long)receive.ToNumber, (long)receive.Pages, resumePoint, heap.IsOpen);
        }),
    ]);

    /// <summary>Opens the heap that is to take a stream: the one that an earlier receive of the same left, or a new one, which takes the place of one for anything else.</summary>
    /// <param name="name">The name of the heap that it is for.</param>
    /// <param name="wanted">What is to be received, and the page that the stream starts from.</param>
    /// <param name="residentBytes">The budget; null for the store's.</param>
    /// <returns>The heap, and what it has already.</returns>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    /// <exception cref="HeapException">It cannot become what it is for, or is being received already.</exception>
    /// <exception cref="HeapTransferException">The stream starts past what has come.</exception>
    internal (PersistentHeap Heap, ReceiveRecord Received) OpenReceiving(string name, ReceiveRecord wanted, long? residentBytes)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ThrowIfReadOnly();
        var bytes = ResidentBytes(new HeapOptions { ResidentBytes = residentBytes });
        RecordText.Encode(name, out _);
        if (!HasReceived(name, wanted, out var resumePoint))
        {
            if (wanted.NextPage > 0)
            {
                throw new HeapTransferException(
                    $"{Path}: the stream goes on from page {wanted.NextPage}, and not all before that has come to heap '{name}' here. Send from the start, or from where this store says.")
                {
                    ResumePoint = resumePoint,
                };
            }

            StartReceiving(name, wanted);
        }

        ReceiveRecord received = default;
        var heap = Open(() =>
        {
            var entry = _catalog.FindReceiving(name);
            if (entry is null && wanted.FromContentId == Guid.Empty)
            {
                entry = _catalog.NewHeap(name, Committer.UtcNow);
                entry.Record.Receive = wanted;
            }

            if (entry is null || entry.IsOpen || !entry.Record.Receive.IsOf(wanted))
            {
                throw AlreadyReceiving(name);
            }

            received = entry.Record.Receive;
            return entry;
        }, bytes);
        return (heap, received);
    }

    /// <summary>Notes how far a receive has come. The heap's latest checkpoint has all of it.</summary>
    internal void SaveReceived(string name, ulong nextPage, ulong pages) => Execute(() =>
    {
        var heap = _catalog.FindReceiving(name)!;
        heap.Record.Receive.NextPage = nextPage;
        heap.Record.Receive.Pages = pages;
        _catalog.Enter(heap);
        return heap;
    });

    /// <summary>Makes what was received visible: as a new heap, or as the next checkpoint of the heap it is for. Its latest checkpoint has all of it.</summary>
    /// <param name="name">The heap.</param>
    /// <param name="checkpoint">What to say of the checkpoint; the number is at least this one's.</param>
    /// <returns>The checkpoint.</returns>
    /// <exception cref="HeapException">The heap it is for has changed meanwhile.</exception>
    internal CheckpointInfo PublishReceived(string name, CheckpointRecord checkpoint) => Execute(() =>
    {
        var received = _catalog.FindReceiving(name)!;
        var target = FindTarget(received.Name, received.Record.Receive);
        _catalog.ThrowIfFull();
        foreach (var saved in received.Checkpoints)
        {
            _catalog.Remove(saved);
        }

        received.Checkpoints.Clear();
        checkpoint.ContentId = received.Record.Receive.ToContentId;
        var heap = target ?? received;
        if (target is not null)
        {
            Committer.RetireLatest(target, isMapMoved: true);
            target.Record.MapRoot = received.Record.MapRoot;
            target.Record.MappedPages = received.Record.MappedPages;
            received.Record.MapRoot = default;
            checkpoint.Number = Math.Max(checkpoint.Number, target.Number + 1);
        }

        checkpoint.HeapId = heap.Id;
        heap.Record.Receive = default;
        heap.Record.Number = checkpoint.Number;

        // Whatever was noted of it, here or where it comes from, is of another way than the one it goes from here.
        heap.Record.BranchNumber = checkpoint.Number;
        if (target is null && heap.Record.OriginId == 0)
        {
            heap.Record.OriginNumber = checkpoint.Number;
        }

        var entry = new CheckpointEntry(checkpoint);
        heap.Checkpoints.Add(entry);
        Committer.Prune(heap);
        _catalog.Enter(entry);
        _catalog.Enter(heap);
        if (target is not null)
        {
            _catalog.Remove(received);
        }

        return entry.ToInfo(isLatest: true);
    });

    /// <summary>Drops what was received in part for a heap.</summary>
    /// <exception cref="HeapException">There is nothing, or it is being received now.</exception>
    internal void DropReceiving(string name) => Execute(() =>
    {
        var heap = _catalog.FindReceiving(name);
        if (heap is null || heap.IsOpen)
        {
            throw heap is null ? new HeapException($"{Path}: nothing was received in part for a heap '{name}'.") : AlreadyReceiving(name);
        }

        Drop(heap);
        return heap;
    });

    /// <summary>Whether an earlier receive of the same left enough for a stream that starts at a page.</summary>
    private bool HasReceived(string name, ReceiveRecord wanted, out TransferResumePoint? resumePoint)
    {
        var received = Committer.Synchronized(() =>
        {
            FindTarget(name, wanted);
            var heap = _catalog.FindReceiving(name);
            return heap is not { IsOpen: true } ? heap?.Record.Receive : throw AlreadyReceiving(name);
        });
        resumePoint = null;
        if (received is not { } found || !found.IsOf(wanted))
        {
            return false;
        }

        resumePoint = new TransferResumePoint(found.ToContentId, found.FromContentId, found.NextPage);
        return found.NextPage >= wanted.NextPage;
    }

    /// <summary>Makes room for a receive: what another left under the name goes, and a difference gets a fork of its base to start from.</summary>
    private void StartReceiving(string name, ReceiveRecord wanted)
    {
        if (wanted.FromContentId == Guid.Empty && Committer.Synchronized(() => _catalog.FindReceiving(name)) is null)
        {
            return; // nothing to commit before there are pages
        }

        Execute(() =>
        {
            FindTarget(name, wanted);
            _catalog.ThrowIfFull();
            var other = _catalog.FindReceiving(name);
            var content = FindContent(wanted.FromContentId);
            if (other is { IsOpen: true } || (content is null && wanted.FromContentId != Guid.Empty))
            {
                throw AlreadyReceiving(name); // by another thread, since this was looked at last
            }

            if (other is not null)
            {
                Drop(other);
            }

            if (content is var (origin, source))
            {
                var heap = ForkEntry(origin, source, origin.MapOf(source)!.Value, name, wanted);
                heap.Record.KeepLast = 1;
                heap.Record.KeepForTicks = 0;
                _catalog.Enter(heap);
            }

            return 0;
        });
    }

    /// <summary>The heap that a stream advances; null if it makes a new one.</summary>
    /// <exception cref="HeapException">It cannot: the name is taken, or what the stream is based on is not here or not the heap's latest checkpoint.</exception>
    private HeapEntry? FindTarget(string name, in ReceiveRecord wanted)
    {
        var target = _catalog.Find(name);
        var latest = target?.Checkpoints.LastOrDefault()?.Record.ContentId;
        if (target is not null && latest == wanted.ToContentId)
        {
            throw new HeapException($"{Path}: heap '{name}' has this checkpoint already, as its number {target.Number}.");
        }

        if (target is not null && wanted.FromContentId == Guid.Empty)
        {
            throw new HeapException(
                $"{Path}: there is a heap '{name}' already, and a whole checkpoint makes a new one. Receive it under another name, drop that heap, or send what differs.");
        }

        if (target is not null && latest != wanted.FromContentId)
        {
            throw new HeapException(
                $"{Path}: the stream is what differs from another checkpoint than heap '{name}' is at (number {target.Number}). Revert the heap to that, or send the checkpoint whole under another name.");
        }

        if (target is { IsOpen: true })
        {
            throw new HeapException($"{Path}: the heap '{name}' is open, and cannot be advanced by a stream. Dispose of it first.");
        }

        if (target is null && wanted.FromContentId != Guid.Empty && FindContent(wanted.FromContentId) is null && _catalog.FindReceiving(name)?.Record.Receive.IsOf(wanted) != true)
        {
            throw new HeapException($"{Path}: the stream is what differs from a checkpoint that is not here, or not retained. Send that first, or the checkpoint whole.");
        }

        return target;
    }

    /// <summary>A checkpoint that can be opened and has this content, of any heap; null if there is none, or no content is asked for.</summary>
    private (HeapEntry Heap, CheckpointEntry Checkpoint)? FindContent(Guid contentId)
    {
        foreach (var heap in VisibleHeaps)
        {
            var found = heap.Checkpoints.FindLast(entry => entry.Record.ContentId == contentId && heap.MapOf(entry) is not null);
            if (found is not null)
            {
                return (heap, found);
            }
        }

        return null;
    }

    private HeapException AlreadyReceiving(string name) => new($"{Path}: heap '{name}' is being received already.");
}
