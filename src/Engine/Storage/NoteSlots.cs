namespace Everheap.Engine.Storage;

/// <summary>The session note: a few bytes outside the checkpoints, in two slots written in turn.</summary>
/// <remarks>
/// Invariant: the slot that holds the newest note is not written to before the other one holds a newer one; so a write that is cut off costs the
/// newest note at most. Nothing is flushed here (but what was found at opening, once, so that no note speaks of a checkpoint that a power cut takes back): the death of the process costs nothing, a power cut what was noted
/// since the last flush (and may, if it takes both slots' writes apart, cost the note altogether). Thread safe.
/// </remarks>
internal sealed class NoteSlots
{
    private readonly Lock _lock = new();
    private readonly StoreChannel _channel;
    private NoteRecord _current;
    private bool _isPresent;

    private NoteSlots(StoreChannel channel) => _channel = channel;

    /// <summary>Reads the newest note, if there is one.</summary>
    public static NoteSlots Open(StoreChannel channel)
    {
        var slots = new NoteSlots(channel);
        for (var i = 0; i < FileLayout.NoteSlotCount; i++)
        {
            NoteRecord record = default;
            channel.Read(Offset(i), DiskView.Bytes(ref record));
            var isWhole = record.Magic == FileLayout.NoteMagic
                && record.Length <= FileLayout.NoteLengthMax
                && record.Checksum == DiskView.HashWithout(ref record, ref record.Checksum);
            if (isWhole && (!slots._isPresent || record.Sequence > slots._current.Sequence))
            {
                slots._current = record;
                slots._isPresent = true;
            }
        }

        return slots;
    }

    public void Write(ReadOnlySpan<byte> note)
    {
        lock (_lock)
        {
            NoteRecord record = default;
            record.Magic = FileLayout.NoteMagic;
            record.Sequence = _current.Sequence + 1;
            record.Length = (uint)note.Length;
            note.CopyTo(record.Bytes);
            record.Checksum = DiskView.HashWithout(ref record, ref record.Checksum);
            _channel.Write(Offset((int)(record.Sequence % FileLayout.NoteSlotCount)), DiskView.Bytes(ref record));
            _current = record;
            _isPresent = true;
        }
    }

    public bool TryRead(Span<byte> destination, out int length)
    {
        lock (_lock)
        {
            length = (int)_current.Length;
            if (_isPresent)
            {
                ReadOnlySpan<byte> bytes = _current.Bytes;
                bytes[..length].CopyTo(destination);
            }

            return _isPresent;
        }
    }

    private static long Offset(int slot) => (long)(FileLayout.NotePage + slot) << FileLayout.PageShift;
}
