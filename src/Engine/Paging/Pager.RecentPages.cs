namespace Everheap.Engine.Paging;

// Which pages were used lately, as far as the clock knows.
internal sealed unsafe partial class Pager
{
    // Changed in this or the last epoch; or else as often as the clock counts, and once more if it was used since.
    private const int ChangedScore = Frame.UsesMax + 2;

    /// <summary>The pages that are resident and were used lately; of pinned ranges those that have changed lately. Takes the gate.</summary>
    /// <param name="max">How many at most. Where there are more, those that were used most.</param>
    /// <returns>Each as a range, in no order.</returns>
    public List<HeapRange> RecentPages(int max)
    {
        lock (_gate)
        {
            var pages = new List<HeapRange>(Math.Min(max, _pool.Used));
            (int least, int rest) = _pool.Used <= max ? (0, max) : LeastScore(max);
            for (var frame = 0; frame < _pool.Touched && pages.Count < max; frame++)
            {
                if (IsOfPage(frame) && ScoreOf(frame) is var score && (score > least || (score == least && rest-- > 0)))
                {
                    pages.Add(RangeOf(_infos[frame].Key));
                }
            }

            foreach (var range in _pinned)
            {
                for (var index = 0; index < range.Pages && pages.Count < max; index++)
                {
                    if (range.HasChangedLately(index))
                    {
                        pages.Add(RangeOf(range.FirstPage + (ulong)index));
                    }
                }

                range.AgeChanges();
            }

            return pages;
        }
    }

    private static HeapRange RangeOf(ulong page) => new(page << PersistentHeap.PageShift, PersistentHeap.PageSize);

    // Pages of a higher score are taken all, and of this one as many as there is room for.
    private (int Least, int Room) LeastScore(int max)
    {
        Span<int> counts = stackalloc int[ChangedScore + 1];
        counts.Clear();
        for (var frame = 0; frame < _pool.Touched; frame++)
        {
            if (IsOfPage(frame))
            {
                counts[ScoreOf(frame)]++;
            }
        }

        var least = ChangedScore;
        for (; least > 0 && counts[least] <= max; least--)
        {
            max -= counts[least];
        }

        return (least, max);
    }

    private bool IsOfPage(int frame) =>
        _infos[frame].State != FrameState.Free && (_infos[frame].Flags & FrameFlags.Orphan) == 0 && FrameKey.Level(_infos[frame].Key) == 0;

    private int ScoreOf(int frame)
    {
        ref var info = ref _infos[frame];
        return info.State != FrameState.Clean ? ChangedScore : info.Uses + ((info.Flags & FrameFlags.Referenced) != 0 ? 1 : 0);
    }
}
