using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// Ends a walk over a page map that reaches more than its file holds. A page map has each place once, so such a map was not made by this program; without a bound, one in which every
/// node names the same child 256 times takes a walk of 2^40 steps through five nodes.
/// </summary>
/// <param name="channel">The medium.</param>
/// <param name="heapName">The heap, for messages.</param>
internal sealed class TreeBound(StoreChannel channel, string heapName)
{
    private long _reached;

    /// <summary>Counts a page or node that the walk has come to.</summary>
    /// <param name="entry">What refers to it; not nothing.</param>
    /// <param name="level">0 for a page, else the node's level.</param>
    /// <param name="index">The page's number, or that of the first page below in units of what the node covers.</param>
    /// <exception cref="HeapCorruptedException">The walk has come to more than there can be.</exception>
    public void Reach(in MapEntry entry, int level, ulong index)
    {
        if (++_reached > channel.Length >> FileLayout.PageShift)
        {
            throw MapDamage.At(
                channel.Name, heapName, level, index, (long)(entry.Place << FileLayout.PageShift), "the page map reaches more pages than the file has, so some of them more than once");
        }
    }
}
