using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// Compares two page maps from their roots down. They are Merkle trees: entries that are equal stand for everything below them, so only what differs is
/// looked at.
/// </summary>
/// <param name="before">One checkpoint.</param>
/// <param name="after">The other; of the same store.</param>
/// <param name="firstPage">The page to start from.</param>
internal sealed class TreeDifference(HeapSnapshot before, HeapSnapshot after, ulong firstPage = 0)
{
    private readonly StoreChannel _channel = after.Store.Channel;
    private readonly TreeBound _boundBefore = new(before.Store.Channel, before.HeapName);
    private readonly TreeBound _boundAfter = new(after.Store.Channel, after.HeapName);

    /// <summary>The pages that differ, in the order of their numbers.</summary>
    public IEnumerable<PageDifference> Pages() => Compare(before.MapRoot, after.MapRoot, FileLayout.NodeLevels, 0, new byte[2 * FileLayout.NodeLevels + 2][]);

    private IEnumerable<PageDifference> Compare(MapEntry a, MapEntry b, int level, ulong index, byte[][] buffers)
    {
        if (a.Place == b.Place || ((index + 1) << (FileLayout.NodeShift * level)) <= firstPage)
        {
            yield break; // the same, or nothing, on both sides; or all of it is before the start
        }

        if (a.Place != 0)
        {
            _boundBefore.Reach(a, level, index);
        }

        if (b.Place != 0)
        {
            _boundAfter.Reach(b, level, index);
        }

        var left = buffers[2 * level] ??= new byte[FileLayout.PageSize];
        var right = buffers[(2 * level) + 1] ??= new byte[FileLayout.PageSize];
        if (level == 0)
        {
            if (a.Place == 0 || b.Place == 0)
            {
                yield return new PageDifference(index, a.Place == 0 ? PageDifferenceKind.Added : PageDifferenceKind.Removed);
                yield break;
            }

            // Written again, perhaps with the same content: equal checksums say so nearly for certain, and the content for certain.
            if (a.Checksum == b.Checksum)
            {
                TreeReader.Read(_channel, a, left, before.HeapName, level, index);
                TreeReader.Read(_channel, b, right, after.HeapName, level, index);
                if (left.AsSpan().SequenceEqual(right))
                {
                    yield break;
                }
            }

            yield return new PageDifference(index, PageDifferenceKind.Changed);
            yield break;
        }

        TreeReader.Read(_channel, a, left, before.HeapName, level, index);
        TreeReader.Read(_channel, b, right, after.HeapName, level, index);
        for (var slot = 0; slot < FileLayout.NodeEntries; slot++)
        {
            var below = Compare(
                TreeReader.EntryOf(left, slot), TreeReader.EntryOf(right, slot), level - 1, (index << FileLayout.NodeShift) | (uint)slot, buffers);
            foreach (var difference in below)
            {
                yield return difference;
            }
        }
    }
}
