using System.Buffers;
using System.IO.Hashing;
using System.IO.Pipelines;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Transfer;

/// <summary>Reads a stream and vouches for it: a block is handed out only when it matches its checksum and all that came before it.</summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>One block is in memory, whatever the stream claims: lengths are bounded before anything is read by them.</item>
/// <item>Pages come in ascending order, none below the first that the header names, none twice.</item>
/// <item>A stream that ends before its end record is refused, and nothing after the end record is consumed.</item>
/// </list>
/// </remarks>
internal sealed class TransferStreamReader(PipeReader reader)
{
    private byte[] _buffer = new byte[StreamHeader.Size];
    private StreamHeader _header;
    private EndRecord _totals;
    private ulong _chain;
    private ulong _nextPage;
    private long _position;

    /// <summary>The header, once it was read.</summary>
    public ref readonly StreamHeader Header => ref _header;

    /// <summary>The name of the sender's heap.</summary>
    public string HeapName => RecordText.Decode(_header.Name, _header.NameLength);

    /// <summary>What the stream held so far.</summary>
    public ref readonly EndRecord Totals => ref _totals;

    /// <summary>The note of the sender's heap; empty if there was none.</summary>
    public ReadOnlyMemory<byte> Note { get; private set; }

    /// <summary>Bytes read so far.</summary>
    public long Position => _position;

    /// <summary>The page after the last that was read: everything below it has come.</summary>
    public ulong NextPage => _nextPage;

    /// <summary>Reads and checks the header.</summary>
    /// <exception cref="HeapTransferException">It is not one.</exception>
    public async ValueTask ReadHeaderAsync(CancellationToken cancellation)
    {
        await FillAsync(_buffer.AsMemory(0, StreamHeader.Size), cancellation).ConfigureAwait(false);
        _header = DiskView.As<StreamHeader>(_buffer);
        CheckHeader();
        _chain = _header.Checksum;
        _nextPage = _header.FirstPage;
    }

    /// <summary>Reads and checks the next block of pages.</summary>
    /// <returns>Its records and contents, valid until the next call; none at the end of the stream.</returns>
    /// <exception cref="HeapTransferException">The stream breaks off, or the block does not belong where it is.</exception>
    public async ValueTask<PageBlock> ReadPagesAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var (kind, block) = await ReadBlockAsync(cancellation).ConfigureAwait(false);
            if (kind != BlockKind.Note)
            {
                return block;
            }
        }
    }

    private async ValueTask<(BlockKind Kind, PageBlock Pages)> ReadBlockAsync(CancellationToken cancellation)
    {
        var start = _position;
        await FillAsync(_buffer.AsMemory(0, BlockHeader.Size), cancellation).ConfigureAwait(false);
        var block = DiskView.As<BlockHeader>(_buffer);
        if (!HasPossibleShape(block))
        {
            throw Refused(start, "is not the start of a block");
        }

        if (_buffer.Length < block.Length)
        {
            _buffer = GC.AllocateUninitializedArray<byte>(TransferFormat.PayloadBytesMax);
        }

        var payload = _buffer.AsMemory(0, (int)block.Length);
        await FillAsync(payload, cancellation).ConfigureAwait(false);
        if (HashOf(block, payload.Span) != block.Checksum || block.Number != _totals.Blocks + 1)
        {
            throw Refused(start, "does not match its checksum, or does not follow on what comes before it");
        }

        if (Note.Length > 0 && block.Kind != BlockKind.End)
        {
            throw Refused(start, "matches its checksum, but only the end record may follow the note");
        }

        _chain = block.Checksum;
        PageBlock pages = default;
        switch (block.Kind)
        {
            case BlockKind.End:
                CheckEnd(DiskView.As<EndRecord>(payload.Span), start);
                return (BlockKind.End, default);
            case BlockKind.Note:
                Note = payload.ToArray();
                break;
            default:
                var records = (int)block.Records * TransferFormat.RecordSize;
                pages = new PageBlock(payload[..records], payload[records..]);
                CheckRecords(pages, (int)block.Contents, start);
                break;
        }

        _totals.Blocks++;
        _totals.StreamBytes = (ulong)_position;
        return (block.Kind, pages);
    }

    private static bool HasPossibleShape(in BlockHeader block) => block.Kind switch
    {
        BlockKind.Pages => block.Records is >= 1 and <= TransferFormat.BlockRecordsMax
            && block.Contents <= TransferFormat.BlockContentsMax
            && block.Length == (block.Records * TransferFormat.RecordSize) + (block.Contents * FileLayout.PageSize),
        BlockKind.End => block is { Records: 0, Contents: 0, Length: EndRecord.Size },
        BlockKind.Note => block is { Records: 0, Contents: 0, Length: >= 1 and <= FileLayout.HeapNoteLengthMax },
        _ => false,
    };

    private ulong HashOf(BlockHeader block, ReadOnlySpan<byte> payload)
    {
        block.Checksum = 0;
        var hash = new XxHash3((long)_chain);
        hash.Append(DiskView.Bytes(ref block));
        hash.Append(payload);
        return hash.GetCurrentHashAsUInt64();
    }

    private void CheckHeader()
    {
        if (_header.Magic != TransferFormat.Magic)
        {
            throw new HeapTransferException("This is not a stream that a heap was sent as.");
        }

        if (DiskView.HashWithout(ref _header, ref _header.Checksum) != _header.Checksum)
        {
            throw Refused(0, "is a header that does not match its checksum");
        }

        if (_header.Version != TransferFormat.Version)
        {
            throw new HeapTransferException($"The stream is of version {_header.Version}, and this program reads version {TransferFormat.Version}. Use a newer one.");
        }

        if (_header.PageSize != FileLayout.PageSize
            || _header.ToContentId == Guid.Empty
            || _header.ToNumber is 0 or > TransferFormat.NumberMax
            || _header.MappedPages > TransferFormat.PageEnd
            || _header.FirstPage > TransferFormat.PageEnd
            || _header.NameLength is 0 or > FileLayout.HeapNameBytesMax
            || !IsText(_header.Name, _header.NameLength))
        {
            throw Refused(0, "is a header that matches its checksum, but says what cannot be");
        }

        _totals.StreamBytes = StreamHeader.Size;
    }

    private static bool IsText(HeapRecord.NameBytes name, uint length)
    {
        ReadOnlySpan<byte> bytes = name;
        return System.Text.Unicode.Utf8.IsValid(bytes[..(int)length]);
    }

    private void CheckRecords(PageBlock block, int contents, long start)
    {
        var found = 0;
        for (var i = 0; i < block.Count; i++)
        {
            var record = block[i];
            var page = TransferFormat.PageOf(record);
            var kind = TransferFormat.KindOf(record);
            var isPossible = kind is PageRecordKind.Added or PageRecordKind.AddedZero
                || (kind is > PageRecordKind.None and <= PageRecordKind.ChangedZero && _header.FromContentId != Guid.Empty);
            if (!isPossible || page < _nextPage || page >= TransferFormat.PageEnd)
            {
                throw Refused(start, $"matches its checksum, but its record {i} cannot be: page {page}, kind {(int)kind}");
            }

            _nextPage = page + 1;
            _totals.Count(kind);
            found += TransferFormat.HasContent(kind) ? 1 : 0;
        }

        if (found != contents)
        {
            throw Refused(start, $"matches its checksum, but has {contents} contents for {found} records");
        }
    }

    private void CheckEnd(in EndRecord end, long start)
    {
        var expected = _totals;
        expected.ToContentId = _header.ToContentId;
        var found = end;
        if (!DiskView.Bytes(ref found).SequenceEqual(DiskView.Bytes(ref expected)))
        {
            throw Refused(start, "is an end record that matches its checksum, but counts other pages than came");
        }
    }

    private async ValueTask FillAsync(Memory<byte> destination, CancellationToken cancellation)
    {
        while (!destination.IsEmpty)
        {
            var result = await ReadAsync(cancellation).ConfigureAwait(false);
            var count = (int)Math.Min(result.Buffer.Length, destination.Length);
            var taken = result.Buffer.Slice(0, count);
            taken.CopyTo(destination.Span);
            reader.AdvanceTo(taken.End);
            destination = destination[count..];
            _position += count;
            if (result.IsCanceled)
            {
                throw new OperationCanceledException("Receiving was cancelled: a read of the pipe was.");
            }

            if (result.IsCompleted && result.Buffer.Length == count && !destination.IsEmpty)
            {
                throw BrokenOff(null);
            }
        }
    }

    private async ValueTask<ReadResult> ReadAsync(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        try
        {
            return await reader.ReadAsync(cancellation).ConfigureAwait(false);
        }
        catch (IOException failure)
        {
            throw BrokenOff(failure);
        }
    }

    private HeapTransferException BrokenOff(IOException? failure) => new(
        _position == 0
            ? $"Nothing has come{(failure is null ? "" : $" ({failure.Message})")}. Look at what the sender says."
            : $"The stream breaks off after {_position} bytes, before its end{(failure is null ? "" : $" ({failure.Message})")}. Send the rest, or all of it again.",
        failure)
    {
        BrokeOff = true,
    };

    private static HeapTransferException Refused(long position, string what) =>
        new($"The stream is damaged, or put together from several: what is at byte {position} {what}. Send the rest, or all of it again.");

    /// <summary>Page records and contents.</summary>
    internal readonly struct PageBlock(ReadOnlyMemory<byte> records, ReadOnlyMemory<byte> contents)
    {
        /// <summary>How many records; 0 at the end of the stream.</summary>
        public int Count => records.Length / TransferFormat.RecordSize;

        /// <summary>The contents, in the order of the records that have one.</summary>
        public ReadOnlySpan<byte> Contents => contents.Span;

        /// <summary>A record.</summary>
        public ulong this[int index] => BitConverter.ToUInt64(records.Span[(index * TransferFormat.RecordSize)..]);
    }
}
