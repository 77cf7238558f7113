using System.Runtime.ExceptionServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

// Going back: everything resident is forgotten, and another page map is served from now on.
internal sealed unsafe partial class Pager
{
    /// <summary>
    /// Forgets the current epoch and all that is resident, and goes on from another page map, with which pinned ranges are loaded anew. Called by the mutator while no checkpoint is being written and none
    /// has stalled.
    /// </summary>
    /// <param name="mapRoot">The root node of the page map.</param>
    /// <param name="mappedPages">Pages that have a place in it.</param>
    public void Reset(MapEntry mapRoot, long mappedPages)
    {
        var pinned = new (PinnedRange Range, int Pages)[_pinned.Length];
        lock (_gate)
        {
            for (var i = 0; i < pinned.Length; i++)
            {
                pinned[i] = (_pinned[i], _pinned[i].Pages);
                Empty(_pinned[i]);
            }

            foreach (var window in _windows)
            {
                window.ClearAll();
            }

            _cache?.ClearAll();

            _index.Clear();
            _pool.Clear();
            for (var level = 0; level <= FileLayout.NodeLevels; level++)
            {
                _dirty[level] = FrameList.Empty;
                _sealed[level] = FrameList.Empty;
            }

            _hand = 0;
            _deferredLeaves = 0;
            _deferred.Forget();
            _deferred.Wipe();
            _epochEvictedPages = 0;
            _epochEvictedBytes = 0;
            _space!.Abandon(_delta);
            _delta = new SpaceDelta();
            if (_sealedDelta is not null)
            {
                _space.Abandon(_sealedDelta);
                _sealedDelta = null;
            }

            _stalled = null;
            _isMapSealed = false;
            MapRoot = mapRoot;
            MappedPages = mappedPages;
        }

        Refill(pinned);
    }

    /// <summary>Forgets the content of a range.</summary>
    private void Empty(PinnedRange range)
    {
        _pool.Restore(range.Pages);
        range.Wipe(0, range.Pages);
        range.Leaves.Clear();
        range.Pages = 0;
    }

    /// <summary>Loads ranges anew, each as long as it was; one that cannot be loaded is given up, and the others are loaded all the same.</summary>
    private void Refill((PinnedRange Range, int Pages)[] pinned)
    {
        ExceptionDispatchInfo? failure = null;
        foreach (var (range, pages) in pinned)
        {
            try
            {
                Extend(range, pages);
            }
            catch (Exception refusal) when (refusal is HeapException or IOException)
            {
                failure ??= ExceptionDispatchInfo.Capture(refusal);
                Forget(range);
            }
        }

        failure?.Throw();
    }
}
