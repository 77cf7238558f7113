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
        return Pages(channel, root, FileLayout.NodeLevels, 0, heapName, firstPage, nodes);
    }

    /// <summary>Pages that, written anew, take what a tree has at a place or above it away from there: those that are there themselves, and one below each node that is.</summary>
    public static IEnumerable<ulong> PagesAtOrAbove(StoreChannel channel, MapEntry root, string heapName, ulong ceiling)
    {
        var found = new List<ulong>();
        Collect(root, FileLayout.NodeLevels, 0);
        return found;

        bool Collect(MapEntry entry, int level, ulong index)
        {
            if (entry.Place == 0)
            {
                return false;
            }

            var isAbove = entry.Place >= ceiling;
            if (level == 0)
            {
                if (isAbove)
                {
                    found.Add(index);
                }

                return isAbove;
            }

            var node = new byte[FileLayout.PageSize];
            Read(channel, entry, node, heapName, level, index);
            var any = false;
            ulong? first = null;
            for (var slot = 0; slot < FileLayout.NodeEntries; slot++)
            {
                var child = EntryOf(node, slot);
                if (child.Place != 0)
                {
                    var childIndex = (index << FileLayout.NodeShift) | (uint)slot;
                    first ??= childIndex;
                    any |= Collect(child, level - 1, childIndex);
                }
            }

            if (isAbove && !any && first is { } below)
            {
                found.Add(FirstPage(channel, EntryOf(node, (int)(below & (FileLayout.NodeEntries - 1))), level - 1, below, heapName));
                any = true;
            }

            return any;
        }
    }

    /// <summary>The first page below a node.</summary>
    private static ulong FirstPage(StoreChannel channel, MapEntry entry, int level, ulong index, string heapName) =>
        Pages(channel, entry, level, index, heapName, 0, new byte[FileLayout.NodeLevels + 1][]).First().Page;

    /// <summary>An entry of a node that was read.</summary>
    public static MapEntry EntryOf(byte[] node, int slot) => DiskView.As<MapEntry>(node.AsSpan(slot * MapEntry.Size));

    private static IEnumerable<(ulong Page, MapEntry Entry)> Pages(
        StoreChannel channel, MapEntry entry, int level, ulong index, string heapName, ulong firstPage, byte[][] nodes)
    {
        if (entry.Place == 0)
        {
            yield break;
        }

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

            foreach (var found in Pages(channel, EntryOf(node, slot), level - 1, child, heapName, firstPage, nodes))
            {
                yield return found;
            }
        }
    }
}
