using System.IO.Pipelines;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Transfer;

/// <summary>Takes a stream into a store.</summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>What others see changes in one commit, after the whole stream was read and checked, or not at all.</item>
/// <item>Only what came in whole, checked blocks is written, into a heap that nobody sees (HeapStore.Receiving.cs).</item>
/// <item>How far it has come is said only of what a durable checkpoint of that heap holds; saying less is harmless, as pages are written as they are and not as changes.</item>
/// </list>
/// </remarks>
internal sealed class CheckpointReceiver(HeapStore store, PipeReader reader, ReceiveOptions options, IProgress<TransferProgress>? progress)
{
    /// <summary>Blocks from one report of progress to the next: 1 MiB.</summary>
    private const int ProgressBlocks = 8;

    private static readonly byte[] ZeroPage = new byte[FileLayout.PageSize];

    private readonly TransferStreamReader _stream = new(reader);
    private string _name = "";
    private PersistentHeap _heap = null!;
    private ReceiveRecord _received;
    private (PendingCheckpoint Checkpoint, ulong NextPage, ulong Pages)? _saving;
    private ulong _pages;
    private long _unsavedBytes;

    /// <summary>Receives.</summary>
    public async Task<ReceivedCheckpoint> RunAsync(CancellationToken cancellation)
    {
        await _stream.ReadHeaderAsync(cancellation).ConfigureAwait(false);
        _name = options.HeapName ?? _stream.HeapName;
        (_heap, _received) = store.OpenReceiving(_name, Wanted(), options.ResidentBytes);
        _pages = _received.Pages;
        var isPublished = false;
        try
        {
            await ReceivePagesAsync(cancellation).ConfigureAwait(false);
            var checkpoint = await PublishAsync().ConfigureAwait(false);
            isPublished = true;
            ref readonly var totals = ref _stream.Totals;
            return new ReceivedCheckpoint(_name, checkpoint, (long)totals.Added, (long)totals.Changed, (long)totals.Removed, _stream.Position) { Note = _stream.Note };
        }
        catch (Exception reason) when (reason is HeapTransferException or OperationCanceledException)
        {
            await KeepWhatHasComeAsync().ConfigureAwait(false);
            if (reason is HeapTransferException refusal && _received.NextPage > 0)
            {
                refusal.ResumePoint = new TransferResumePoint(_received.ToContentId, _received.FromContentId, _received.NextPage);
            }

            throw;
        }
        finally
        {
            _heap.Dispose();
            if (!isPublished && _received.NextPage == 0)
            {
                ForgetReceive();
            }
        }
    }

    private ReceiveRecord Wanted()
    {
        ref readonly var header = ref _stream.Header;
        return new ReceiveRecord { ToContentId = header.ToContentId, FromContentId = header.FromContentId, ToNumber = header.ToNumber, NextPage = header.FirstPage };
    }

    private async Task ReceivePagesAsync(CancellationToken cancellation)
    {
        for (var blocks = 1; ; blocks++)
        {
            var block = await _stream.ReadPagesAsync(cancellation).ConfigureAwait(false);
            if (block.Count == 0)
            {
                progress?.Report(Progress());
                return;
            }

            Apply(block);
            if (_unsavedBytes >= options.SaveIntervalBytes)
            {
                await SaveAsync().ConfigureAwait(false);
            }

            if (blocks % ProgressBlocks == 0)
            {
                progress?.Report(Progress());
            }
        }
    }

    private void Apply(TransferStreamReader.PageBlock block)
    {
        var contents = block.Contents;
        for (var i = 0; i < block.Count; i++)
        {
            var page = TransferFormat.PageOf(block[i]);
            var kind = TransferFormat.KindOf(block[i]);
            ReadOnlySpan<byte> content = ZeroPage;
            if (TransferFormat.HasContent(kind))
            {
                content = contents[..FileLayout.PageSize];
                contents = contents[FileLayout.PageSize..];
            }

            if (page < _received.NextPage)
            {
                continue; // it came, and was saved, before an earlier stream broke off
            }

            if (kind == PageRecordKind.Removed)
            {
                _heap.DropPagesAnywhere(page, page + 1);
            }
            else
            {
                _heap.WriteAnywhere(page << FileLayout.PageShift, content);
            }

            _pages++;
            _unsavedBytes += kind == PageRecordKind.Removed ? TransferFormat.RecordSize : FileLayout.PageSize;
        }
    }

    /// <summary>Seals what has come, and has it written while more comes.</summary>
    private async Task SaveAsync()
    {
        await SettleAsync().ConfigureAwait(false);
        _saving = (_heap.BeginCheckpoint(), _stream.NextPage, _pages);
        _unsavedBytes = 0;
    }

    /// <summary>Waits for the last save, and then notes how far it has come.</summary>
    private async Task SettleAsync()
    {
        if (_saving is { } saving)
        {
            _saving = null;
            await saving.Checkpoint.Completion.ConfigureAwait(false);
            var nextPage = Math.Max(saving.NextPage, _received.NextPage);
            store.SaveReceived(_name, nextPage, saving.Pages);
            _received.NextPage = nextPage;
        }
    }

    private async Task<CheckpointInfo> PublishAsync()
    {
        await SettleAsync().ConfigureAwait(false);
        await _heap.BeginCheckpoint().Completion.ConfigureAwait(false);
        _unsavedBytes = 0;
        CheckMappedPages();
        return store.PublishReceived(_name, Checkpoint());
    }

    private void CheckMappedPages()
    {
        var expected = (long)_stream.Header.MappedPages;
        if (_heap.MappedPages != expected)
        {
            // Nothing that goes on from here can be right.
            _received.NextPage = 0;
            throw new HeapTransferException($"The stream came whole, but gives heap '{_name}' {_heap.MappedPages} pages where the sender's has {expected}. Send from the start.");
        }
    }

    private CheckpointRecord Checkpoint()
    {
        ref readonly var totals = ref _stream.Totals;
        return new CheckpointRecord
        {
            Number = _stream.Header.ToNumber,
            TimeTicks = _stream.Header.ToTimeTicks,
            Pages = _pages,
            Bytes = totals.Contents << FileLayout.PageShift,
        };
    }

    /// <summary>The stream has broken off: makes durable what is good of it. If that is not possible, what was saved before is all there is.</summary>
    private async Task KeepWhatHasComeAsync()
    {
        try
        {
            if (_unsavedBytes > 0)
            {
                await SaveAsync().ConfigureAwait(false);
            }

            await SettleAsync().ConfigureAwait(false);
        }
        catch (HeapException)
        {
            // Full, or failed: the store's next call says so, and the caller is to learn why the stream broke off.
        }
    }

    /// <summary>Nothing was saved: the heap goes, so that a refused stream leaves nothing behind.</summary>
    private void ForgetReceive()
    {
        try
        {
            if (store.UnfinishedReceives().Any(unfinished => unfinished.HeapName == _name && !unfinished.IsActive))
            {
                store.DropReceiving(_name);
            }
        }
        catch (HeapException)
        {
            // Full, or failed: it stays as one of which nothing has come, until it is received again or dropped.
        }
    }

    private TransferProgress Progress()
    {
        ref readonly var header = ref _stream.Header;
        ref readonly var totals = ref _stream.Totals;
        var isWhole = header.FromContentId == Guid.Empty && header.FirstPage == 0;
        return new TransferProgress((long)(totals.Added + totals.Changed + totals.Removed), isWhole ? (long)header.MappedPages : null, _stream.Position, _stream.NextPage);
    }
}
