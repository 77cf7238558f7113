using System.Diagnostics;

namespace Everheap.Engine;

/// <content>Making checkpoints, and going back to one.</content>
public sealed partial class PersistentHeap
{
    /// <summary>Pages that a checkpoint moves out of the tail of the file, at most: 4 MiB.</summary>
    private const int RelocatedPagesMax = 1024;

    /// <summary>Makes a checkpoint, and returns when it is durable.</summary>
    /// <exception cref="HeapFullException">There is no room for it, for now: what was sealed stays, and the next checkpoint completes it first.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier; the checkpoint before holds.</exception>
    /// <exception cref="HeapException">The store was opened for reading only.</exception>
    public CheckpointInfo Checkpoint() => BeginCheckpoint().Wait();

    /// <summary>
    /// Seals the heap as it is now, and returns while a thread of the store's own writes it. If a checkpoint is being written already, waits for that first.
    /// </summary>
    /// <remarks>The seal takes time by the pages changed since the last: some 0.002 us each if they were changed through a window, 0.4 us in a pinned range.</remarks>
    /// <exception cref="HeapFullException">
    /// There still is no room for the checkpoint before, which had none: that has to be completed first. Or pages of a pinned range had to be written, and there was no room for
    /// them. Nothing was sealed.
    /// </exception>
    /// <exception cref="HeapFailedException">Writing to the store failed earlier, or now, for pages of a pinned range.</exception>
    /// <exception cref="HeapException">The store was opened for reading only.</exception>
    public PendingCheckpoint BeginCheckpoint()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ThrowIfReadOnly();
        WaitForCheckpoint();
        _store.Channel.ThrowIfFailed();
        Sealing?.Invoke(this);
        _ranges.Flush();
        if (_writer.IsStalled)
        {
            _writer.Retry().Wait();
        }

        LeaveTail();
        return _writer.Begin();
    }

    /// <summary>
    /// Goes back to an older checkpoint: what has changed since the last checkpoint is lost, and a new one is made with the older one's content. Windows and
    /// arrays stay open. Durable when this returns.
    /// </summary>
    /// <param name="checkpoint">The number of a retained checkpoint, or of the latest.</param>
    /// <returns>The new checkpoint.</returns>
    /// <remarks>One commit, whatever the heap's size; frames are filled anew by faults. Pinned ranges stay where they are, and are loaded anew.</remarks>
    /// <exception cref="HeapException">There is no such checkpoint, it is not retained, or the store was opened for reading only.</exception>
    /// <exception cref="HeapFullException">There is no room for the commit; nothing was changed.</exception>
    /// <exception cref="HeapCorruptedException">A page of a pinned range does not match its checksum: the heap has gone back all the same, and that range is not pinned any more.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    public CheckpointInfo Revert(long checkpoint)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ThrowIfReadOnly();
        WaitForCheckpoint();
        var info = _store.Committer.Execute(() => _store.RevertEntry(_entry, checkpoint));
        _ranges.Forget();
        _writer.GiveUpStalled();
        _pager.Reset(_entry.Record.MapRoot, (long)_entry.Record.MappedPages);
        Roots.OnReverted();
        return info;
    }

    /// <summary>Waits until no checkpoint is being written, whether it went well or not.</summary>
    internal void WaitForCheckpoint()
    {
        if (_writer.Latest is { IsCompleted: false } pending)
        {
            var start = Stopwatch.GetTimestamp();
            ((IAsyncResult)pending.Completion).AsyncWaitHandle.WaitOne();
            _pager.CountStall(start);
        }
    }

    /// <summary>While the file is being made shorter, moves some of what is in its tail.</summary>
    private void LeaveTail()
    {
        if (_store.Allocator!.Ceiling is { } ceiling)
        {
            try
            {
                _pager.Relocate(ceiling, RelocatedPagesMax);
            }
            catch (HeapFullException)
            {
                _store.Allocator.LiftCeiling(); // There is no room to move through. That is no reason not to make a checkpoint.
            }
        }
    }
}
