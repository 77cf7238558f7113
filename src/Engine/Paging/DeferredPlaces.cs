using System.Runtime.InteropServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

/// <summary>
/// Where pages went that were evicted or dropped while the page map belonged to the checkpoint being written. Looked at before the map; put into the map
/// when that is the current epoch's again.
/// </summary>
/// <remarks>A table with linear probing and no removal but of everything at once; bounded by <see cref="CountMax"/>.</remarks>
internal sealed unsafe class DeferredPlaces : IDisposable
{
    /// <summary>The most that is deferred before the mutator waits for the writer to be done with the map: 1.5 MiB.</summary>
    public const int CountMax = SlotCount / 2;

    /// <summary>Slots of the table.</summary>
    public const int SlotCount = 1 << 16;

    /// <summary>In place of a place: the entry went into the map, or was replaced there, and is to be looked at no more.</summary>
    public const ulong Consumed = ulong.MaxValue;

    private const ulong Golden = 0x9E3779B97F4A7C15;

    private readonly ReservedMemory _memory = new((long)SlotCount * sizeof(Slot));

    private Slot* Slots => (Slot*)_memory.Start;

    /// <summary>How many pages have a deferred place.</summary>
    public int Count { get; private set; }

    /// <summary>The entry of a page; null if it has none here. An entry with place 0 says that the page was dropped.</summary>
    public MapEntry* Find(ulong page)
    {
        if (Count == 0)
        {
            return null;
        }

        var slot = Probe(page);
        return Slots[slot].Key == 0 || Slots[slot].Entry.Place == Consumed ? null : &Slots[slot].Entry;
    }

    /// <summary>The entry of a page, made if it is not there. There is room.</summary>
    public MapEntry* FindOrAdd(ulong page, out bool added)
    {
        var slot = Probe(page);
        added = Slots[slot].Key == 0;
        if (added)
        {
            Slots[slot].Key = page + 1;
            Slots[slot].Entry = default;
            Count++;
        }

        return &Slots[slot].Entry;
    }

    /// <summary>Goes through the entries, a bounded step at a time.</summary>
    /// <param name="position">Where to go on; 0 to start. The number of slots once all have been looked at.</param>
    /// <param name="end">The slot to stop before.</param>
    /// <param name="page">The page of the entry found.</param>
    /// <returns>The next entry that has not been consumed; null if there is none before <paramref name="end"/>.</returns>
    public MapEntry* Next(ref int position, int end, out ulong page)
    {
        for (; position < end; position++)
        {
            var slot = &Slots[position];
            if (slot->Key != 0 && slot->Entry.Place != Consumed)
            {
                page = slot->Key - 1;
                return &slot->Entry;
            }
        }

        page = 0;
        return null;
    }

    /// <summary>Everything is consumed: nothing is found here from now on. True if there was anything, so that <see cref="Wipe"/> is due.</summary>
    public bool Forget()
    {
        var any = Count > 0;
        Count = 0;
        return any;
    }

    /// <summary>
    /// Makes the table ready for new entries, and gives its memory back: few checkpoints defer much. Needs no gate: until the next seal nobody looks into a table that has been forgotten.
    /// </summary>
    public void Wipe() => _memory.Clear();

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    private uint Probe(ulong page)
    {
        var slot = (uint)((page * Golden) >> 48);
        while (Slots[slot].Key != 0 && Slots[slot].Key != page + 1)
        {
            slot = (slot + 1) & (SlotCount - 1);
        }

        return slot;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Slot
    {
        /// <summary>Page number + 1; 0 in an empty slot.</summary>
        public ulong Key;

        public MapEntry Entry;
    }
}
