using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// Makes roots. Whatever changes the store goes through here: heaps' checkpoints, and what is done to the catalog (forks, drops, and so on). What
/// arrives while a root is being made goes into the next one together.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>The order: pages and maps (by the heaps' own writers, before they come here); catalog; bitmaps; flush; root; flush. Everything a root
/// reaches is durable before the root is written, and nothing counts as done before the root is durable.</item>
/// <item>Nothing that one of the newest durable roots reaches is written over: the catalog goes to places the allocator gave out as free,
/// bitmaps, directories and roots to the slot that none of those roots uses.</item>
/// <item>A root takes each of its members whole, or not at all.</item>
/// <item>Room is made sure of before anything is changed, so that a full medium refuses a commit instead of breaking it.</item>
/// </list>
/// </remarks>
internal sealed class Committer
{
    /// <summary>References that a commit looks at on behalf of the reclaim stack, so that space comes back as work goes on and none of it stalls.</summary>
    private const int ReclaimPagesPerCommit = 8192;

    /// <summary>Pages that a commit takes at most, besides counts: records, nodes above them.</summary>
    private const int CommitPagesMax = 96;

    private readonly object _commitLock = new();
    private readonly Lock _queueLock = new();
    private readonly StoreChannel _channel;
    private readonly SpaceAllocator _allocator;
    private readonly RootSlots _roots;
    private readonly TimeProvider _time;
    private List<Request> _queue = [];
    private readonly HashSet<HeapEntry> _unpruned = [];
    private bool _hasTakenOver;
    private bool _hasUnpruned;
    private ulong _sequence;

    public Committer(StoreChannel channel, SpaceAllocator allocator, RootSlots roots, Catalog catalog, TimeProvider time)
    {
        _channel = channel;
        _allocator = allocator;
        _roots = roots;
        _time = time;
        Catalog = catalog;
        Shared = new SharedPages(catalog, channel);
        Reclaimer = new Reclaimer(catalog, Shared, channel.Logger);
        _hasTakenOver = roots.Current.Version == FileLayout.Version;
        _sequence = roots.Current.Sequence;
        KeepReserve();
    }

    /// <summary>Changed within <see cref="Execute"/> alone, and looked at there or under <see cref="Synchronized"/>.</summary>
    public Catalog Catalog { get; }

    public Reclaimer Reclaimer { get; }

    public SharedPages Shared { get; }

    /// <summary>Called after a commit that left something to drop or to reclaim.</summary>
    public Action? IdleWorkLeft { get; set; }

    /// <summary>The time, by the store's clock.</summary>
    public DateTime UtcNow => _time.GetUtcNow().UtcDateTime;

    /// <summary>The number of the newest durable root. Any thread.</summary>
    public ulong Sequence => Volatile.Read(ref _sequence);

    /// <summary>Does something while no commit is being made, and makes none.</summary>
    public T Synchronized<T>(Func<T> action)
    {
        lock (_commitLock)
        {
            return action();
        }
    }

    /// <summary>Changes the catalog, and returns when that is durable.</summary>
    /// <param name="change">Refuses with an exception before it changes anything, or changes all.</param>
    /// <exception cref="HeapFullException">There is no room; nothing was changed.</exception>
    /// <exception cref="HeapFailedException">Writing failed, now or earlier.</exception>
    public void Execute(Action change) => Submit(new Request(change, null));

    /// <summary>The same, with a result.</summary>
    public T Execute<T>(Func<T> change)
    {
        T result = default!;
        Submit(new Request(() => result = change(), null));
        return result;
    }

    /// <summary>The same, for a change that takes places from the file and gives some back; if it refuses, those it took are free again.</summary>
    public T Execute<T>(Func<SpaceDelta, T> change)
    {
        T result = default!;
        var delta = new SpaceDelta();
        try
        {
            Submit(new Request(() => result = change(delta), delta));
        }
        catch
        {
            _allocator.Abandon(delta);
            throw;
        }

        return result;
    }

    /// <summary>Makes a heap's epoch its latest checkpoint, and returns when that is durable.</summary>
    /// <exception cref="HeapFullException">There is no room; nothing was changed, and it can be tried again.</exception>
    /// <exception cref="HeapFailedException">Writing failed, now or earlier.</exception>
    public CheckpointInfo Commit(HeapCommit commit)
    {
        CheckpointEntry? entry = null;
        Submit(new Request(() => entry = Advance(commit), commit.Delta) { MayShare = MayRetain(commit.Heap) });
        entry!.DurableAfterTicks = Stopwatch.GetElapsedTime(commit.SealedAt).Ticks;
        return entry.ToInfo(isLatest: true);
    }

    /// <summary>Counts one reference to a tree more: it is retained, forked, or gone back to.</summary>
    public void Share(in MapEntry root)
    {
        if (root.Place != 0)
        {
            Shared.Add(root.Place);
        }
    }

    /// <summary>Whether a commit would find something to drop or to reclaim. A hint, for any thread.</summary>
    public bool HasIdleWork => Catalog.ReclaimCount > 0 || Volatile.Read(ref _hasUnpruned);

    /// <summary>A checkpoint of this heap may be wanted no longer: the next commit looks. Under <see cref="Synchronized"/>.</summary>
    public void PruneLater(HeapEntry heap)
    {
        _unpruned.Add(heap);
        Volatile.Write(ref _hasUnpruned, true);
    }

    /// <summary>Drops the checkpoints of a heap that its policy does not retain, and forgets those that are too old to be remembered.</summary>
    public void Prune(HeapEntry heap)
    {
        var remembered = 0;
        for (var i = heap.Checkpoints.Count - 2; i >= 0; i--)
        {
            var checkpoint = heap.Checkpoints[i];
            if ((checkpoint.Record.Flags & CheckpointFlags.Retained) != 0)
            {
                if (IsWanted(heap, checkpoint))
                {
                    continue;
                }

                DropMap(checkpoint);
                Catalog.Enter(checkpoint);
            }

            if (++remembered > CatalogLayout.HistoryLengthMax - 1)
            {
                Catalog.Remove(checkpoint);
                heap.Checkpoints.RemoveAt(i);
            }
        }
    }

    /// <summary>Gives up a retained checkpoint's map; its record is still to be entered or removed.</summary>
    public void DropMap(CheckpointEntry checkpoint)
    {
        ref var record = ref checkpoint.Record;
        Reclaimer.Drop(record.MapRoot);
        record.MapRoot = default;
        record.MappedPages = 0;
        record.Flags = CheckpointFlags.None;
        record.NameLength = 0;
        record.Name = default;
    }

    /// <summary>Lets a heap's latest checkpoint become one of its older ones: retained with its map, or remembered only.</summary>
    /// <param name="heap">The heap, whose record still has the map.</param>
    /// <param name="isMapMoved">Whether the checkpoint that follows has a map of its own, so that the old one's reference is free to be taken over.</param>
    public void RetireLatest(HeapEntry heap, bool isMapMoved)
    {
        if (heap.Checkpoints.Count == 0)
        {
            return;
        }

        var latest = heap.Checkpoints[^1];
        ref var record = ref latest.Record;
        if (IsWanted(heap, latest, newer: 1))
        {
            record.Flags |= CheckpointFlags.Retained;
            record.MapRoot = heap.Record.MapRoot;
            record.MappedPages = heap.Record.MappedPages;
            if (!isMapMoved)
            {
                Share(record.MapRoot);
            }
        }
        else
        {
            record.Flags = CheckpointFlags.None;
            if (isMapMoved)
            {
                Reclaimer.Drop(heap.Record.MapRoot);
            }
        }

        Catalog.Enter(latest);
    }

    /// <summary>Whether the next checkpoint of a heap may leave the latest one retained.</summary>
    private static bool MayRetain(HeapEntry heap) =>
        heap.Record.KeepLast > 1 || heap.Record.KeepForTicks > 0
        || (heap.Checkpoints.Count > 0 && (heap.Checkpoints[^1].Pins > 0 || (heap.Checkpoints[^1].Record.Flags & CheckpointFlags.Held) != 0));

    private static bool IsWanted(HeapEntry heap, CheckpointEntry checkpoint, ulong newer = 0)
    {
        ref var record = ref checkpoint.Record;
        return (record.Flags & CheckpointFlags.Held) != 0
            || checkpoint.Pins > 0
            || record.Number + heap.Record.KeepLast > heap.Number + newer
            || (heap.Record.KeepForTicks > 0 && heap.Checkpoints[^1].Record.TimeTicks - record.TimeTicks < heap.Record.KeepForTicks);
    }

    private CheckpointEntry Advance(HeapCommit commit)
    {
        var heap = commit.Heap;
        Catalog.ThrowIfFull();
        RetireLatest(heap, isMapMoved: false);
        heap.Record.MapRoot = commit.MapRoot;
        heap.Record.MappedPages = (ulong)commit.MappedPages;
        heap.Record.Number = commit.Number;
        var entry = new CheckpointEntry(new CheckpointRecord
        {
            HeapId = heap.Id,
            Number = commit.Number,
            TimeTicks = commit.Time.Ticks,
            Pages = (ulong)commit.Pages,
            Bytes = (ulong)commit.Bytes,
            PauseTicks = commit.Pause.Ticks,
            DurationTicks = Stopwatch.GetElapsedTime(commit.SealedAt).Ticks,
            ContentId = Guid.NewGuid(),
        });
        heap.Checkpoints.Add(entry);
        Prune(heap);
        Catalog.Enter(entry);
        Catalog.Enter(heap);
        return entry;
    }

    private void Submit(Request request)
    {
        lock (_queueLock)
        {
            _queue.Add(request);
        }

        lock (_commitLock)
        {
            if (!request.IsDone)
            {
                List<Request> group;
                lock (_queueLock)
                {
                    group = _queue;
                    _queue = [];
                }

                MakeRoot(group);
            }
        }

        request.Failure?.Throw();
    }

    private void MakeRoot(List<Request> group)
    {
        try
        {
            _channel.ThrowIfFailed();
            _allocator.EnsureFree(RoomFor(group));
        }
        catch (Exception refusal)
        {
            // Nothing was changed. Whatever it is, everybody in the group is told.
            End(group, refusal);
            return;
        }

        try
        {
            MakeRootOf(group);
        }
        catch (Exception failure) when (_channel.Latch(failure))
        {
            GoBack();
            End(group, _channel.Failed());
            return;
        }

        End(group, null);
        CutFile();
        if (HasIdleWork)
        {
            IdleWorkLeft?.Invoke();
        }
    }

    /// <summary>Cuts the file where that is due. The root is durable, whatever comes of it.</summary>
    private void CutFile()
    {
        try
        {
            _allocator.CutFile((long)_roots.Current.FileLength, (long)(_roots.Previous ?? _roots.Current).FileLength);
        }
        catch (HeapFailedException)
        {
            // Latched: the next change tells.
        }
    }

    /// <summary>What was changed for a root that was not made is not so.</summary>
    private void GoBack()
    {
        try
        {
            Catalog.GoBack(_roots.Current);
        }
        catch (Exception unreadable) when (unreadable is IOException or HeapCorruptedException)
        {
            StoreLog.CatalogUnreadable(_channel.Logger, _channel.Name, unreadable);
        }
    }

    private void MakeRootOf(List<Request> group)
    {
        using var activity = EngineTelemetry.Activities.StartActivity("commit");
        activity?.SetTag("members", group.Count);
        if (!_hasTakenOver)
        {
            Catalog.EnterTakenOver(_roots.Current);
            _hasTakenOver = true;
        }

        List<SpaceDelta> deltas = [];
        foreach (var request in group)
        {
            if (TryApply(request) && request.Delta is { } delta)
            {
                Shared.Resolve(delta);
                deltas.Add(delta);
            }
        }

        PruneWaiting();
        Reclaimer.Step(ReclaimPagesPerCommit);
        var root = _roots.Next();
        Catalog.WriteChanges(root.Sequence);
        deltas.Add(Catalog.SealedDelta);
        _allocator.Apply(deltas);
        _allocator.CutTail();
        _allocator.WriteChanged();

        root.Catalog = Catalog.MapRoot;
        root.CatalogPages = (ulong)Catalog.MappedPages;
        root.TimeTicks = UtcNow.Ticks;
        root.FileLength = (ulong)_allocator.FileLength;
        root.AllocatedPages = (ulong)_allocator.KeptPages;
        root.Groups = _allocator.GroupEntries;
        _channel.Flush();
        _roots.Commit(ref root);

        _allocator.OnDurable();
        Catalog.EndCommit();
        Volatile.Write(ref _sequence, root.Sequence);
        KeepReserve();
    }

    /// <summary>
    /// Keeps as much free for commits as one that drops all that there is may need; three times over, because what a commit writes anew is held for two more.
    /// </summary>
    private void KeepReserve()
    {
        var countPages = ((_allocator.FileLength >> FileLayout.PageShift) * sizeof(uint) >> FileLayout.PageShift) + 1;
        _allocator.ReservedPages = CommitPagesMax + ((FileLayout.RootsKept + 1) * (Catalog.RecordPages + (Shared.IsEmpty ? 0 : Math.Min(FileLayout.NodeEntries, countPages))));
    }

    private void PruneWaiting()
    {
        foreach (var heap in _unpruned)
        {
            if (Catalog.Find(heap.Id) == heap)
            {
                Prune(heap);
            }
        }

        _unpruned.Clear();
        Volatile.Write(ref _hasUnpruned, false);
    }

    /// <summary>Does what a request asks for. False if it refuses: that is its own affair, and the rest of the group goes on.</summary>
    private static bool TryApply(Request request)
    {
        try
        {
            request.Change();
            return true;
        }
        catch (Exception refusal) when (refusal is ArgumentException || refusal.GetType() == typeof(HeapException))
        {
            request.Failure = ExceptionDispatchInfo.Capture(refusal);
            return false;
        }
    }

    /// <summary>Pages that the commit may take: its own, and of the counts as many as there can be changes to them, or as there are.</summary>
    private long RoomFor(List<Request> group)
    {
        // A step of reclaiming looks at whole nodes, whose children may be counted anywhere.
        var room = CommitPagesMax + Catalog.RecordPages;
        if (Shared.IsEmpty && !group.Exists(request => request.MayShare))
        {
            return room;
        }

        long changes = FileLayout.NodeEntries;
        foreach (var request in group)
        {
            if (request.Delta is { } delta)
            {
                changes += FileLayout.NodeEntries * ((long)delta.DroppedNodes.Count + 1);
            }
        }

        var countPages = ((_allocator.FileLength >> FileLayout.PageShift) * sizeof(uint) >> FileLayout.PageShift) + 1;
        return room + Math.Min(changes, countPages);
    }

    private static void End(List<Request> group, Exception? failure)
    {
        foreach (var request in group)
        {
            request.Failure ??= failure is null ? null : ExceptionDispatchInfo.Capture(failure);
            request.IsDone = true;
        }
    }

    private sealed class Request(Action change, SpaceDelta? delta)
    {
        public Action Change { get; } = change;

        public SpaceDelta? Delta { get; } = delta;

        public ExceptionDispatchInfo? Failure { get; set; }

        public bool IsDone { get; set; }

        /// <summary>Whether it may make pages shared that were not: it is no checkpoint, or one whose predecessor may be retained.</summary>
        public bool MayShare { get; init; } = true;
    }
}
