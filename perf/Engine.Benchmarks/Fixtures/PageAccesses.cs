namespace Everheap.Engine.Benchmarks.Fixtures;

/// <summary>
/// Accesses to random pages of a heap, through a window as compiled code makes them, and to the same pages of a plain file and of an array. The floors
/// copy into as much memory as the heap has frames, one page after the other, as faults do: into one page alone a copy costs less, but no pager can do that.
/// </summary>
internal sealed unsafe class PageAccesses
{
    private readonly HeapFixture _fixture;
    private readonly TranslationWindow _window;
    private readonly PlainFile _plain;
    private readonly int _accesses;
    private readonly int[] _order;
    private readonly byte[] _source;
    private readonly byte[] _frames;
    private int _next;
    private int _nextFrame;

    /// <param name="fixture">The heap.</param>
    /// <param name="plain">As many pages.</param>
    /// <param name="accesses">Of each call.</param>
    public PageAccesses(HeapFixture fixture, PlainFile plain, int accesses)
    {
        _fixture = fixture;
        _window = fixture.Heap.OpenWindow(fixture.Address);
        _plain = plain;
        _accesses = accesses;
        _order = HeapFixture.Shuffled((int)fixture.Pages);
        _source = new byte[fixture.Pages * HeapFixture.PageSize];
        _source.AsSpan().Fill(1);
        _frames = GC.AllocateArray<byte>((int)fixture.ResidentBytes, pinned: true);
        _frames.AsSpan().Fill(1);
    }

    /// <summary>What was read, so that reading is not left out.</summary>
    public long Sum { get; private set; }

    public void Copy()
    {
        for (int i = 0; i < _accesses; i++)
        {
            _source.AsSpan(Next() * HeapFixture.PageSize, HeapFixture.PageSize).CopyTo(NextFrame());
        }
    }

    public void Read()
    {
        for (int i = 0; i < _accesses; i++)
        {
            Sum += _plain.ReadPage(Next(), NextFrame());
        }
    }

    public void ReadAndWrite()
    {
        for (int i = 0; i < _accesses; i++)
        {
            Sum += _plain.ReadPage(Next(), NextFrame());
            _plain.WritePage(Next(), NextFrame());
        }
    }

    public void Fault()
    {
        for (int i = 0; i < _accesses; i++)
        {
            Sum += *_window.Load((ulong)Next() * HeapFixture.PageSize);
        }
    }

    public void FaultWithADirtyVictim()
    {
        for (int i = 0; i < _accesses; i++)
        {
            *_window.Store((ulong)Next() * HeapFixture.PageSize) = (byte)i;
        }
    }

    private Span<byte> NextFrame()
    {
        _nextFrame = _nextFrame + HeapFixture.PageSize == _frames.Length ? 0 : _nextFrame + HeapFixture.PageSize;
        return _frames.AsSpan(_nextFrame, HeapFixture.PageSize);
    }

    private int Next()
    {
        _next = (_next + 1) % _order.Length;
        return _order[_next];
    }
}
