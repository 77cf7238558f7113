using System.Diagnostics;
using System.Runtime.CompilerServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

// The way of a fault: resident already, or leaf, frame, place, content, checksum. Called under the gate, by the mutator.
internal sealed unsafe partial class Pager
{
    /// <summary>The frame of a page, loaded if need be; -1 if the page was never written and is not to be created.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Fault(ulong page, bool create)
    {
        var frame = _index.Find(page);
        if (frame >= 0)
        {
            _softFaults++;
            return frame;
        }

        return LoadPage(page, create, isOverwritten: false);
    }

    /// <summary>The frame of a page, Dirty.</summary>
    private int MakeDirty(ulong page, bool isOverwritten)
    {
        ThrowIfNotWritable();
        var frame = _index.Find(page);
        if (frame < 0)
        {
            frame = LoadPage(page, create: true, isOverwritten);
        }
        else
        {
            _softFaults++;
        }

        while (_infos[frame].State == _sealedState)
        {
            // Copy it if there is a frame to be had. If one had to be made by writing another page, better wait: the writer will have written this one soon.
            if (_isWriterActive ? TryTakeFrameCheaply(out var copy) : TryTakeFrame(out copy))
            {
                return Replace(frame, copy);
            }

            WaitForWriter();
        }

        if (_infos[frame].State == FrameState.Clean)
        {
            _infos[frame].State = _dirtyState;
            _pool.Append(ref _dirty[0], frame);
        }

        return frame;
    }

    /// <summary>Gives a page a new frame with the same content, and leaves the sealed one to the checkpoint writer.</summary>
    private int Replace(int sealedFrame, int copy)
    {
        ref var from = ref _infos[sealedFrame];
        ref var to = ref _infos[copy];
        _pool.Span(sealedFrame).CopyTo(_pool.Span(copy));
        ClearEntries(from.Key);
        _index.Remove(sealedFrame);
        to.Key = from.Key;
        to.Parent = from.Parent;
        to.State = _dirtyState;
        to.Uses = from.Uses;
        to.Flags = from.Flags & (FrameFlags.Referenced | FrameFlags.New);
        from.Flags |= FrameFlags.Orphan;
        _infos[to.Parent].Children++;
        _index.Add(copy);
        _pool.Append(ref _dirty[0], copy);
        _sealedCopies++;
        return copy;
    }

    private int LoadPage(ulong page, bool create, bool isOverwritten)
    {
        if (TryFindPinned(page, out _, out _))
        {
            throw new UnreachableException($"Page {page} is in a pinned range, and is to be given a frame.");
        }

        var leaf = FindNode(1, page >> FileLayout.NodeShift, create, out _);
        if (leaf < 0 || (!create && Locate(page, leaf).Place == 0))
        {
            return -1;
        }

        var frame = TakeChildFrame(leaf);

        // Taking a frame may have waited, so the place is looked up only now.
        var entry = Locate(page, leaf);
        if (entry.Place == 0)
        {
            _pool.Span(frame).Clear();
            ClearEntries(page); // the zero frame's
        }
        else if (!isOverwritten)
        {
            ReadInto(frame, leaf, entry, page);
            _faults++;
        }

        Install(frame, page, leaf);
        _infos[frame].Flags |= FrameFlags.New;
        return frame;
    }

    /// <summary>
    /// The frame of a node, loaded if need be. If it is not to be created and there is none, -1, and the level from which on down there is nothing.
    /// </summary>
    private int FindNode(int level, ulong index, bool create, out int absentLevel)
    {
        absentLevel = 0;
        var key = FrameKey.Node(level, index);
        var frame = _index.Find(key);
        if (frame >= 0)
        {
            _infos[frame].Flags |= FrameFlags.Referenced;
            return frame;
        }

        var parent = -1;
        if (level < FileLayout.NodeLevels)
        {
            parent = FindNode(level + 1, index >> FileLayout.NodeShift, create, out absentLevel);
            if (parent < 0)
            {
                return -1;
            }
        }

        var slot = (int)(index & (FileLayout.NodeEntries - 1));
        if (!create && NodeEntry(parent, slot).Place == 0)
        {
            absentLevel = level;
            return -1;
        }

        frame = TakeChildFrame(parent);
        var entry = NodeEntry(parent, slot);
        if (entry.Place == 0)
        {
            _pool.Span(frame).Clear();
        }
        else
        {
            ReadInto(frame, parent, entry, key);
            _mapFaults++;
        }

        Install(frame, key, parent);
        _infos[frame].Flags |= level == FileLayout.NodeLevels ? FrameFlags.Pinned : FrameFlags.Referenced;
        return frame;
    }

    /// <summary>The entry of a node, or the heap's root entry.</summary>
    private MapEntry NodeEntry(int node, int slot) => node < 0 ? MapRoot : Entries(node)[slot];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private MapEntry* Entries(int node) => (MapEntry*)_pool.Content(node);

    /// <summary>Where a page is, as the current epoch sees it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private MapEntry Locate(ulong page, int leaf)
    {
        var deferred = _deferred.Find(page);
        return deferred != null ? *deferred : Entries(leaf)[page & (FileLayout.NodeEntries - 1)];
    }

    /// <summary>A frame for something below a node, which the node is kept resident for from now on.</summary>
    private int TakeChildFrame(int parent)
    {
        if (parent < 0)
        {
            return TakeFrame();
        }

        _infos[parent].Children++;
        try
        {
            return TakeFrame();
        }
        catch
        {
            _infos[parent].Children--;
            throw;
        }
    }

    private void Install(int frame, ulong key, int parent)
    {
        ref var info = ref _infos[frame];
        info.Key = key;
        info.Parent = parent;
        info.State = FrameState.Clean;
        _index.Add(frame);
    }

    /// <summary>Fills a frame from the file and checks what came; gives the frame back if it is not what was written.</summary>
    private void ReadInto(int frame, int parent, in MapEntry entry, ulong key)
    {
        try
        {
            ReadVerified(entry, _pool.Span(frame), key);
        }
        catch
        {
            if (parent >= 0)
            {
                _infos[parent].Children--;
            }

            _pool.Return(frame);
            throw;
        }
    }

    private void ReadVerified(in MapEntry entry, Span<byte> destination, ulong key)
    {
        var offset = (long)(entry.Place << FileLayout.PageShift);
        var length = _channel.Length;
        if (entry.Place > (ulong)(length >> FileLayout.PageShift) - 1)
        {
            throw Corrupted(key, offset, $"its place is past the end of the file ({length} bytes)");
        }

        _channel.Read(offset, destination);
        if (DiskView.Hash(destination) != entry.Checksum)
        {
            throw Corrupted(key, offset, "its checksum does not match");
        }
    }

    private HeapCorruptedException Corrupted(ulong key, long offset, string what) =>
        MapDamage.At(_channel.Name, _heapName, FrameKey.Level(key), FrameKey.Index(key), offset, what);

    /// <summary>Refuses a change if the store takes none.</summary>
    internal void ThrowIfNotWritable()
    {
        _channel.ThrowIfFailed();
        if (_space is null)
        {
            throw new HeapException($"{_channel.Name}: opened for reading only; open it for writing to change it.");
        }
    }
}
