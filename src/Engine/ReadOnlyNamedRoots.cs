using System.Buffers;
using System.Collections;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace Everheap.Engine;

/// <summary>The names of a heap, and the addresses they stand for, to read.</summary>
/// <remarks>Those of a checkpoint may be read by any number of threads at once; those of a heap, by its mutator thread alone.</remarks>
public class ReadOnlyNamedRoots : IEnumerable<KeyValuePair<string, ulong>>
{
    /// <summary>The longest name, in bytes of UTF-8.</summary>
    public const int NameBytesMax = NamedRootSlot.NameBytesMax;

    private readonly IHeapReader _reader;

    internal ReadOnlyNamedRoots(IHeapReader reader) => _reader = reader;

    /// <summary>How many names there are.</summary>
    /// <exception cref="HeapCorruptedException">The table of names is damaged, or a page does not match its checksum.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public int Count => (int)ReadHeader().Count;

    /// <summary>Another number after every change that is made through this object.</summary>
    private protected long Changes { get; set; }

    /// <summary>Looks a name up.</summary>
    /// <param name="name">1 to <see cref="NameBytesMax"/> bytes in UTF-8. Names are compared byte by byte.</param>
    /// <param name="address">What it stands for; 0 if there is no such name.</param>
    /// <returns>Whether there is such a name.</returns>
    /// <remarks>Reads two or three pages, however many names there are.</remarks>
    /// <exception cref="ArgumentException">The name is empty, too long, or not well-formed UTF-16.</exception>
    /// <exception cref="HeapCorruptedException">The table of names is damaged, or a page does not match its checksum.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public bool TryGet(string name, out ulong address)
    {
        var key = Key(name);
        var isThere = TryFind(ReadHeader(), key, out _, out var slot);
        address = isThere ? slot.Address : 0;
        return isThere;
    }

    /// <summary>Enumerates names and addresses, in no particular order.</summary>
    /// <exception cref="InvalidOperationException">While moving on: a name was set or removed meanwhile.</exception>
    /// <exception cref="HeapCorruptedException">While moving on: the table of names is damaged, or a page does not match its checksum.</exception>
    /// <exception cref="ObjectDisposedException">While moving on: the heap is closed.</exception>
    public IEnumerator<KeyValuePair<string, ulong>> GetEnumerator()
    {
        var changes = Changes;
        var header = ReadHeader();
        uint names = 0;
        for (uint i = 0; i < header.SlotCount; i++)
        {
            var slot = ReadSlot(header, i);
            if (!slot.IsName)
            {
                continue;
            }

            names++;
            yield return KeyValuePair.Create(NameOf(slot), slot.Address);
            if (changes != Changes)
            {
                throw new InvalidOperationException("A name was set or removed while names were enumerated.");
            }
        }

        if (names != header.Count)
        {
            throw Damaged($"it has {names} names, and says that it has {header.Count}");
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>A slot with a name and its hash, and no address yet.</summary>
    private protected static NamedRootSlot Key(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        NamedRootSlot key = default;
        Span<byte> bytes = key.Name;
        var status = Utf8.FromUtf16(name, bytes, out _, out var length, replaceInvalidSequences: false);
        if (status != OperationStatus.Done)
        {
            throw new ArgumentException(
                status == OperationStatus.DestinationTooSmall
                    ? $"A name has at most {NameBytesMax} bytes in UTF-8, and '{name}' has {Encoding.UTF8.GetByteCount(name)}."
                    : "A name is well-formed UTF-16, and this one has half of a surrogate pair.",
                nameof(name));
        }

        // What was half written before it was found too long is gone with the exception.
        key.NameLength = (ushort)length;
        key.Hash = Hash(key);
        return key;
    }

    /// <summary>Looks for a name.</summary>
    /// <param name="header">The header as it is.</param>
    /// <param name="key">The name and its hash.</param>
    /// <param name="index">The slot that has the name; if none has, the one that it goes into.</param>
    /// <param name="slot">What is in that slot.</param>
    private protected bool TryFind(in NamedRootsHeader header, in NamedRootSlot key, out uint index, out NamedRootSlot slot)
    {
        index = 0;
        slot = default;
        var removedIndex = 0u;
        NamedRootSlot? removed = null;
        for (uint step = 0; step < header.SlotCount; step++)
        {
            index = (key.Hash + step) & (header.SlotCount - 1);
            slot = ReadSlot(header, index);
            if (slot.IsName)
            {
                if (slot.HasNameOf(key))
                {
                    return true;
                }
            }
            else if (slot.IsRemoved)
            {
                if (removed is null)
                {
                    (removed, removedIndex) = (slot, index);
                }
            }
            else
            {
                if (removed is { } first)
                {
                    (slot, index) = (first, removedIndex);
                }

                return false;
            }
        }

        return header.SlotCount == 0 ? false : throw Damaged("it has no empty slot");
    }

    /// <summary>Reads the header, and doubts it. It is all zero in a heap that never had a name.</summary>
    private protected NamedRootsHeader ReadHeader()
    {
        NamedRootsHeader header = default;
        _reader.ReadAnywhere(NamedRootsHeader.Address, MemoryMarshal.AsBytes(new Span<NamedRootsHeader>(ref header)));
        if (header.Magic == 0)
        {
            return default;
        }

        if (header.Magic != NamedRootsHeader.MagicValue)
        {
            throw Damaged("its header is not one");
        }

        if (header.Version > NamedRootsHeader.VersionValue)
        {
            throw new HeapFormatException(
                $"Heap '{_reader.HeapName}': its table of names has version {header.Version}, and this program knows version {NamedRootsHeader.VersionValue}. Open it with a newer one.");
        }

        return header.IsSound ? header : throw Damaged("its header contradicts itself");
    }

    /// <summary>Reads a slot, and doubts it.</summary>
    private protected NamedRootSlot ReadSlot(in NamedRootsHeader header, uint index)
    {
        NamedRootSlot slot = default;
        _reader.ReadAnywhere(header.SlotAddress(index), MemoryMarshal.AsBytes(new Span<NamedRootSlot>(ref slot)));
        return slot.IsSound && (!slot.IsName || slot.Hash == Hash(slot)) ? slot : throw Damaged($"its slot {index} is not one");
    }

    private static uint Hash(in NamedRootSlot slot) => (uint)XxHash3.HashToUInt64(slot.NameSpan);

    private string NameOf(in NamedRootSlot slot) =>
        Utf8.IsValid(slot.NameSpan) ? Encoding.UTF8.GetString(slot.NameSpan) : throw Damaged("one of its names is not UTF-8");

    private protected HeapCorruptedException Damaged(string what) => new(
        $"Heap '{_reader.HeapName}': its table of names is damaged: {what}. Go back to an earlier checkpoint, or restore from a copy.",
        _reader.HeapName,
        (long)(NamedRootsHeader.Address >> PersistentHeap.PageShift));
}
