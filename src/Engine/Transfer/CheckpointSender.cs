using System.Buffers;
using System.IO.Hashing;
using System.IO.Pipelines;
using System.Runtime.InteropServices;
using Everheap.Engine.Checkpoints;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Transfer;

/// <summary>Writes a checkpoint, or what it differs by from another, as a stream.</summary>
/// <remarks>
/// Holds one block in memory, and goes on only once the pipe has taken it. The same checkpoints give the same stream, byte for byte: nothing in it is of the moment.
/// </remarks>
internal sealed class CheckpointSender(HeapSnapshot? from, HeapSnapshot to, PipeWriter writer, ulong firstPage, bool includesNote, IProgress<TransferProgress>? progress)
{
    /// <summary>Blocks from one report of progress to the next: 1 MiB.</summary>
    private const int ProgressBlocks = 8;

    private readonly ulong[] _records = new ulong[TransferFormat.BlockRecordsMax];
    private readonly byte[] _contents = new byte[TransferFormat.BlockContentsMax * FileLayout.PageSize];
    private int _recordCount;
    private int _contentCount;
    private EndRecord _totals;
    private ulong _chain;
    private ulong _nextPage;

    /// <summary>Sends.</summary>
    /// <exception cref="HeapTransferException">The other end of the pipe takes no more.</exception>
    public async Task<TransferProgress> RunAsync(CancellationToken cancellation)
    {
        _nextPage = firstPage;
        await WriteHeaderAsync(cancellation).ConfigureAwait(false);
        foreach (var (page, kind) in Changes())
        {
            Add(page, kind);
            if (_recordCount == TransferFormat.BlockRecordsMax || _contentCount == TransferFormat.BlockContentsMax)
            {
                await WritePagesAsync(cancellation).ConfigureAwait(false);
            }
        }

        if (_recordCount > 0)
        {
            await WritePagesAsync(cancellation).ConfigureAwait(false);
        }

        if (includesNote)
        {
            WriteNote();
        }

        await WriteEndAsync(cancellation).ConfigureAwait(false);
        var end = Progress();
        progress?.Report(end);
        return end;
    }

    private IEnumerable<(ulong Page, PageRecordKind Kind)> Changes()
    {
        if (from is null)
        {
            foreach (var page in to.Pages(firstPage))
            {
                yield return (page, PageRecordKind.Added);
            }

            yield break;
        }

        foreach (var difference in to.Store.Watched(new TreeDifference(from, to, firstPage).Pages(), from, to))
        {
            yield return (difference.PageNumber, difference.Kind switch
            {
                PageDifferenceKind.Added => PageRecordKind.Added,
                PageDifferenceKind.Removed => PageRecordKind.Removed,
                _ => PageRecordKind.Changed,
            });
        }
    }

    private void Add(ulong page, PageRecordKind kind)
    {
        if (TransferFormat.HasContent(kind))
        {
            var content = _contents.AsSpan(_contentCount * FileLayout.PageSize, FileLayout.PageSize);
            to.ReadAnywhere(page << FileLayout.PageShift, content);
            if (content.IndexOfAnyExcept((byte)0) < 0)
            {
                kind = kind == PageRecordKind.Added ? PageRecordKind.AddedZero : PageRecordKind.ChangedZero;
            }
            else
            {
                _contentCount++;
            }
        }

        _records[_recordCount++] = TransferFormat.Record(page, kind);
        _totals.Count(kind);
        _nextPage = page + 1;
    }

    private ValueTask WriteHeaderAsync(CancellationToken cancellation)
    {
        var header = new StreamHeader
        {
            Magic = TransferFormat.Magic,
            Version = TransferFormat.Version,
            PageSize = FileLayout.PageSize,
            StoreId = to.Store.Id,
            ToContentId = to.Checkpoint.ContentId,
            FromContentId = from?.Checkpoint.ContentId ?? Guid.Empty,
            ToNumber = (ulong)to.CheckpointNumber,
            FromNumber = (ulong)(from?.CheckpointNumber ?? 0),
            ToTimeTicks = to.Checkpoint.Time.Ticks,
            MappedPages = (ulong)to.MappedPages,
            FirstPage = firstPage,
            Name = RecordText.Encode(to.HeapName, out var nameLength),
            NameLength = nameLength,
        };
        header.Checksum = DiskView.HashWithout(ref header, ref header.Checksum);
        _chain = header.Checksum;
        writer.Write(DiskView.Bytes(ref header));
        _totals.StreamBytes = StreamHeader.Size;
        return FlushAsync(cancellation);
    }

    private async ValueTask WritePagesAsync(CancellationToken cancellation)
    {
        WriteBlock(
            BlockKind.Pages,
            MemoryMarshal.AsBytes(_records.AsSpan(0, _recordCount)),
            _contents.AsSpan(0, _contentCount * FileLayout.PageSize),
            (uint)_recordCount,
            (uint)_contentCount);
        _recordCount = 0;
        _contentCount = 0;
        await FlushAsync(cancellation).ConfigureAwait(false);
        if (_totals.Blocks % ProgressBlocks == 0)
        {
            progress?.Report(Progress());
        }
    }

    private void WriteNote()
    {
        Span<byte> note = stackalloc byte[PersistentHeap.NoteLengthMax];
        if (to.TryReadNote(note, out var length) && length > 0)
        {
            WriteBlock(BlockKind.Note, note[..length], [], 0, 0);
        }
    }

    private ValueTask WriteEndAsync(CancellationToken cancellation)
    {
        _totals.ToContentId = to.Checkpoint.ContentId;
        var end = _totals;
        WriteBlock(BlockKind.End, DiskView.Bytes(ref end), [], 0, 0);
        return FlushAsync(cancellation, isLast: true);
    }

    private void WriteBlock(BlockKind kind, ReadOnlySpan<byte> records, ReadOnlySpan<byte> contents, uint recordCount, uint contentCount)
    {
        var header = new BlockHeader
        {
            Kind = kind,
            Length = (uint)(records.Length + contents.Length),
            Number = _totals.Blocks + 1,
            Records = recordCount,
            Contents = contentCount,
        };
        var hash = new XxHash3((long)_chain);
        hash.Append(DiskView.Bytes(ref header));
        hash.Append(records);
        hash.Append(contents);
        header.Checksum = _chain = hash.GetCurrentHashAsUInt64();
        writer.Write(DiskView.Bytes(ref header));
        writer.Write(records);
        writer.Write(contents);
        _totals.Blocks++;
        _totals.StreamBytes += BlockHeader.Size + header.Length;
    }

    private async ValueTask FlushAsync(CancellationToken cancellation, bool isLast = false)
    {
        cancellation.ThrowIfCancellationRequested();
        var result = await writer.FlushAsync(cancellation).ConfigureAwait(false);
        if (result.IsCanceled)
        {
            throw new OperationCanceledException("Sending was cancelled: a flush of the pipe was.");
        }

        if (result.IsCompleted && !isLast)
        {
            throw new HeapTransferException(
                $"Heap '{to.HeapName}', checkpoint {to.CheckpointNumber}: after {_totals.StreamBytes} bytes the receiver takes no more. Ask it why.");
        }
    }

    private TransferProgress Progress() => new(
        (long)(_totals.Added + _totals.Changed + _totals.Removed),
        from is null && firstPage == 0 ? to.MappedPages : null,
        (long)_totals.StreamBytes,
        _nextPage);
}
