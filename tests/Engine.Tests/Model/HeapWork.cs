namespace Everheap.Engine.Tests.Model;

/// <summary>How much of a heap random work touches.</summary>
/// <param name="HeaderPages">Pages from address 0 on that are worked on without being allocated.</param>
/// <param name="RangesMax">The most ranges allocated at once.</param>
/// <param name="RangePagesMax">The most pages of a usual range.</param>
/// <param name="LongSpanPages">Pages of a long span, about.</param>
internal sealed record WorkShape(ulong HeaderPages, int RangesMax, int RangePagesMax, int LongSpanPages)
{
    /// <summary>More than fits into the smallest budget.</summary>
    public static readonly WorkShape Large = new(HeaderPages: 8, RangesMax: 12, RangePagesMax: 400, LongSpanPages: 70);

    /// <summary>Somewhat more than fits into the smallest budget.</summary>
    public static readonly WorkShape Medium = new(HeaderPages: 8, RangesMax: 6, RangePagesMax: 120, LongSpanPages: 40);

    /// <summary>Little enough that a store of many heaps is looked through in a moment.</summary>
    public static readonly WorkShape Small = new(HeaderPages: 6, RangesMax: 5, RangePagesMax: 30, LongSpanPages: 12);
}

/// <summary>Random operations on one heap, each done to the heap and to its model, and compared.</summary>
/// <remarks>
/// An operation for which there was no room (<see cref="HeapFullException"/>) may have got some way: of every page it would have changed, either all
/// or nothing is done. <see cref="Settle"/> finds out, and is due before anything else.
/// </remarks>
internal sealed unsafe class HeapWork
{
    private const int PageSize = PersistentHeap.PageSize;
    private const int WindowsMax = 4;
    private const ulong FirstAllocated = 1UL << 20;

    private readonly Random _random;
    private readonly WorkShape _shape;
    private readonly HashSet<ulong> _touched;
    private readonly byte[] _buffer;
    private readonly byte[] _expected;
    private readonly Dictionary<ulong, TranslationWindow> _windows = [];
    private PersistentHeap? _heap;
    private HeapModel? _unsettled;

    public HeapWork(Random random, WorkShape shape, IEnumerable<ulong> touchedPages)
    {
        _random = random;
        _shape = shape;
        _touched = [.. touchedPages];
        _buffer = new byte[(2 * shape.LongSpanPages + 4) * PageSize];
        _expected = new byte[_buffer.Length];
    }

    /// <summary>The heap that is worked on.</summary>
    public PersistentHeap Heap => _heap ?? throw new InvalidOperationException("No heap is attached.");

    /// <summary>What it has to hold.</summary>
    public HeapModel Model { get; private set; } = new();

    /// <summary>Every page that was ever written to, cleared or not.</summary>
    public IReadOnlyCollection<ulong> TouchedPages => _touched;

    /// <summary>Whether an operation got an unknown part of its way, for want of room.</summary>
    public bool IsUnsettled => _unsettled is not null;

    /// <summary>Works on this heap from now on, which holds what the model says.</summary>
    public void Attach(PersistentHeap heap, HeapModel model)
    {
        _heap = heap;
        Model = model.Snapshot();
        _unsettled = null;
    }

    /// <summary>The heap has gone back to this; windows stay open.</summary>
    public void GoBackTo(HeapModel model)
    {
        Model = model.Snapshot();
        _unsettled = null;
    }

    /// <summary>The heap is about to be closed.</summary>
    public void Detach()
    {
        CloseWindows();
        _heap = null;
    }

    public void WriteFewBytes() => Write(_random.Next(1, 65));

    public void WriteSpan() => Write(_random.Next(1, 5 * PageSize));

    public void WriteLongSpan() => Write(_random.Next(_shape.LongSpanPages / 2, (_shape.LongSpanPages * 3 / 2) + 1) * PageSize);

    public void ClearLittle() => Clear(_random.Next(1, 6 * PageSize));

    public void ClearMuch() => Clear(_random.Next(20, 200) * PageSize);

    public void Read()
    {
        (ulong address, int count) = Place(_random.Next(1, 5 * PageSize));
        Span<byte> found = _buffer.AsSpan(0, count);
        Span<byte> expected = _expected.AsSpan(0, count);
        Heap.Read(address, found);
        Model.Read(address, expected);
        int same = found.CommonPrefixLength(expected);
        if (same != count)
        {
            throw new AssertionException($"Heap '{Heap.Name}': read at {address + (ulong)same} gave {found[same]} instead of {expected[same]}.");
        }
    }

    public void Allocate()
    {
        if (Model.Ranges.Count >= _shape.RangesMax)
        {
            return;
        }

        ulong length = _random.Next(8) switch
        {
            0 => 4UL << 30,
            1 => (ulong)_random.Next(64, 300) << 20,
            2 => PageSize,
            _ => (ulong)_random.Next(1, _shape.RangePagesMax) * PageSize,
        };
        ulong address = Heap.Allocate(length);
        if (address % PageSize != 0 || address < FirstAllocated)
        {
            throw new AssertionException($"Allocate gave the address {address}.");
        }

        foreach ((ulong other, ulong otherLength) in Model.Ranges)
        {
            if (address < other + otherLength && other < address + length)
            {
                throw new AssertionException($"Allocate gave {address}+{length}, which overlaps {other}+{otherLength}.");
            }
        }

        Model.Ranges.Add((address, length));
    }

    public void Release()
    {
        if (Model.Ranges.Count == 0)
        {
            return;
        }

        int index = _random.Next(Model.Ranges.Count);
        (ulong address, ulong length) = Model.Ranges[index];
        if (_windows.Remove(address, out TranslationWindow? window))
        {
            window.Dispose();
        }

        Do(() => Heap.Release(address, length), model => model.Clear(address, length));
        Model.Ranges.RemoveAt(index);
    }

    /// <summary>Does what compiled code does: looks into the tables, and calls the slow path only for an entry that is zero.</summary>
    public void UseWindow(int stores, int loads)
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
            Model.Write(start + offset, bytes);
        }

        for (int i = 0; i < loads; i++)
        {
            ulong offset = Aligned(start, length, out int size) - start;
            nint entry = *(nint*)((byte*)window.LoadTable + (offset / PageSize * 8));
            byte* source = entry != 0 ? (byte*)entry + offset : window.Load(offset);
            Model.Read(start + offset, _expected.AsSpan(0, size));
            if (!new ReadOnlySpan<byte>(source, size).SequenceEqual(_expected.AsSpan(0, size)))
            {
                throw new AssertionException($"A load by window at {start + offset} differs (entry {(entry != 0 ? "found" : "made")}).");
            }
        }
    }

    public void CloseWindows()
    {
        foreach (TranslationWindow window in _windows.Values)
        {
            window.Dispose();
        }

        _windows.Clear();
    }

    /// <summary>Writes so many random bytes somewhere.</summary>
    public void Write(int length)
    {
        (ulong address, int count) = Place(length);
        byte[] bytes = _buffer;
        _random.NextBytes(bytes.AsSpan(0, count));
        Touch(address, (ulong)count);
        Do(() => Heap.Write(address, bytes.AsSpan(0, count)), model => model.Write(address, bytes.AsSpan(0, count)));
    }

    /// <summary>Finds out how far an operation got that had no room; each of its pages is as it was, or done.</summary>
    /// <exception cref="HeapFullException">There is not even room to read: no frame can be freed. Once there is, this can be called again.</exception>
    public void Settle()
    {
        if (_unsettled is not { } wanted)
        {
            return;
        }

        byte[] found = new byte[PageSize];
        foreach (ulong page in Model.PageNumbers.Union(wanted.PageNumbers).ToList())
        {
            if (Model.Page(page).SequenceEqual(wanted.Page(page)) && Model.IsMapped(page) == wanted.IsMapped(page))
            {
                continue;
            }

            Heap.Read(page * PageSize, found);
            if (found.AsSpan().SequenceEqual(wanted.Page(page)))
            {
                Model.Adopt(page, wanted);
            }
            else if (!found.AsSpan().SequenceEqual(Model.Page(page)))
            {
                throw new AssertionException($"Heap '{Heap.Name}': an operation that had no room left page {page} neither as it was nor done.");
            }
        }

        _unsettled = null;
    }

    public void AssertHeapEqualsModel(string when) => Model.AssertEquals(Heap, _touched, when);

    private void Clear(int length)
    {
        (ulong address, int count) = Place(length);
        Do(() => Heap.Clear(address, (ulong)count), model => model.Clear(address, (ulong)count));
    }

    private void Do(Action toHeap, Action<HeapModel> toModel)
    {
        try
        {
            toHeap();
        }
        catch (HeapFullException)
        {
            _unsettled = Model.Snapshot();
            toModel(_unsettled);
            throw;
        }

        toModel(Model);
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
        int index = _random.Next(Model.Ranges.Count + 1);
        return index == Model.Ranges.Count ? (0, _shape.HeaderPages * PageSize) : Model.Ranges[index];
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
