using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// Takes heaps whose latest checkpoint is damaged back to their newest one that is wholly valid, and makes the allocator and the counts anew from what is there.
/// </summary>
/// <remarks>
/// What is damaged cannot be reclaimed in the ordinary way, because what it refers to is not known. So, and only here, everything that is kept is walked, and what
/// that does not reach is free. It becomes visible with one commit; a crash before leaves the store as it was.
/// </remarks>
internal sealed class StoreRepairer(Committer committer, SpaceAllocator allocator, StoreChannel channel, RootSlots roots)
{
    /// <summary>What is wrong with each heap, and what it can go back to.</summary>
    public IReadOnlyList<HeapRepair> Examine(CancellationToken cancellation) => committer.Synchronized(() => Plan(cancellation));

    /// <summary>Carries it out. Returns what was done.</summary>
    public IReadOnlyList<HeapRepair> Run(CancellationToken cancellation) => committer.Execute(delta =>
    {
        var plan = Plan(cancellation);
        foreach (var repair in plan)
        {
            Apply(committer.Catalog.Find(repair.HeapName)!, repair);
        }

        // What is kept now is walked again, and nothing else: this is what is in use, and how often.
        var kept = new StoreVerifier(channel, roots.Current);
        foreach (var heap in committer.Catalog.Heaps)
        {
            kept.WalkMap(heap.Record.MapRoot, heap.Name, heap.Number, cancellation);
            foreach (var checkpoint in heap.Checkpoints)
            {
                kept.WalkMap(checkpoint.Record.MapRoot, heap.Name, checkpoint.Record.Number, cancellation);
            }
        }

        allocator.Rebuild(delta, kept.ReachedPages);
        committer.Catalog.Rebuild();
        foreach (var (place, count) in kept.FurtherReferences)
        {
            committer.Shared.Set(place, count);
        }

        return plan;
    });

    private List<HeapRepair> Plan(CancellationToken cancellation)
    {
        var walk = new StoreVerifier(channel, roots.Current);
        List<HeapRepair> plan = [];
        foreach (var heap in committer.Catalog.Heaps.Where(heap => heap.Number > 0))
        {
            var latest = walk.WalkMap(heap.Record.MapRoot, heap.Name, heap.Number, cancellation);
            List<long> damaged = latest ? [] : [(long)heap.Number];
            long newest = latest ? (long)heap.Number : 0;
            for (var i = heap.Checkpoints.Count - 1; i >= 0; i--)
            {
                var checkpoint = heap.Checkpoints[i];
                if (heap.IsLatest(checkpoint) || (checkpoint.Record.Flags & CheckpointFlags.Retained) == 0)
                {
                    continue;
                }

                var number = (long)checkpoint.Record.Number;
                if (!walk.WalkMap(checkpoint.Record.MapRoot, heap.Name, checkpoint.Record.Number, cancellation))
                {
                    damaged.Add(number);
                }
                else if (newest == 0)
                {
                    newest = number;
                }
            }

            plan.Add(new HeapRepair(heap.Name, damaged, newest == 0 ? null : newest));
        }

        return plan;
    }

    /// <summary>Goes back, in the records alone: nothing is counted or queued, as both are made anew.</summary>
    private void Apply(HeapEntry heap, HeapRepair repair)
    {
        if (repair.Damaged.Count == 0 || repair.NewestValid is not { } valid)
        {
            return; // sound; or nothing to go back to, and then what can be read of it stays readable
        }

        var source = heap.Find((ulong)valid)!;
        var map = heap.MapOf(source)!.Value;
        if (!heap.IsLatest(source))
        {
            heap.Record.MapRoot = map.Root;
            heap.Record.MappedPages = map.MappedPages;
            heap.Record.Number++;
            heap.Checkpoints.Add(new CheckpointEntry(new CheckpointRecord { HeapId = heap.Id, Number = heap.Number, TimeTicks = committer.UtcNow.Ticks }));
        }

        foreach (var checkpoint in heap.Checkpoints.Where(checkpoint => repair.Damaged.Contains((long)checkpoint.Record.Number)))
        {
            ref var record = ref checkpoint.Record;
            record.MapRoot = default;
            record.MappedPages = 0;
            record.Flags = CheckpointFlags.None;
        }
    }
}
