using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Everheap.Engine;

/// <summary>The header of a heap's table of names. All zero in a heap that never had one.</summary>
/// <remarks>
/// The table is a hash table with linear probing. One of <c>n</c> bytes (a power of two) lies <c>n</c> bytes after the header, so that tables of all sizes have places of their own: it grows by
/// filling the next table and then changing the header.
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal struct NamedRootsHeader
{
    public const int Bytes = 64;

    /// <summary>Where the header is: half-way through the engine's own part of the address space. Below are the nodes of address ranges.</summary>
    public const ulong Address = PersistentHeap.AddressEnd + ((PersistentHeap.AddressSpaceBytes - PersistentHeap.AddressEnd) / 2);

    /// <summary>"EHROOTS1".</summary>
    public const ulong MagicValue = 0x3153544F4F524845;

    public const uint VersionValue = 1;

    /// <summary>A page of slots.</summary>
    public const uint SlotCountMin = PersistentHeap.PageSize / NamedRootSlot.Bytes;

    /// <summary>The largest table fits between the header and the end of the address space.</summary>
    public const uint SlotCountMax = (uint)((PersistentHeap.AddressSpaceBytes - Address) / 2 / NamedRootSlot.Bytes);

    public ulong Magic;

    public uint Version;

    /// <summary>Slots of the table: a power of two.</summary>
    public uint SlotCount;

    /// <summary>Names there are.</summary>
    public uint Count;

    /// <summary>Slots that are not empty: names, and removed ones. Never more than 3/4 of the slots, so that every search ends at an empty one.</summary>
    public uint Occupied;

    public readonly bool IsSound =>
        BitOperations.IsPow2(SlotCount) && SlotCount is >= SlotCountMin and <= SlotCountMax && Count <= Occupied && Occupied <= OccupiedMax(SlotCount);

    public static uint OccupiedMax(uint slots) => slots / 4 * 3;

    public static ulong TableBytes(uint slots) => (ulong)slots * NamedRootSlot.Bytes;

    public static ulong TableAddress(uint slots) => Address + TableBytes(slots);

    public readonly ulong SlotAddress(uint index) => TableAddress(SlotCount) + ((ulong)index * NamedRootSlot.Bytes);
}

/// <summary>A slot of the table of names. Slots do not straddle pages.</summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal struct NamedRootSlot
{
    public const int Bytes = 128;

    public const int NameBytesMax = 112;

    /// <summary>What <see cref="NameLength"/> is in a slot whose name was removed. Searches go on past it.</summary>
    public const ushort RemovedMark = ushort.MaxValue;

    public ulong Address;

    /// <summary>The low half of the name's XXH3-64. A name is in the first free slot from this one on, modulo the number of slots.</summary>
    public uint Hash;

    /// <summary>Bytes of the name; 0 in a slot that is empty.</summary>
    public ushort NameLength;

    private readonly ushort _reserved;

    /// <summary>UTF-8, zero after its end.</summary>
    public NameBytes Name;

    public readonly bool IsRemoved => NameLength == RemovedMark;

    public readonly bool IsName => NameLength is > 0 and <= NameBytesMax;

    public readonly bool IsSound => NameLength <= NameBytesMax || IsRemoved;

    [UnscopedRef]
    public readonly ReadOnlySpan<byte> NameSpan => ((ReadOnlySpan<byte>)Name)[..NameLength];

    public readonly bool HasNameOf(in NamedRootSlot other) => Hash == other.Hash && NameSpan.SequenceEqual(other.NameSpan);

    [InlineArray(NameBytesMax)]
    internal struct NameBytes
    {
        private byte _element0;
    }
}
