using System.Buffers.Binary;
using Everheap.Vm.Wasi.State;

namespace Everheap.Vm.Wasi.Streams;

/// <summary>A place in the output: in the log, and in each of the two streams.</summary>
/// <param name="Log">Bytes of the log before it, headers of records included.</param>
/// <param name="Output">Bytes of standard output before it.</param>
/// <param name="Error">Bytes of standard error before it.</param>
internal readonly record struct OutputPosition(ulong Log, ulong Output, ulong Error)
{
    /// <summary>Bytes of one stream before it.</summary>
    /// <param name="stream">1 or 2.</param>
    /// <returns>The number of bytes.</returns>
    public ulong Of(int stream) => stream == 1 ? Output : Error;

    /// <summary>The place after some bytes.</summary>
    /// <param name="stream">Whose bytes.</param>
    /// <param name="count">How many.</param>
    /// <param name="headerBytes">Bytes of the log besides them.</param>
    /// <returns>The place.</returns>
    public OutputPosition After(int stream, int count, int headerBytes) => new(
        Log + (ulong)(count + headerBytes),
        Output + (stream == 1 ? (ulong)count : 0),
        Error + (stream == 2 ? (ulong)count : 0));
}

/// <summary>Output that a checkpoint covers, taken out of the heap so that another thread can show it.</summary>
/// <param name="Start">Where it starts.</param>
/// <param name="Records">Whole records of the log.</param>
internal sealed record OutputBatch(OutputPosition Start, byte[] Records);

/// <summary>
/// What the program printed and nobody has seen: a ring of records in the heap, both streams in the order in which they were
/// written. Invariants: what lies between the head (everything before it was shown) and the tail is never overwritten;
/// a record does not grow after a seal, so that each batch has whole records.
/// </summary>
/// <remarks>A record: its length in the lower 31 bits and standard error in the highest (4 bytes), then its bytes. Mutator thread only.</remarks>
internal sealed class OutputLog
{
    /// <summary>Bytes before the bytes of a record.</summary>
    public const int HeaderBytes = 4;

    private const uint ErrorBit = 1u << 31;
    private const int Capacity = WasiLimits.OutputLogBytes;

    private readonly IHeapSpace _heap;
    private readonly ulong _address;
    private OutputPosition _head;
    private OutputPosition _sealed;
    private OutputPosition _tail;
    private ulong _openRecord;
    private int _openLength;
    private int _openStream;

    /// <summary>Makes an empty log.</summary>
    /// <param name="heap">The heap.</param>
    public OutputLog(IHeapSpace heap)
        : this(heap, heap.Allocate(Capacity))
    {
    }

    private OutputLog(IHeapSpace heap, ulong address)
    {
        _heap = heap;
        _address = address;
    }

    /// <summary>The end.</summary>
    public OutputPosition Tail => _tail;

    /// <summary>Bytes that no seal has covered.</summary>
    public long UnsealedBytes => (long)(_tail.Log - _sealed.Log);

    /// <summary>Reads the log that <see cref="Write"/> described.</summary>
    /// <param name="heap">The heap.</param>
    /// <param name="reader">The state.</param>
    /// <returns>The log; all of it still counts as not shown and not sealed.</returns>
    public static OutputLog Read(IHeapSpace heap, ref StateReader reader)
    {
        var log = new OutputLog(heap, reader.Address(Capacity));
        log._head = new OutputPosition(reader.U64(), reader.U64(), reader.U64());
        log._tail = new OutputPosition(reader.U64(), reader.U64(), reader.U64());
        if (log._tail.Log < log._head.Log || log._tail.Log - log._head.Log > Capacity)
        {
            throw reader.Fault($"output from {log._head.Log} to {log._tail.Log} does not fit its log");
        }

        log._sealed = log._head;
        return log;
    }

    /// <summary>Writes where the log is and what it holds.</summary>
    /// <param name="writer">The state.</param>
    public void Write(StateWriter writer)
    {
        writer.U64(_address);
        foreach (var position in (ReadOnlySpan<OutputPosition>)[_head, _tail])
        {
            writer.U64(position.Log);
            writer.U64(position.Output);
            writer.U64(position.Error);
        }
    }

    /// <summary>Everything before this place was shown: its room can be used again.</summary>
    /// <param name="head">The place.</param>
    public void Advance(OutputPosition head)
    {
        if (head.Log > _head.Log)
        {
            _head = head;
        }
    }

    /// <summary>Bytes that can be appended now.</summary>
    /// <param name="stream">1 or 2.</param>
    /// <returns>The number of bytes.</returns>
    public int Room(int stream)
    {
        int free = Capacity - (int)(_tail.Log - _head.Log);
        return Math.Max(0, _openStream == stream ? free : free - HeaderBytes);
    }

    /// <summary>Appends what the program wrote.</summary>
    /// <param name="stream">1 or 2.</param>
    /// <param name="bytes">No more than there is room for.</param>
    public void Append(int stream, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return;
        }

        int headerBytes = 0;
        if (_openStream != stream)
        {
            _openStream = stream;
            _openRecord = _tail.Log;
            _openLength = 0;
            headerBytes = HeaderBytes;
        }

        WriteRing(_tail.Log + (ulong)headerBytes, bytes);
        _openLength += bytes.Length;
        Span<byte> header = stackalloc byte[HeaderBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(header, (uint)_openLength | (stream == 2 ? ErrorBit : 0));
        WriteRing(_openRecord, header);
        _tail = _tail.After(stream, bytes.Length, headerBytes);
    }

    /// <summary>Gives up all that the log holds: it belongs to the program that this one was forked from, or to a way that was left.</summary>
    public void Disown()
    {
        _head = _tail;
        _sealed = _tail;
    }

    /// <summary>All that the log holds.</summary>
    /// <param name="head">Where it starts.</param>
    /// <returns>The output; null if there is none.</returns>
    public OutputBatch? Owed(out OutputPosition head)
    {
        head = _head;
        if (_tail.Log == _head.Log)
        {
            return null;
        }

        byte[] records = new byte[_tail.Log - _head.Log];
        ReadRing(_head.Log, records);
        return new OutputBatch(_head, records);
    }

    /// <summary>Takes out what the next checkpoint is the first to cover.</summary>
    /// <returns>The output; null if there is none.</returns>
    public OutputBatch? Seal()
    {
        _openStream = 0;
        if (_tail.Log == _sealed.Log)
        {
            return null;
        }

        byte[] records = new byte[_tail.Log - _sealed.Log];
        ReadRing(_sealed.Log, records);
        var batch = new OutputBatch(_sealed, records);
        _sealed = _tail;
        return batch;
    }

    /// <summary>Reads the header of a record.</summary>
    /// <param name="records">Starts with the record.</param>
    /// <param name="stream">1 or 2.</param>
    /// <param name="length">The number of its bytes, which follow the header.</param>
    /// <exception cref="InvalidDataException">The record is longer than what is there.</exception>
    public static void ReadHeader(ReadOnlySpan<byte> records, out int stream, out int length)
    {
        uint header = records.Length >= HeaderBytes ? BinaryPrimitives.ReadUInt32LittleEndian(records) : uint.MaxValue;
        stream = (header & ErrorBit) != 0 ? 2 : 1;
        length = (int)(header & ~ErrorBit);
        if (length > records.Length - HeaderBytes)
        {
            throw new InvalidDataException($"The program's output log is damaged: a record of {length} bytes where {records.Length} are left.");
        }
    }

    private void WriteRing(ulong position, ReadOnlySpan<byte> bytes)
    {
        int offset = (int)(position % Capacity);
        int first = Math.Min(bytes.Length, Capacity - offset);
        _heap.Write(_address + (ulong)offset, bytes[..first]);
        if (first < bytes.Length)
        {
            _heap.Write(_address, bytes[first..]);
        }
    }

    private void ReadRing(ulong position, Span<byte> bytes)
    {
        int offset = (int)(position % Capacity);
        int first = Math.Min(bytes.Length, Capacity - offset);
        _heap.Read(_address + (ulong)offset, bytes[..first]);
        if (first < bytes.Length)
        {
            _heap.Read(_address, bytes[first..]);
        }
    }
}
