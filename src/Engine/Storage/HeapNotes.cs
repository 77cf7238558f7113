using System.Runtime.InteropServices;

namespace Everheap.Engine.Storage;

/// <summary>Whose a note is: a heap, on the way that it has gone since it was created, forked, or last went back.</summary>
/// <param name="HeapId">The heap's id.</param>
/// <param name="Lineage">See <see cref="HeapNoteRecord.Lineage"/>.</param>
internal readonly record struct NoteOwner(uint HeapId, ulong Lineage)
{
    /// <summary>The owner that a heap's record names.</summary>
    public static NoteOwner Of(in HeapRecord heap)
    {
        ReadOnlySpan<ulong> identity = [heap.Id, (ulong)heap.CreatedTicks, heap.BranchNumber];
        return new NoteOwner(heap.Id, DiskView.Hash(MemoryMarshal.AsBytes(identity)));
    }
}

/// <summary>Notes of heaps: a few bytes each, outside the checkpoints, at fixed places of the file.</summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>A heap's newest note is not written over before its other slot holds a newer one: a write that is cut off costs that note alone.</item>
/// <item>A note is served only to the heap that wrote it, and not after that heap went back: it speaks of a way that was left.</item>
/// <item>A pair of slots serves one heap for as long as that exists. When all are taken, a heap without one is refused; none loses its note to another.</item>
/// </list>
/// <para>
/// Nothing is flushed here, as with <see cref="NoteSlots"/>: the death of the process costs nothing, a power cut what was noted since the last flush. Read at
/// the first use. Thread safe.
/// </para>
/// </remarks>
internal sealed class HeapNotes(StoreChannel channel)
{
    private readonly Lock _lock = new();
    private Pair[]? _pairs;
    private ulong _sequence;

    /// <summary>Replaces a heap's note.</summary>
    /// <param name="owner">The heap.</param>
    /// <param name="note">At most <see cref="FileLayout.HeapNoteLengthMax"/> bytes.</param>
    /// <param name="exists">Whether there still is a heap of an id. Asked only if a pair of slots has to be taken over.</param>
    /// <exception cref="HeapException">All pairs of slots belong to other heaps.</exception>
    public void Write(NoteOwner owner, ReadOnlySpan<byte> note, Func<uint, bool> exists)
    {
        lock (_lock)
        {
            var pairs = Loaded();
            ref var pair = ref pairs[PairFor(pairs, owner, exists)];
            HeapNoteRecord record = default;
            record.Sequence = ++_sequence;
            record.Lineage = owner.Lineage;
            record.HeapId = owner.HeapId;
            record.Length = (uint)note.Length;
            note.CopyTo(record.Bytes);
            record.Checksum = DiskView.HashWithout(ref record, ref record.Checksum);
            var slot = pair.Slot ^ 1;
            channel.Write(FileLayout.HeapNoteOffset(pair.Index, slot), DiskView.Bytes(ref record));
            pair = new Pair(pair.Index, slot, record);
        }
    }

    /// <summary>Reads a heap's newest note.</summary>
    /// <param name="owner">The heap.</param>
    /// <param name="destination">At least as long as the note.</param>
    /// <param name="length">The note's length in bytes; 0 if there is none.</param>
    /// <returns>False if there is none.</returns>
    public bool TryRead(NoteOwner owner, Span<byte> destination, out int length)
    {
        lock (_lock)
        {
            foreach (var pair in Loaded())
            {
                var record = pair.Current;
                if (record.HeapId == owner.HeapId && record.Lineage == owner.Lineage)
                {
                    length = (int)record.Length;
                    ReadOnlySpan<byte> bytes = record.Bytes;
                    bytes[..length].CopyTo(destination);
                    return true;
                }
            }
        }

        length = 0;
        return false;
    }

    private Pair[] Loaded() => _pairs ??= Load();

    private Pair[] Load()
    {
        const long Start = (long)FileLayout.HeapNotePage << FileLayout.PageShift;
        var bytes = new byte[FileLayout.HeapNotePages << FileLayout.PageShift];
        channel.Read(Start, bytes);
        var pairs = new Pair[FileLayout.HeapNoteCountMax];
        for (var i = 0; i < pairs.Length; i++)
        {
            // Of a pair that was never written the first slot is the next.
            pairs[i] = new Pair(i, 1, default);
            for (var slot = 0; slot < 2; slot++)
            {
                var record = DiskView.As<HeapNoteRecord>(bytes.AsSpan((int)(FileLayout.HeapNoteOffset(i, slot) - Start)));
                var isWhole = record.HeapId != 0
                    && record.Length <= FileLayout.HeapNoteLengthMax
                    && record.Checksum == DiskView.HashWithout(ref record, ref record.Checksum);
                if (isWhole && record.Sequence > pairs[i].Current.Sequence)
                {
                    pairs[i] = new Pair(i, slot, record);
                }
            }

            _sequence = Math.Max(_sequence, pairs[i].Current.Sequence);
        }

        return pairs;
    }

    private int PairFor(Pair[] pairs, NoteOwner owner, Func<uint, bool> exists)
    {
        var index = Array.FindIndex(pairs, pair => pair.Current.HeapId == owner.HeapId);
        if (index < 0)
        {
            index = Array.FindIndex(pairs, pair => pair.Current.HeapId == 0);
        }

        if (index < 0)
        {
            index = Array.FindIndex(pairs, pair => !exists(pair.Current.HeapId));
        }

        return index >= 0
            ? index
            : throw new HeapException(
                $"{channel.Name}: {pairs.Length} heaps of this store have notes, the most that can. Drop a heap that is not needed, or move this one into a store of its own.");
    }

    /// <summary>The two slots of a heap.</summary>
    /// <param name="Index">Which pair it is.</param>
    /// <param name="Slot">The slot that holds.</param>
    /// <param name="Current">What it holds; its heap's id is 0 if nothing.</param>
    private readonly record struct Pair(int Index, int Slot, HeapNoteRecord Current);
}
