using System.Runtime.InteropServices;

namespace Everheap.Engine;

/// <summary>
/// Names for addresses of a heap, so that what was built in it is found again. They are kept in the heap, and so are part of every checkpoint and every fork.
/// </summary>
/// <remarks>
/// <para>A name keeps nothing alive: releasing what it stands for leaves it, and removing it releases nothing.</para>
/// <para>Invariants: a change is made by changing one slot, so a failed one has changed nothing; the header never says fewer slots in use than there are.</para>
/// </remarks>
public sealed class NamedRoots : ReadOnlyNamedRoots
{
    private readonly PersistentHeap _heap;

    internal NamedRoots(PersistentHeap heap)
        : base(heap) => _heap = heap;

    /// <summary>Gives an address a name, or a name another address.</summary>
    /// <param name="name">1 to <see cref="ReadOnlyNamedRoots.NameBytesMax"/> bytes in UTF-8. Names are compared byte by byte.</param>
    /// <param name="address">Below <see cref="PersistentHeap.AddressEnd"/>.</param>
    /// <remarks>
    /// Reads or writes two or three pages, however many names there are; now and then, when the table is three quarters full, copies it to one twice as long. Tens of thousands of names
    /// are no burden; there can be a hundred million.
    /// </remarks>
    /// <exception cref="ArgumentException">The name is empty, too long, or not well-formed UTF-16; or the address is past the end.</exception>
    /// <exception cref="HeapCorruptedException">The table of names is damaged, or a page does not match its checksum.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file.</exception>
    /// <exception cref="HeapException">The store was opened for reading only, or there are too many names.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public void Set(string name, ulong address)
    {
        var key = Key(name);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(address, PersistentHeap.AddressEnd);
        key.Address = address;
        var header = ReadHeader();
        Changes++;
        if (TryFind(header, key, out var index, out var slot))
        {
            WriteSlot(header.SlotAddress(index), key);
            return;
        }

        if (!slot.IsRemoved && header.Occupied + 1 > NamedRootsHeader.OccupiedMax(header.SlotCount))
        {
            header = Rebuild(header);
            _ = TryFind(header, key, out index, out slot);
        }

        var before = header;
        header.Count++;
        header.Occupied += slot.IsRemoved ? 0u : 1u;
        Replace(before, header, header.SlotAddress(index), key);
    }

    /// <summary>Takes a name away. What it stood for stays.</summary>
    /// <param name="name">The name.</param>
    /// <returns>False if there was no such name.</returns>
    /// <exception cref="ArgumentException">The name is empty, too long, or not well-formed UTF-16.</exception>
    /// <exception cref="HeapCorruptedException">The table of names is damaged, or a page does not match its checksum.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    /// <exception cref="HeapException">The store was opened for reading only.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public bool Remove(string name)
    {
        var key = Key(name);
        var header = ReadHeader();
        if (!TryFind(header, key, out var index, out _))
        {
            return false;
        }

        // The slot is not empty now, but removed: a search for a name behind it goes on.
        Changes++;
        var before = header;
        header.Count--;
        Replace(before, header, header.SlotAddress(index), new NamedRootSlot { NameLength = NamedRootSlot.RemovedMark });
        return true;
    }

    /// <summary>The heap has another checkpoint's names now.</summary>
    internal void OnReverted() => Changes++;

    /// <summary>Makes a table without removed slots, in which there is room for as many names again.</summary>
    private NamedRootsHeader Rebuild(in NamedRootsHeader before)
    {
        var slots = NamedRootsHeader.SlotCountMin;
        while (NamedRootsHeader.OccupiedMax(slots) < 2 * (before.Count + 1) || slots == before.SlotCount)
        {
            slots *= 2; // another size, since that is another place
        }

        if (slots > NamedRootsHeader.SlotCountMax)
        {
            throw new HeapException($"Heap '{_heap.Name}': {before.Count} names are as many as there can be. Remove some.");
        }

        // Nothing of an attempt that failed before is to be found there.
        var table = NamedRootsHeader.TableAddress(slots);
        _heap.ClearAnywhere(table, NamedRootsHeader.TableBytes(slots));
        var after = new NamedRootsHeader
        {
            Magic = NamedRootsHeader.MagicValue,
            Version = NamedRootsHeader.VersionValue,
            SlotCount = slots,
            Count = before.Count,
            Occupied = before.Count,
        };
        uint names = 0;
        for (uint i = 0; i < before.SlotCount && names < before.Count; i++)
        {
            var slot = ReadSlot(before, i);
            if (slot.IsName)
            {
                _ = TryFind(after, slot, out var index, out _);
                WriteSlot(after.SlotAddress(index), slot);
                names++;
            }
        }

        if (names != before.Count)
        {
            throw Damaged($"it has {names} names, and says that it has {before.Count}");
        }

        WriteHeader(after);
        if (before.SlotCount != 0)
        {
            _heap.ClearAnywhere(NamedRootsHeader.TableAddress(before.SlotCount), NamedRootsHeader.TableBytes(before.SlotCount));
        }

        return after;
    }

    /// <summary>Changes header and slot, or neither.</summary>
    private void Replace(in NamedRootsHeader before, in NamedRootsHeader after, ulong slotAddress, in NamedRootSlot slot)
    {
        WriteHeader(after);
        try
        {
            WriteSlot(slotAddress, slot);
        }
        catch
        {
            WriteHeader(before); // its page was made writable a moment ago
            throw;
        }
    }

    private void WriteHeader(NamedRootsHeader header) =>
        _heap.WriteAnywhere(NamedRootsHeader.Address, MemoryMarshal.AsBytes(new Span<NamedRootsHeader>(ref header)));

    private void WriteSlot(ulong address, NamedRootSlot slot) =>
        _heap.WriteAnywhere(address, MemoryMarshal.AsBytes(new Span<NamedRootSlot>(ref slot)));
}
