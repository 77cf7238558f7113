using System.Buffers.Binary;

namespace Everheap.Vm.Wasi.Streams;

/// <summary>
/// The heap's note: how far the outside world has seen what the heap holds. It is written in place between checkpoints, so it
/// survives the death of the process at any moment. Invariant: it never claims more than was done.
/// <para>
/// A store has room for the notes of some heaps only. So there is none before there is something to be known: a program without one has no host directories, writes to no regular file, and since it
/// began, or branched off, no checkpoint of it had output to show.
/// </para>
/// </summary>
/// <remarks>
/// Layout, little-endian: magic (4 bytes), version (2), reserved (2), the program's number (8), seals whose file changes are on the host (8), then
/// for each stream bytes shown (8), device (8), inode (8) and start in the regular file (8; device and inode 0 if it is none); then the checkpoint it was begun at, if that was a
/// branch (8; notes of older stores end before it).
/// The store guards the note with a checksum. Any thread.
/// </remarks>
internal sealed class ReleaseNote
{
    private const uint Magic = 0x4E_48_45_45; // "EEHN"
    private const ushort Version = 1;
    private const int HeaderBytes = 24;
    private const int StreamBytes = 32;
    private const int BranchOffset = HeaderBytes + (2 * StreamBytes);
    private const int NoteBytes = BranchOffset + 8;

    private readonly Lock _gate = new();
    private readonly IHeapSpace _heap;
    private readonly ulong _program;
    private readonly StreamNote[] _streams = new StreamNote[2];
    private ulong _appliedSeal;
    private bool _isWritten;

    private ReleaseNote(IHeapSpace heap, ulong program, long branchCheckpoint)
    {
        _heap = heap;
        _program = program;
        BranchCheckpoint = branchCheckpoint;
    }

    /// <summary>
    /// The checkpoint at which the program was forked, or taken back, when the note was begun: it knows what the program has shown since, and nothing
    /// of what was before. 0 if it was begun with the program.
    /// </summary>
    public long BranchCheckpoint { get; }

    /// <summary>The seal whose file changes, and all before it, are on the host.</summary>
    public ulong AppliedSeal
    {
        get
        {
            lock (_gate)
            {
                return _appliedSeal;
            }
        }
    }

    /// <summary>Starts a new note.</summary>
    /// <param name="heap">The heap.</param>
    /// <param name="program">A number that no other program has but its forks.</param>
    /// <param name="branchCheckpoint">See <see cref="BranchCheckpoint"/>.</param>
    /// <returns>The note, not written yet.</returns>
    public static ReleaseNote Create(IHeapSpace heap, ulong program, long branchCheckpoint) => new(heap, program, branchCheckpoint);

    /// <summary>Reads the note.</summary>
    /// <param name="heap">The heap.</param>
    /// <param name="program">The program's number: a note of another one does not count.</param>
    /// <returns>The note; null if there is none.</returns>
    public static ReleaseNote? TryRead(IHeapSpace heap, ulong program)
    {
        Span<byte> bytes = stackalloc byte[256];
        if (!heap.TryReadNote(bytes, out int length) || length is not (BranchOffset or NoteBytes)
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic
            || BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]) != Version
            || BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]) != program)
        {
            return null;
        }

        long branchCheckpoint = length == NoteBytes ? BinaryPrimitives.ReadInt64LittleEndian(bytes[BranchOffset..]) : 0;
        var note = new ReleaseNote(heap, program, branchCheckpoint) { _appliedSeal = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]), _isWritten = true };
        for (int i = 0; i < 2; i++)
        {
            var entry = bytes.Slice(HeaderBytes + (i * StreamBytes), StreamBytes);
            var identity = new SinkIdentity(BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]), BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]));
            note._streams[i] = new StreamNote(
                BinaryPrimitives.ReadUInt64LittleEndian(entry),
                identity == default ? null : identity,
                BinaryPrimitives.ReadInt64LittleEndian(entry[24..]));
        }

        return note;
    }

    /// <summary>What is known of a stream.</summary>
    /// <param name="stream">1 or 2.</param>
    /// <returns>What is known.</returns>
    public StreamNote Of(int stream)
    {
        lock (_gate)
        {
            return _streams[stream - 1];
        }
    }

    /// <summary>Has the note written, unless it has been.</summary>
    public void Require()
    {
        lock (_gate)
        {
            if (!_isWritten)
            {
                Write();
            }
        }
    }

    /// <summary>Records where a stream begins. That it goes to no regular file is recorded with the rest.</summary>
    /// <param name="stream">1 or 2.</param>
    /// <param name="value">What is known of it now.</param>
    public void Start(int stream, StreamNote value)
    {
        lock (_gate)
        {
            _streams[stream - 1] = value;
            if (_isWritten || value.File is not null)
            {
                Write();
            }
        }
    }

    /// <summary>Records a stream, at once.</summary>
    /// <param name="stream">1 or 2.</param>
    /// <param name="value">What is known of it now.</param>
    public void Record(int stream, StreamNote value)
    {
        lock (_gate)
        {
            _streams[stream - 1] = value;
            Write();
        }
    }

    /// <summary>Records that file changes are on the host, at once.</summary>
    /// <param name="seal">The seal that covers them.</param>
    public void RecordApplied(ulong seal)
    {
        lock (_gate)
        {
            if (seal > _appliedSeal)
            {
                _appliedSeal = seal;
                Write();
            }
        }
    }

    private void Write()
    {
        Span<byte> bytes = stackalloc byte[NoteBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[4..], Version);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[6..], 0);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], _program);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], _appliedSeal);
        for (int i = 0; i < 2; i++)
        {
            var entry = bytes.Slice(HeaderBytes + (i * StreamBytes), StreamBytes);
            var identity = _streams[i].File.GetValueOrDefault();
            BinaryPrimitives.WriteUInt64LittleEndian(entry, _streams[i].Shown);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], identity.Device);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], identity.Inode);
            BinaryPrimitives.WriteInt64LittleEndian(entry[24..], _streams[i].FileStart);
        }

        BinaryPrimitives.WriteInt64LittleEndian(bytes[BranchOffset..], BranchCheckpoint);
        _heap.WriteNote(bytes);
        _isWritten = true;
    }
}

/// <summary>What the note says of a stream.</summary>
/// <param name="Shown">Bytes that were shown.</param>
/// <param name="File">The regular file that they went to; null if it was none.</param>
/// <param name="FileStart">Where in that file the stream's (or, if both go to the same file, both streams') first byte is, or would be.</param>
internal readonly record struct StreamNote(ulong Shown, SinkIdentity? File, long FileStart);
