namespace Everheap.Engine.Tests.Model;

/// <content>The operations, each done to the heap and to its model.</content>
internal sealed partial class HeapRun
{
    private delegate void Operation();

    private (int Weight, string Name, Operation Do)[] Operations => _operations ??=
    [
        (24, "write a few bytes", _work.WriteFewBytes),
        (8, "write a span", _work.WriteSpan),
        (2, "write a long span", _work.WriteLongSpan),
        (10, "read", _work.Read),
        (2, "clear", _work.ClearLittle),
        (1, "clear much", _work.ClearMuch),
        (3, "allocate", _work.Allocate),
        (1, "release", _work.Release),
        (2, "write a note", WriteNote),
        (16, "store by window", () => _work.UseWindow(stores: 12, loads: 2)),
        (10, "load by window", () => _work.UseWindow(stores: 0, loads: 12)),
        (1, "trim", () => _work.Heap.Trim()),
        (4, "begin a checkpoint", BeginCheckpoint),
        (14, "let the writer go on", () => LetTheWriterGoOn(_random.Next(1, 8))),
        (1, "checkpoint", CheckpointNow),
        (1, "reopen", () => Reopen(checkpointFirst: _random.Next(3) != 0)),
    ];

    private (int Weight, string Name, Operation Do)[]? _operations;

    private void Step()
    {
        int draw = _random.Next(Operations.Sum(o => o.Weight));
        foreach ((int weight, string name, Operation operation) in Operations)
        {
            draw -= weight;
            if (draw < 0)
            {
                Trace?.Add($"I/O {_medium.IoCount}: {name}");
                operation();
                return;
            }
        }
    }

    /// <summary>Notes are outside the checkpoints, and go between their I/Os.</summary>
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
