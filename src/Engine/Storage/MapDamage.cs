namespace Everheap.Engine.Storage;

/// <summary>What is said of a page, or of a node of a page map, that is not what was written.</summary>
internal static class MapDamage
{
    /// <summary>The exception that names it.</summary>
    /// <param name="storeName">The store.</param>
    /// <param name="heapName">The heap.</param>
    /// <param name="level">0 for a page, else the node's level.</param>
    /// <param name="index">The page's number, or that of the first page below in units of what the node covers.</param>
    /// <param name="offset">Where in the file, in bytes.</param>
    /// <param name="what">What is wrong with it.</param>
    public static HeapCorruptedException At(string storeName, string heapName, int level, ulong index, long offset, string what)
    {
        var page = index << (FileLayout.NodeShift * level);
        var subject = level == 0 ? $"page {page}" : $"the page map's node over pages {page} to {page + (1UL << (FileLayout.NodeShift * level)) - 1}";
        return new HeapCorruptedException(
            $"{storeName}: heap '{heapName}', {subject}, at file offset {offset}: {what}. Run verify for the extent of the damage; restore from a copy.",
            heapName,
            (long)page,
            offset);
    }
}
