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
            var page = index << (FileLayout.NodeShift * level);
            var subject = level == 0 ? $"page {page}" : $"the page map's node over pages {page} to {page + (1UL << (FileLayout.NodeShift * level)) - 1}";
            throw new HeapCorruptedException(
                $"{channel.Name}: heap '{heapName}', {subject}, at file offset {offset}: {(isInside ? "its checksum does not match" : "its place is past the end of the file")}. "
                + "Run verify for the extent of the damage; restore from a copy.",
                heapName,
                (long)page,
                offset);
        }
    }

    /// <summary>The pages of a map that have a place, in the order of their numbers, with their entries.</summary>
    public static IEnumerable<(ulong Page, MapEntry Entry)> Pages(StoreChannel channel, MapEntry root, string heapName, ulong firstPage)
    {
        var nodes = new byte[FileLayout.NodeLevels + 1][];
        return Pages(channel, root, FileLayout.NodeLevels, 0, heapName, firstPage, nodes);
    }

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
