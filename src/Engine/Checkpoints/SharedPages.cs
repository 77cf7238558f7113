using System.Numerics;
using System.Runtime.InteropServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// Counts how many references pages of the file have beyond the first, so that what heaps, retained checkpoints and forks share comes back when, and only
/// when, the last of them lets go.
/// </summary>
/// <remarks>
/// <para>
/// Reference counts, kept lazily: O. Rodeh, "B-trees, Shadowing, and Clones", ACM Transactions on Storage 3(4), 2008. Whatever refers to a page or node is a
/// reference: an entry of a node (once for each node that is in use, however often that node itself is referred to), a heap's record, a retained checkpoint's, and an
/// entry of the reclaim stack.
/// </para>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>The count of a page is the number of its references less one; what nothing shares has no count, and costs nothing.</item>
/// <item>Retaining and forking count the root once more, and nothing else. Copying a node that is shared counts each of its children once more and itself once
/// less; copying one that is not moves its children over, and its old place is free.</item>
/// <item>Counts change in commits only, and are part of them.</item>
/// </list>
/// </remarks>
internal sealed unsafe class SharedPages(Catalog catalog, StoreChannel channel)
{
    private readonly byte[] _node = new byte[FileLayout.PageSize];

    /// <summary>Whether anything is shared at all.</summary>
    public bool IsEmpty => catalog.SharedPages == 0;

    /// <summary>Told of every place that is given up for good.</summary>
    public Action<ulong>? Freed { get; set; }

    /// <summary>Whether a page has more than one reference.</summary>
    public bool IsShared(ulong place) => !IsEmpty && Peek(place) != 0;

    /// <summary>Counts one reference more.</summary>
    public void Add(ulong place)
    {
        ref var count = ref Count(place);
        catalog.SharedPages += count++ == 0 ? 1u : 0u;
    }

    /// <summary>Sets how many references there are beyond the first. For a rebuilding of all counts.</summary>
    public void Set(ulong place, uint further)
    {
        ref var count = ref Count(place);
        catalog.SharedPages += (further != 0 ? 1u : 0u) - (count != 0 ? 1u : 0u);
        count = further;
    }

    /// <summary>Counts one reference less, if there is more than one.</summary>
    /// <returns>False if there was only one: nobody uses the page any more.</returns>
    public bool TryRemove(ulong place)
    {
        if (IsEmpty || Peek(place) == 0)
        {
            return false;
        }

        ref var count = ref Count(place);
        catalog.SharedPages -= --count == 0 ? 1u : 0u;
        return true;
    }

    /// <summary>
    /// Finds out what becomes of everything that an epoch gave back: what others still refer to is counted once less, and is given back no more.
    /// </summary>
    /// <remarks>From the root down, because whether a page is shared is known only once the nodes above it have been looked at.</remarks>
    /// <exception cref="HeapCorruptedException">A shared node does not match its checksum.</exception>
    public void Resolve(SpaceDelta delta)
    {
        if (IsEmpty && Freed is null)
        {
            return;
        }

        delta.DroppedNodes.Sort((a, b) => b.Level.CompareTo(a.Level));
        foreach (var node in delta.DroppedNodes)
        {
            if (TryRemove(node.Entry.Place))
            {
                Keep(delta, node.Entry.Place);
                foreach (var child in Children(node.Entry, node.Level))
                {
                    if (child.Place != 0)
                    {
                        Add(child.Place);
                    }
                }
            }
        }

        // What is left are pages, and nodes that turned out not to be shared; those are not looked at again, as they have no count.
        foreach (var part in delta.Parts)
        {
            if (part.Dropped != null)
            {
                ResolvePages(part);
            }
        }
    }

    /// <summary>The entries of a node, read from the file and verified.</summary>
    public ReadOnlySpan<MapEntry> Children(in MapEntry node, int level)
    {
        channel.Read((long)(node.Place << FileLayout.PageShift), _node);
        if (DiskView.Hash(_node) != node.Checksum)
        {
            var offset = (long)(node.Place << FileLayout.PageShift);
            throw new HeapCorruptedException(
                $"{channel.Name}: a shared node of a page map (level {level}), at file offset {offset}, does not match its checksum. Run verify; restore from a copy.",
                fileOffset: offset);
        }

        return MemoryMarshal.Cast<byte, MapEntry>(_node);
    }

    private static void Keep(SpaceDelta delta, ulong place) =>
        Region.Clear(delta.Find((int)(place >> FileLayout.RegionShift))!.Dropped, (int)(place & (FileLayout.RegionPages - 1)));

    private void ResolvePages(SpaceDelta.Part part)
    {
        var first = (ulong)part.Region.Index << FileLayout.RegionShift;
        for (var word = 0; word < FileLayout.BitmapWords; word++)
        {
            for (var bits = part.Dropped[word]; bits != 0; bits &= bits - 1)
            {
                var bit = (word << 6) + BitOperations.TrailingZeroCount(bits);
                if (TryRemove(first + (uint)bit))
                {
                    Region.Clear(part.Dropped, bit);
                }
                else
                {
                    Freed?.Invoke(first + (uint)bit);
                }
            }
        }
    }

    private uint Peek(ulong place)
    {
        var address = AddressOf(place);
        return *(uint*)(catalog.Pages.Load(address >> FileLayout.PageShift) + (address & (FileLayout.PageSize - 1)));
    }

    private ref uint Count(ulong place)
    {
        var address = AddressOf(place);
        return ref *(uint*)(catalog.Pages.Store(address >> FileLayout.PageShift) + (address & (FileLayout.PageSize - 1)));
    }

    /// <summary>Where the count of a place is. A place past the end of the file has none: the node that names it holds what cannot be.</summary>
    private ulong AddressOf(ulong place) => place < (ulong)channel.Length >> FileLayout.PageShift
        ? CatalogLayout.CountAddress(place)
        : throw new HeapCorruptedException($"{channel.Name}: a node of a page map refers to page {place} of the file, past its end. Run verify; restore from a copy.");
}
