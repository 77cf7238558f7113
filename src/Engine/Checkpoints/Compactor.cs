using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// Makes a store's file shorter: what dropped checkpoints used is reclaimed, what lies in the tail is moved below a ceiling, and the tail is cut off.
/// </summary>
/// <remarks>
/// Every step is a commit of its own, so a crash leaves the store before or after one. Heaps that are open, and checkpoints that snapshots are open of, are left
/// alone: an open heap moves what it has in the tail with its own checkpoints, as long as the ceiling is there.
/// </remarks>
internal sealed class Compactor(Committer committer, SpaceAllocator allocator, StoreChannel channel)
{
    /// <summary>Pages of a step: 8 MiB to read and to write while other commits wait.</summary>
    private const int StepPages = 2048;

    /// <summary>Free pages that a step leaves alone, for the commit itself.</summary>
    private const int SparePages = 512;

    /// <summary>Times all trees are gone through: new ones may come up meanwhile.</summary>
    private const int PassesMax = 4;

    private readonly Relocation _relocation = new(channel, allocator);
    private readonly SortedSet<string> _waitingFor = [];

    /// <summary>Does all that can be done now.</summary>
    public CompactionReport Run(IProgress<CompactionProgress>? progress, CancellationToken cancellation)
    {
        var before = allocator.FileLength;
        var lengthBefore = channel.Length;
        Reclaim(cancellation);
        Settle();
        var isComplete = true;
        if (allocator.LowerCeiling(Spare))
        {
            Observe(_relocation.Forget);
            allocator.KeepsTail = true;
            try
            {
                isComplete = MoveAll(progress, cancellation);
                Reclaim(cancellation);
            }
            finally
            {
                allocator.KeepsTail = false;
                Observe(null);
            }
        }

        Settle();
        if (isComplete)
        {
            allocator.LiftCeiling();
        }

        progress?.Report(new CompactionProgress(_relocation.Moved, allocator.FileLength));
        return new CompactionReport(Math.Max(before, lengthBefore), allocator.FileLength, _relocation.Moved, [.. _waitingFor]);
    }

    private long Spare => SparePages + (allocator.TakenPages / 32);

    private bool MoveAll(IProgress<CompactionProgress>? progress, CancellationToken cancellation)
    {
        for (var pass = 0; pass < PassesMax; pass++)
        {
            var movedBefore = _relocation.Moved;
            _waitingFor.Clear();
            foreach (var tree in committer.Synchronized(Trees))
            {
                while (allocator.Ceiling is { } ceiling && !committer.Execute(delta => Step(tree, ceiling, delta)))
                {
                    cancellation.ThrowIfCancellationRequested();
                    progress?.Report(new CompactionProgress(_relocation.Moved, allocator.FileLength));
                }

                cancellation.ThrowIfCancellationRequested();
            }

            committer.Execute(() =>
            {
                if (allocator.Ceiling is { } ceiling)
                {
                    MoveCatalog(ceiling);
                }
            });
            if (_relocation.Moved == movedBefore)
            {
                break;
            }
        }

        return _waitingFor.Count == 0;
    }

    /// <summary>Everything that has a map of its own: heaps as they are (null), and their retained checkpoints.</summary>
    private List<(HeapEntry Heap, CheckpointEntry? Checkpoint)> Trees()
    {
        List<(HeapEntry, CheckpointEntry?)> trees = [];
        foreach (var heap in committer.Catalog.Heaps)
        {
            foreach (var checkpoint in heap.Checkpoints)
            {
                if (checkpoint.Record.MapRoot.Place != 0)
                {
                    trees.Add((heap, checkpoint));
                }
            }

            trees.Add((heap, null));
        }

        return trees;
    }

    /// <summary>Moves a bounded part of one tree. Within a commit. True once it has nothing left in the tail, or has to be left alone.</summary>
    private bool Step((HeapEntry Heap, CheckpointEntry? Checkpoint) tree, ulong ceiling, SpaceDelta delta)
    {
        var (heap, checkpoint) = tree;
        if (committer.Catalog.Find(heap.Id) != heap || heap.Number == 0)
        {
            return true; // dropped meanwhile, or not in the file yet
        }

        var isLatest = checkpoint is null;
        if (isLatest ? heap.IsOpen || heap.Checkpoints[^1].Pins > 0 : checkpoint!.Pins > 0)
        {
            _waitingFor.Add(isLatest ? heap.Name : $"{heap.Name}@{checkpoint!.Record.Number}");
            return true;
        }

        var pages = (int)Math.Min(StepPages, allocator.FreePages - SparePages);
        if (pages <= 0)
        {
            _waitingFor.Add("room to move pages through");
            return true;
        }

        ref var root = ref isLatest ? ref heap.Record.MapRoot : ref checkpoint!.Record.MapRoot;
        bool isDone;
        try
        {
            root = _relocation.Move(root, heap.Name, ceiling, pages, delta, committer, out isDone);
        }
        catch (HeapCorruptedException damage)
        {
            _waitingFor.Add($"{heap.Name}: {damage.Message}");
            throw new HeapException(damage.Message, damage);
        }

        if (isLatest)
        {
            committer.Catalog.Enter(heap);
        }
        else
        {
            committer.Catalog.Enter(checkpoint!);
        }

        return isDone;
    }

    private void MoveCatalog(ulong ceiling)
    {
        IReadOnlyList<ulong> pages;
        try
        {
            pages = TreeReader.PagesAtOrAbove(channel, committer.Catalog.MapRoot, "(catalog)", ceiling);
        }
        catch (HeapCorruptedException damage)
        {
            throw new HeapException(damage.Message, damage); // nothing was changed
        }

        foreach (var page in pages)
        {
            committer.Catalog.Rewrite(page);
        }
    }

    private void Reclaim(CancellationToken cancellation)
    {
        while (committer.HasIdleWork)
        {
            cancellation.ThrowIfCancellationRequested();
            committer.Execute(() => committer.Reclaimer.Step(HeapStore.ReclaimPagesDefault));
        }
    }

    /// <summary>Commits until what the last change let go is free, and the file is cut.</summary>
    private void Settle()
    {
        for (var i = 0; i <= FileLayout.RootsKept + 1; i++)
        {
            committer.Execute(() => { });
        }
    }

    private void Observe(Action<ulong>? freed) => committer.Synchronized(() =>
    {
        committer.Shared.Freed = freed;
        committer.Reclaimer.Freed = freed;
        return 0;
    });
}
