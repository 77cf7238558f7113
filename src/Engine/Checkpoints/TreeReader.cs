using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>Reads nodes and pages of a page map straight from the file, verified, without frames: for walks that look at everything once.</summary>
internal static class TreeReader
{
    /// <summary>Reads what an entry refers to; nothing reads as zero.</summary>
    /// <param name="channel">The medium.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="destination">A page.</param>
    /// <param name="heapName">The heap, for messages.</param>
    /// <param name="level">0 for a page, else the node's level.</param>
    /// <param name="index">The page's number, or that of the first page below in units of what the node covers.</param>
    /// <exception cref="HeapCorruptedException">It does not match its checksum, or lies past the end of the file.</exception>
    public static void Read(StoreChannel channel, in MapEntry entry, Span<byte> destination, string heapName, int level, ulong index)
    {
        if (entry.Place == 0)
        {
            destination.Clear();
            return;
        }

        var offset = (long)(entry.Place << FileLayout.PageShift);
        var isInside = entry.Place < (ulong)channel.Length >> FileLayout.PageShift;
        if (isInside)
        {
            channel.Read(offset, destination);
        }

        if (!isInside || DiskView.Hash(destination) != entry.Checksum)
        {
            throw MapDamage.At(channel.Name, heapName, level, index, offset, isInside ? "its checksum does not match" : "its place is past the end of the file");
        }
    }

    /// <summary>The pages of a map that have a place, in the order of their numbers, with their entries.</summary>
    public static IEnumerable<(ulong Page, MapEntry Entry)> Pages(StoreChannel channel, MapEntry root, string heapName, ulong firstPage)
    {
        var nodes = new byte[FileLayout.NodeLevels + 1][];
        return Pages(channel, root, FileLayout.NodeLevels, 0, heapName, firstPage, nodes, new TreeBound(channel, heapName));
    }

    /// <summary>Pages that, written anew, take what a tree has at a place or above it away from there: those that are there themselves, and one below each node that is.</summary>
    public static IReadOnlyList<ulong> PagesAtOrAbove(StoreChannel channel, MapEntry root, string heapName, ulong ceiling)
    {
        var found = new List<ulong>();
        var bound = new TreeBound(channel, heapName);
        Collect(root, FileLayout.NodeLevels, 0);
        return found;

        // The first page below, if there is one; and whether any below is among those found.
        (ulong? First, bool IsAnyFound) Collect(MapEntry entry, int level, ulong index)
        {
            if (entry.Place == 0)
            {
                return default;
            }

            bound.Reach(entry, level, index);
            var isAbove = entry.Place >= ceiling;
            ulong? first = level == 0 ? index : null;
            var isAnyFound = false;
            if (level > 0)
            {
                var node = new byte[FileLayout.PageSize];
                Read(channel, entry, node, heapName, level, index);
                for (var slot = 0; slot < FileLayout.NodeEntries; slot++)
                {
                    var below = Collect(EntryOf(node, slot), level - 1, (index << FileLayout.NodeShift) | (uint)slot);
                    first ??= below.First;
                    isAnyFound |= below.IsAnyFound;
                }
            }

            if (isAbove && !isAnyFound && first is { } page)
            {
                found.Add(page);
                isAnyFound = true;
            }

            return (first, isAnyFound);
        }
    }

    /// <summary>An entry of a node that was read.</summary>
    public static MapEntry EntryOf(byte[] node, int slot) => DiskView.As<MapEntry>(node.AsSpan(slot * MapEntry.Size));

    private static IEnumerable<(ulong Page, MapEntry Entry)> Pages(
        StoreChannel channel, MapEntry entry, int level, ulong index, string heapName, ulong firstPage, byte[][] nodes, TreeBound bound)
    {
        if (entry.Place == 0)
        {
            yield break;
        }

        bound.Reach(entry, level, index);
        if (level == 0)
        {
            yield return (index, entry);
            yield break;
        }

        var node = nodes[level] ??= new byte[FileLayout.PageSize];
        Read(channel, entry, node, heapName, level, index);
        for (var slot = 0; slot < FileLayout.NodeEntries; slot++)
        {
            var child = (index << FileLayout.NodeShift) | (uint)slot;
            var below = FileLayout.NodeShift * (level - 1);
            if (((child + 1) << below) <= firstPage)
            {
                continue;
            }

            foreach (var found in Pages(channel, EntryOf(node, slot), level - 1, child, heapName, firstPage, nodes, bound))
            {
                yield return found;
            }
        }
    }
}
