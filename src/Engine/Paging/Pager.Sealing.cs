using System.Runtime.CompilerServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

// What a checkpoint asks of the pager: the seal, by the mutator; then, by the checkpoint writer, taking sealed frames and entering where they went.
internal sealed unsafe partial class Pager
{
    /// <summary>Deferred places are put into the map this many slots a gate.</summary>
    private const int MergeSlots = 512;

    /// <summary>Dirty frames: pages at [0], nodes at their level.</summary>
    private readonly FrameList[] _dirty = new FrameList[FileLayout.NodeLevels + 1];

    /// <summary>Sealed frames that the writer has not taken yet. The writer's alone between seal and completion.</summary>
    private readonly FrameList[] _sealed = new FrameList[FileLayout.NodeLevels + 1];

    /// <summary>The state of frames changed in the current epoch: Dirty.</summary>
    private FrameState _dirtyState = FrameState.ChangedEven;

    /// <summary>The state of frames changed in the epoch before, as long as the writer has not written them: Sealed.</summary>
    private FrameState _sealedState = FrameState.ChangedOdd;

    /// <summary>What the current epoch took from the file and gave back.</summary>
    private SpaceDelta _delta = new();

    /// <summary>The same of the sealed epoch, until its checkpoint is durable.</summary>
    private SpaceDelta? _sealedDelta;

    /// <summary>Why the sealed epoch could not be written yet, if there was no room.</summary>
    private HeapFullException? _stalled;
    private bool _isMapSealed;
    private bool _isWriterActive;
    private long _epochEvictedPages;
    private long _epochEvictedBytes;

    /// <summary>Closes the epoch: everything Dirty becomes Sealed. The previous checkpoint is complete, so that nothing is Sealed before.</summary>
    /// <remarks>
    /// Takes time by the store entries that were installed in the epoch, and by the marked pages of pinned ranges, and by nothing else. What it throws, it throws before
    /// anything is sealed.
    /// </remarks>
    /// <exception cref="HeapFullException">Pinned pages had to be written, and there is no room.</exception>
    /// <exception cref="HeapFailedException">Pinned pages had to be written, and that failed.</exception>
    /// <param name="evictedPages">Pages written in this epoch already, by eviction.</param>
    /// <param name="evictedBytes">Bytes written in this epoch already, by eviction.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Seal(out long evictedPages, out long evictedBytes)
    {
        lock (_gate)
        {
            SealPinned();
            foreach (var window in _windows)
            {
                window.ClearStores();
            }

            _cache?.ClearStores();
            (_dirtyState, _sealedState) = (_sealedState, _dirtyState);
            for (var level = 0; level <= FileLayout.NodeLevels; level++)
            {
                _sealed[level] = _dirty[level];
                _dirty[level] = FrameList.Empty;
            }

            _sealedDelta = _delta;
            _delta = new SpaceDelta();
            evictedPages = _epochEvictedPages;
            evictedBytes = _epochEvictedBytes;
            _epochEvictedPages = 0;
            _epochEvictedBytes = 0;
            _isMapSealed = true;
            _isWriterActive = true;
        }
    }

    /// <summary>How many sealed frames of a level (0: pages) are to be written.</summary>
    public int SealedCount(int level) => _sealed[level].Count;

    /// <summary>Hands a level's sealed frames over to the writer.</summary>
    public void TakeSealed(int level, Span<ulong> keys, Span<int> frames)
    {
        var count = 0;
        for (var frame = _sealed[level].First; frame >= 0; frame = _infos[frame].Next)
        {
            keys[count] = _infos[frame].Key;
            frames[count++] = frame;
        }

        _sealed[level] = FrameList.Empty;
    }

    /// <summary>The content of a sealed frame, which does not change.</summary>
    public ReadOnlySpan<byte> SealedContent(int frame) => _pool.Span(frame);

    /// <summary>Whether a sealed frame is likelier than others to hold nothing but zeros: cleared pages of pinned ranges do.</summary>
    public bool MayBeEmpty(int frame) => (_infos[frame].Flags & FrameFlags.PinnedCopy) != 0;

    /// <summary>What the sealed epoch took and gave back. The writer's, once the map has been written.</summary>
    public SpaceDelta SealedDelta => _sealedDelta!;

    /// <summary>A run of places for the sealed epoch.</summary>
    public ulong AllocateSealed(int wanted, out int count) => _space!.Allocate(_sealedDelta!, wanted, out count, _isCatalog);

    /// <summary>Takes back sealed frames of a level that could not be written for want of room: they stay sealed.</summary>
    public void ReturnSealed(int level, ReadOnlySpan<int> frames)
    {
        lock (_gate)
        {
            foreach (var frame in frames)
            {
                _pool.Append(ref _sealed[level], frame);
            }
        }
    }

    /// <summary>The writer goes on with an epoch that had no room.</summary>
    public void ResumeWriting()
    {
        lock (_gate)
        {
            _stalled = null;
            _isWriterActive = true;
        }
    }

    /// <summary>The writer stops before the epoch is written, for want of room; until it is resumed, nobody is to wait for it.</summary>
    public void StallWriting(HeapFullException reason)
    {
        lock (_gate)
        {
            _stalled = reason;
            _isWriterActive = false;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Sealed frames have been written: enters where, and lets the mutator have them back.</summary>
    public void EnterSealed(ReadOnlySpan<int> frames, ReadOnlySpan<MapEntry> entries)
    {
        lock (_gate)
        {
            for (var i = 0; i < frames.Length; i++)
            {
                var frame = frames[i];
                ref var info = ref _infos[frame];
                var level = FrameKey.Level(info.Key) + 1;
                if (info.Parent < 0)
                {
                    var root = MapRoot;
                    Exchange(ref root, entries[i], level, isSealed: true);
                    MapRoot = root;
                }
                else
                {
                    SetSealedEntry(info.Parent, (int)(FrameKey.Index(info.Key) & (FileLayout.NodeEntries - 1)), entries[i], level);
                }

                info.State = FrameState.Clean;
                if ((info.Flags & FrameFlags.Orphan) != 0)
                {
                    _infos[info.Parent].Children--;
                    _pool.Return(frame);
                }
            }

            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>The map has been written: it is the current epoch's from here on. Puts into it what was deferred.</summary>
    public void UnsealMap()
    {
        lock (_gate)
        {
            _isMapSealed = false;
        }

        for (var position = 0; position < DeferredPlaces.SlotCount;)
        {
            lock (_gate)
            {
                if (_deferred.Count == 0)
                {
                    break;
                }

                var end = Math.Min(position + MergeSlots, DeferredPlaces.SlotCount);
                MapEntry* deferred;
                while ((deferred = _deferred.Next(ref position, end, out var page)) != null)
                {
                    var leaf = _index.Find(FrameKey.Node(1, page >> FileLayout.NodeShift));
                    var entry = *deferred;
                    var slot = (int)(page & (FileLayout.NodeEntries - 1));
                    if (entry.Place != 0 || Entries(leaf)[slot].Place != 0)
                    {
                        SetCurrentEntry(leaf, slot, entry);
                    }

                    Consume(deferred, leaf);
                }

                Monitor.PulseAll(_gate);
            }
        }

        bool any;
        lock (_gate)
        {
            any = _deferred.Forget();
            Monitor.PulseAll(_gate);
        }

        if (any)
        {
            _deferred.Wipe();
        }
    }

    /// <summary>The writer is done, well or not; nobody is to wait for it any more.</summary>
    public void EndWriting()
    {
        lock (_gate)
        {
            _sealedDelta = null;
            _isResumedForFrames = false;
            _isWriterActive = false;
            Monitor.PulseAll(_gate);
        }
    }

    private void SetSealedEntry(int node, int slot, in MapEntry entry, int level)
    {
        Exchange(ref Entries(node)[slot], entry, level, isSealed: true);
        ref var info = ref _infos[node];
        if (info.State == FrameState.Clean)
        {
            info.State = _sealedState;
            _pool.Append(ref _sealed[level], node);
        }
    }
}
