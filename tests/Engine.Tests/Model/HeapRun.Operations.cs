namespace Everheap.Engine.Tests.Model;

/// <content>The operations, each done to the heap and to its model.</content>
internal sealed unsafe partial class HeapRun
{
    private const int WindowsMax = 4;

    private readonly Dictionary<ulong, TranslationWindow> _windows = [];

    private delegate void Operation();

    private (int Weight, string Name, Operation Do)[] Operations => _operations ??=
    [
        (24, "write a few bytes", () => Write(_random.Next(1, 65))),
        (8, "write a span", () => Write(_random.Next(1, 5 * PageSize))),
        (2, "write a long span", () => Write(_random.Next(40, 100) * PageSize)),
        (10, "read", () => Read(_random.Next(1, 5 * PageSize))),
        (2, "clear", () => Clear(_random.Next(1, 6 * PageSize))),
        (1, "clear much", () => Clear(_random.Next(20, 200) * PageSize)),
        (3, "allocate", Allocate),
        (1, "release", Release),
        (2, "write a note", WriteNote),
        (16, "store by window", () => UseWindow(stores: 12, loads: 2)),
        (10, "load by window", () => UseWindow(stores: 0, loads: 12)),
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

    private void Write(int length)
    {
        (ulong address, int count) = Place(length);
        Span<byte> bytes = _buffer.AsSpan(0, count);
        _random.NextBytes(bytes);
        Touch(address, (ulong)count);
        Heap.Write(address, bytes);
        _model.Write(address, bytes);
    }

    private void Read(int length)
    {
        (ulong address, int count) = Place(length);
        Span<byte> found = _buffer.AsSpan(0, count);
        Span<byte> expected = _expected.AsSpan(0, count);
        Heap.Read(address, found);
        _model.Read(address, expected);
        int same = found.CommonPrefixLength(expected);
        if (same != count)
        {
            throw new AssertionException($"Read at {address + (ulong)same} gave {found[same]} instead of {expected[same]}.");
        }
    }

    private void Clear(int length)
    {
        (ulong address, int count) = Place(length);
        Heap.Clear(address, (ulong)count);
        _model.Clear(address, (ulong)count);
    }

    private void Allocate()
    {
        if (_model.Ranges.Count >= RangesMax)
        {
            return;
        }

        ulong length = _random.Next(8) switch
        {
            0 => 4UL << 30,
            1 => (ulong)_random.Next(64, 300) << 20,
            2 => PageSize,
            _ => (ulong)_random.Next(1, 400) * PageSize,
        };
        ulong address = Heap.Allocate(length);
        if (address % PageSize != 0 || address < 1 << 20)
        {
            throw new AssertionException($"Allocate gave the address {address}.");
        }

        foreach ((ulong other, ulong otherLength) in _model.Ranges)
        {
            if (address < other + otherLength && other < address + length)
            {
                throw new AssertionException($"Allocate gave {address}+{length}, which overlaps {other}+{otherLength}.");
            }
        }

        _model.Ranges.Add((address, length));
    }

    private void Release()
    {
        if (_model.Ranges.Count == 0)
        {
            return;
        }

        int index = _random.Next(_model.Ranges.Count);
        (ulong address, ulong length) = _model.Ranges[index];
        if (_windows.Remove(address, out TranslationWindow? window))
        {
            window.Dispose();
        }

        Heap.Release(address, length);
        _model.Release(index);
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

    /// <summary>Does what compiled code does: looks into the tables, and calls the slow path only for an entry that is zero.</summary>
    private void UseWindow(int stores, int loads)
    {
        (ulong start, ulong length) = Range();
        TranslationWindow window = Window(start);
        for (int i = 0; i < stores; i++)
        {
            ulong offset = Aligned(start, length, out int size) - start;
            nint entry = *(nint*)((byte*)window.LoadTable + TranslationWindow.StoreTableDistance + (offset / PageSize * 8));
            Touch(start + offset, (ulong)size);
            byte* target = entry != 0 ? (byte*)entry + offset : window.Store(offset);
            Span<byte> bytes = new(target, size);
            _random.NextBytes(bytes);
            _model.Write(start + offset, bytes);
        }

        for (int i = 0; i < loads; i++)
        {
            ulong offset = Aligned(start, length, out int size) - start;
            nint entry = *(nint*)((byte*)window.LoadTable + (offset / PageSize * 8));
            byte* source = entry != 0 ? (byte*)entry + offset : window.Load(offset);
            _model.Read(start + offset, _expected.AsSpan(0, size));
            if (!new ReadOnlySpan<byte>(source, size).SequenceEqual(_expected.AsSpan(0, size)))
            {
                throw new AssertionException($"A load by window at {start + offset} differs (entry {(entry != 0 ? "found" : "made")}).");
            }
        }
    }

    private TranslationWindow Window(ulong start)
    {
        if (!_windows.TryGetValue(start, out TranslationWindow? window))
        {
            if (_windows.Count == WindowsMax)
            {
                ulong oldest = _windows.Keys.Min();
                _windows.Remove(oldest, out TranslationWindow? closed);
                closed!.Dispose();
            }

            window = Heap.OpenWindow(start);
            _windows[start] = window;
        }

        return window;
    }

    private void CloseWindows()
    {
        foreach (TranslationWindow window in _windows.Values)
        {
            window.Dispose();
        }

        _windows.Clear();
    }

    private ulong Aligned(ulong start, ulong length, out int size)
    {
        size = 1 << _random.Next(4);
        ulong page = Page(length);
        return start + (page * PageSize) + (ulong)(_random.Next(PageSize / size) * size);
    }

    /// <summary>An address and a length inside one range, of any alignment, up to the given length.</summary>
    private (ulong Address, int Length) Place(int length)
    {
        (ulong start, ulong rangeLength) = Range();
        ulong offset = (Page(rangeLength) * PageSize) + (ulong)_random.Next(PageSize);
        if (_random.Next(4) == 0)
        {
            offset -= offset % PageSize;
        }

        return (start + offset, (int)Math.Min((ulong)length, rangeLength - offset));
    }

    private (ulong Start, ulong Length) Range()
    {
        int index = _random.Next(_model.Ranges.Count + 1);
        return index == _model.Ranges.Count ? (0, HeaderPages * PageSize) : _model.Ranges[index];
    }

    /// <summary>A page of a range; of a large one, one of few clusters far apart, so that the page map is deep but not wide.</summary>
    private ulong Page(ulong length)
    {
        ulong pages = length / PageSize;
        return pages <= 512 ? (ulong)_random.NextInt64((long)pages) : (pages / 8 * (ulong)_random.Next(8)) + (ulong)_random.Next(4);
    }

    private void Touch(ulong address, ulong length)
    {
        for (ulong page = address / PageSize; page <= (address + length - 1) / PageSize; page++)
        {
            _touched.Add(page);
        }
    }
}
