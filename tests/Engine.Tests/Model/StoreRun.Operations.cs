namespace Everheap.Engine.Tests.Model;

/// <content>The table of operations, and those on the content of a heap. A further operation of the store is one more entry.</content>
internal sealed partial class StoreRun
{
    private const int HeapsMax = 8;
    private const int OpenHeapsMax = 5;

    private (int Weight, string Name, Action Do)[]? _operations;

    private (int Weight, string Name, Action Do)[] Table => _operations ??=
    [
        // The content of heaps.
        (20, "write a few bytes", () => Work(work => work.WriteFewBytes())),
        (8, "write a span", () => Work(work => work.WriteSpan())),
        (FillsUp ? 12 : 4, "write a long span", () => Work(work => work.WriteLongSpan())),
        (4, "read", () => Work(work => work.Read())),
        (3, "clear", () => Work(work => work.ClearLittle())),
        (2, "clear much", () => Work(work => work.ClearMuch())),
        (4, "allocate", () => Work(work => work.Allocate())),
        (2, "release", () => Work(work => work.Release())),
        (8, "store by window", () => Work(work => work.UseWindow(stores: 12, loads: 2))),
        (3, "load by window", () => Work(work => work.UseWindow(stores: 0, loads: 12))),

        (1, "trim", () => OnOpenHeap(open => open.Heap.Trim())),

        // Checkpoints and their writers.
        (12, "begin a checkpoint", () => OnOpenHeap(BeginCheckpoint)),
        (24, "let a writer go on", () => LetAWriterGoOn(_random.Next(1, 8))),
        (4, "checkpoint", () => OnOpenHeap(CheckpointNow)),
        (6, "checkpoints that coincide", CoincidingCheckpoints),
        (2, "write a note", WriteNote),
        (3, "let time pass", LetTimePass),

        // Heaps.
        (4, "create a heap", CreateHeap),
        (7, "open a heap", OpenAHeap),
        (3, "close a heap", () => OnOpenHeap(CloseHeap)),
        (6, "fork", Fork),
        (2, "receive", Receive),
        (3, "drop a heap", DropHeap),

        // History.
        (3, "retain", Retain),
        (3, "set the retention", SetRetention),
        (2, "drop a checkpoint", DropCheckpoint),
        (2, "revert an open heap", () => OnOpenHeap(RevertOpenHeap)),
        (2, "revert a closed heap", RevertClosedHeap),
        (5, "reclaim", Reclaim),
        (1, "compact", Compact),

        // Snapshots.
        (6, "open a snapshot", OpenSnapshot),
        (6, "read a snapshot", ReadSnapshot),
        (5, "close a snapshot", CloseSnapshot),
        (2, "compare snapshots", CompareSnapshots),

        // The store.
        (1, "open the store again", ReopenStore),
        (FillsUp ? 16 : 0, "fill the medium up", FillUp),
        (FillsUp ? 2 : 0, "make room", MakeRoom),
    ];

    private void DoOne()
    {
        int draw = _random.Next(Table.Sum(entry => entry.Weight));
        foreach ((int weight, string name, Action operation) in Table)
        {
            draw -= weight;
            if (draw < 0)
            {
                Trace?.Add($"I/O {_medium.IoCount}, root {_root}: {name}");
                TryUnlessFull(operation);
                return;
            }
        }
    }

    /// <summary>Does something for which there may be no room. If there is none, nothing may be lost, and everything goes on.</summary>
    private void TryUnlessFull(Action operation)
    {
        try
        {
            operation();
        }
        catch (HeapFullException) when (_medium.Capacity < long.MaxValue)
        {
            TimesFull++;
            Trace?.Add("  there was no room");
            foreach (OpenHeap heap in _heaps.Where(heap => heap.Work.IsUnsettled))
            {
                try
                {
                    heap.Work.Settle();
                }
                catch (HeapFullException)
                {
                    MakeRoom();
                    heap.Work.Settle();
                }
            }
        }
    }

    private void Work(Action<HeapWork> operation) => OnOpenHeap(heap => operation(heap.Work));

    private void OnOpenHeap(Action<OpenHeap> operation)
    {
        if (_heaps.Count == 0)
        {
            OpenAHeap();
        }
        else
        {
            OpenHeap heap = _heaps[_random.Next(_heaps.Count)];
            _medium.Gate.Driven = heap;
            Trace?.Add($"  heap '{heap.Identity.Name}' ({heap.Identity.Id})");
            operation(heap);
        }
    }

    private void FillUp()
    {
        long slack = _random.Next(3) switch
        {
            0 => 0,
            1 => PageSize * _random.Next(1, 300),
            _ => 1 << 20,
        };
        _medium.Capacity = _medium.Length + slack;
    }

    private void MakeRoom() => _medium.Capacity = _random.Next(3) != 0 ? _medium.Length + (1 << 20) : long.MaxValue;

    private void LetTimePass() => _clock.Now += _random.Next(8) == 0 ? -TimeSpan.FromMinutes(_random.Next(20)) : TimeSpan.FromMinutes(_random.Next(1, 10));

    /// <summary>Notes are outside the roots, and go between their I/Os.</summary>
    private void WriteNote()
    {
        Span<byte> note = stackalloc byte[_random.Next(HeapStore.NoteLengthMax + 1)];
        _random.NextBytes(note);
        Store.WriteNote(note);
        Span<byte> found = stackalloc byte[HeapStore.NoteLengthMax];
        if (!Store.TryReadNote(found, out int length) || !found[..length].SequenceEqual(note))
        {
            throw new AssertionException("A note was not read back.");
        }
    }
}
