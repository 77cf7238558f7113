using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

// Moving what an open heap has in the tail of the file: part of the current epoch, like any other change of a page's place. Called by the mutator.
internal sealed unsafe partial class Pager
{
    /// <summary>Leaves looked at in one step, at most.</summary>
    private const int RelocationLeavesMax = 512;

    private ulong _relocationCursor;

    /// <summary>
    /// Moves pages at a place or above it to places that the allocator gives out, a bounded number; those that are changed anyway move by themselves. No checkpoint is
    /// being written.
    /// </summary>
    /// <param name="ceiling">The place.</param>
    /// <param name="pagesMax">Pages to move, at most.</param>
    /// <returns>Whether the whole map has been looked at since a step last returned true, and nothing was found any more.</returns>
    public bool Relocate(ulong ceiling, int pagesMax)
    {
        lock (_gate)
        {
            ThrowIfNotWritable();
            var end = PersistentHeap.AddressSpaceBytes >> FileLayout.PageShift;
            for (var leaves = 0; leaves < RelocationLeavesMax && pagesMax > 0 && _relocationCursor < end; leaves++)
            {
                var leaf = FindNode(1, _relocationCursor >> FileLayout.NodeShift, create: false, out var absentLevel);
                if (leaf < 0)
                {
                    var shift = FileLayout.NodeShift * absentLevel;
                    _relocationCursor = ((_relocationCursor >> shift) + 1) << shift;
                    continue;
                }

                MarkNodesAbove(leaf, ceiling);
                _relocationCursor &= ~(ulong)(FileLayout.NodeEntries - 1);
                pagesMax -= RelocateBelow(leaf, ceiling);
                _relocationCursor += FileLayout.NodeEntries;
            }

            if (_relocationCursor < end)
            {
                return false;
            }

            _relocationCursor = 0;
            return true;
        }
    }

    /// <summary>A leaf, and the nodes over it, that lie in the tail count as changed: the next checkpoint writes them elsewhere.</summary>
    private void MarkNodesAbove(int leaf, ulong ceiling)
    {
        for (var node = leaf; node >= 0; node = _infos[node].Parent)
        {
            var parent = _infos[node].Parent;
            var slot = (int)(FrameKey.Index(_infos[node].Key) & (FileLayout.NodeEntries - 1));
            if (NodeEntry(parent, slot).Place >= ceiling)
            {
                MarkNodeDirty(node);
            }
        }
    }

    private int RelocateBelow(int leaf, ulong ceiling)
    {
        _infos[leaf].Children++; // stays resident while places are found
        try
        {
            var moved = 0;
            for (var slot = 0; slot < FileLayout.NodeEntries;)
            {
                // As many as fit the staging, side by side.
                var count = 0;
                for (; slot < FileLayout.NodeEntries && count < BatchPages; slot++)
                {
                    if (IsToBeRelocated(leaf, slot, ceiling))
                    {
                        _batch[count++] = slot;
                    }
                }

                moved += count;
                RelocateBatch(leaf, count);
            }

            return moved;
        }
        finally
        {
            _infos[leaf].Children--;
        }
    }

    private bool IsToBeRelocated(int leaf, int slot, ulong ceiling)
    {
        if (Entries(leaf)[slot].Place < ceiling)
        {
            return false;
        }

        var page = _relocationCursor + (uint)slot;
        if (TryFindPinned(page, out var range, out var index))
        {
            return range.Marks[index] == 0;
        }

        var frame = _index.Find(page);
        return frame < 0 || _infos[frame].State == FrameState.Clean;
    }

    private void RelocateBatch(int leaf, int count)
    {
        // All is read before any place is taken: what cannot be read then leaves nothing behind.
        for (var i = 0; i < count; i++)
        {
            var page = _relocationCursor + (uint)_batch[i];
            var frame = _index.Find(page);
            if (frame >= 0)
            {
                _pool.Span(frame).CopyTo(Staged(i));
            }
            else
            {
                ReadVerified(Entries(leaf)[_batch[i]], Staged(i), page);
            }
        }

        for (var done = 0; done < count;)
        {
            var place = AllocateCurrent(count - done, out var run);
            _channel.Write((long)(place << FileLayout.PageShift), new ReadOnlySpan<byte>(_staging.Start + ((long)done << FileLayout.PageShift), run << FileLayout.PageShift));
            for (var i = 0; i < run; i++)
            {
                var slot = _batch[done + i];
                SetCurrentEntry(leaf, slot, new MapEntry { Place = place + (uint)i, Checksum = Entries(leaf)[slot].Checksum });
            }

            done += run;
            _epochEvictedBytes += (long)run << FileLayout.PageShift;
        }
    }
}
