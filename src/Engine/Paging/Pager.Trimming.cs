using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

// Giving memory back that is not needed to hold what has changed. Called by the mutator.
internal sealed unsafe partial class Pager
{
    /// <summary>Takes the frames back of everything that can be read from the file again, and gives all memory back that holds nothing then. Writes nothing. Takes the gate.</summary>
    public void Trim()
    {
        lock (_gate)
        {
            foreach (var window in _windows)
            {
                window.ClearAll();
            }

            _cache?.ClearAll();

            // From the bottom up: nodes are childless only when what is below them is gone. The root stays.
            for (var level = 0; level < FileLayout.NodeLevels; level++)
            {
                for (var frame = 0; frame < _pool.Touched; frame++)
                {
                    ref var info = ref _infos[frame];
                    if (info.State == FrameState.Clean && info.Children == 0 && (info.Flags & FrameFlags.Pinned) == 0 && FrameKey.Level(info.Key) == level)
                    {
                        Evict(frame);
                    }
                }
            }

            _pool.Trim();
            _staging.GiveBack(0, (long)BatchPages << FileLayout.PageShift);
        }
    }
}
