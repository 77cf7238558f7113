using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Paging;

/// <summary>
/// Random work on a heap whose ranges are pinned, extended and given up as it goes, beside a model of it: through ranges, windows and the heap itself, with checkpoints in
/// flight. The same seed on the same medium does the same, up to a crash.
/// </summary>
internal sealed unsafe class PinnedRun : IDisposable
{
    private const int PageSize = PersistentHeap.PageSize;
    private const ulong Start = SimulatedStores.Address;
    private const ulong StartPage = Start / PageSize;
    private const int Pages = 900;
    private const int BudgetPages = 512;
    private const int RangesMax = 3;

    private readonly Random _random;
    private readonly SimulatedMedium _medium;
    private readonly Lock _lock = new();
    private readonly List<PinnedRange> _ranges = [];
    private readonly SortedDictionary<long, HeapModel> _acceptable = [];
    private readonly List<long> _retained = [];
    private readonly Dictionary<long, HeapModel> _history = [];
    private HeapStore? _store;
    private PersistentHeap? _heap;
    private TranslationWindow? _window;
    private PendingCheckpoint? _pending;
    private HeapModel _model = new();
    private long _sealed;

    public PinnedRun(SimulatedMedium medium, int seed)
    {
        _medium = medium;
        _random = new Random(seed);
    }

    /// <summary>The pages that the run ever uses.</summary>
    public static IEnumerable<ulong> AllPages => Enumerable.Range(0, Pages).Select(i => StartPage + (ulong)i);

    public static HeapStoreOptions Options => new() { ResidentBytes = (long)BudgetPages * PageSize, BackgroundReclaim = false };

    public bool IsGated { get; init; } = true;

    /// <summary>Whether the first checkpoint has returned.</summary>
    public bool IsCreated { get; private set; }

    public HeapStatistics Statistics => _heap!.Statistics;

    /// <summary>What a crash at this moment may leave, by the number of the checkpoint. Any thread.</summary>
    public SortedDictionary<long, HeapModel> Acceptable()
    {
        lock (_lock)
        {
            return new SortedDictionary<long, HeapModel>(_acceptable);
        }
    }

    /// <summary>Works for so many steps; returns normally at the end, or at the crash.</summary>
    public void Run(int steps)
    {
        try
        {
            _store = HeapStore.Create(_medium, Options);
            _heap = _store.CreateHeap(SimulatedStores.HeapName);
            _window = _heap.OpenWindow(Start);
            Checkpoint();
            IsCreated = true;
            for (int step = 0; step < steps; step++)
            {
                Step();
                if (_heap.Statistics.ResidentFrames > BudgetPages)
                {
                    throw new AssertionException($"{_heap.Statistics.ResidentFrames} frames are in use, more than the budget allows.");
                }
            }
        }
        catch (Exception e) when (_medium.HasCrashed && e is HeapException or IOException)
        {
        }

        _medium.Gate.Open();
    }

    /// <summary>Compares, makes a last checkpoint and verifies.</summary>
    public void Finish(string when)
    {
        Settle();
        _model.AssertEquals(_heap!, AllPages, when);
        Checkpoint();
        if (!_store!.Verify().IsSound)
        {
            throw new AssertionException($"{when}: {_store.Verify().Problems[0]}");
        }

        Unpin(_ranges.Count);
        _model.AssertEquals(_heap!, AllPages, $"{when}, nothing pinned any more");
    }

    public void Dispose()
    {
        _medium.Gate.Open();
        try
        {
            _pending?.Wait();
        }
        catch (HeapException) when (_medium.HasCrashed)
        {
        }

        _window?.Dispose();
        _heap?.Dispose();
        _store?.Dispose();
    }

    private void Step()
    {
        switch (_random.Next(32))
        {
            case 0:
                Pin();
                break;
            case 1:
                Extend();
                break;
            case 2:
                Unpin(_random.Next(_ranges.Count + 1));
                break;
            case 3:
                Clear();
                break;
            case 4:
                BeginCheckpoint();
                if (_sealed % 8 == 0)
                {
                    _heap!.Trim(); // while the checkpoint is being written
                }

                break;
            case 5 when _random.Next(4) == 0:
                Checkpoint();
                break;
            case 6 when _random.Next(6) == 0:
                Revert();
                break;
            case 7:
                StoreToRange(more: 250);
                break;
            case 8:
                Write(200 * PageSize);
                break;
            case < 14:
                LetTheWriterGoOn(_random.Next(1, 6));
                break;
            case < 20:
                StoreToRange(more: 0);
                break;
            case < 24:
                UseWindow();
                break;
            case < 28:
                Write((_random.Next(4) * 20 * PageSize) + 100);
                break;
            default:
                Read();
                break;
        }
    }

    private void Pin()
    {
        int most = (int)(_heap!.PinnableBytes / PageSize);
        if (most == 0 || _ranges.Count == RangesMax)
        {
            return;
        }

        int first = _random.Next(Pages);
        int length = Math.Min(1 + _random.Next(most), Pages - first);
        foreach (PinnedRange other in _ranges)
        {
            int otherFirst = (int)((other.Address - Start) / PageSize);
            if (first < otherFirst + (int)(other.MaxLength / PageSize) && otherFirst < first + length)
            {
                return;
            }
        }

        PinnedRange range = _heap.PinRange(Start + ((ulong)first * PageSize), (ulong)(1 + _random.Next(length)) * PageSize, (ulong)length * PageSize);
        _ranges.Add(range);
        AssertRange(range);
    }

    private void Extend()
    {
        foreach (PinnedRange range in _ranges)
        {
            ulong more = Math.Min(range.MaxLength - range.Length, _heap!.PinnableBytes);
            range.Extend(range.Length + (ulong)_random.NextInt64((long)more + 1));
            AssertRange(range);
        }
    }

    private void Unpin(int count)
    {
        for (; count > 0; count--)
        {
            int index = _random.Next(_ranges.Count);
            AssertRange(_ranges[index]);
            _ranges[index].Dispose();
            _ranges.RemoveAt(index);
        }
    }

    private void StoreToRange(int more)
    {
        if (_ranges.Count == 0)
        {
            return;
        }

        PinnedRange range = _ranges[_random.Next(_ranges.Count)];
        for (int i = 0; i < 20 + more; i++)
        {
            ulong offset = (ulong)_random.NextInt64((long)range.Length);
            byte[] bytes = new byte[Math.Min(1 + _random.Next(_random.Next(8) == 0 ? 3 * PageSize : 64), (int)(range.Length - offset))];
            _random.NextBytes(bytes);
            if (more > 0 || _random.Next(2) == 0)
            {
                bytes.CopyTo(range.WriteSpan(offset, bytes.Length));
            }
            else
            {
                // As compiled code does it.
                for (int at = 0; at < bytes.Length; at++)
                {
                    ((byte*)range.Memory)[offset + (ulong)at] = bytes[at];
                    ((byte*)range.DirtyMap)[(offset + (ulong)at) / PageSize] = 1;
                }
            }

            _model.Write(range.Address + offset, bytes);
        }
    }

    private void UseWindow()
    {
        for (int i = 0; i < 12; i++)
        {
            ulong offset = (ulong)_random.Next(Pages * PageSize / 8) * 8;
            nint load = *(nint*)((byte*)_window!.LoadTable + (offset / PageSize * 8));
            byte* found = load != 0 ? (byte*)load + offset : _window.Load(offset);
            byte[] expected = new byte[8];
            _model.Read(Start + offset, expected);
            if (!new ReadOnlySpan<byte>(found, 8).SequenceEqual(expected))
            {
                throw new AssertionException($"A load by window of page {offset / PageSize} differs (entry {(load != 0 ? "found" : "made")}).");
            }

            nint store = *(nint*)((byte*)_window.LoadTable + TranslationWindow.StoreTableDistance + (offset / PageSize * 8));
            byte* target = store != 0 ? (byte*)store + offset : _window.Store(offset);
            _random.NextBytes(expected);
            expected.CopyTo(new Span<byte>(target, 8));
            _model.Write(Start + offset, expected);
        }
    }

    private void Write(int length)
    {
        ulong offset = (ulong)_random.Next(Pages * PageSize);
        byte[] bytes = new byte[Math.Min(1 + _random.Next(length), (Pages * PageSize) - (int)offset)];
        _random.NextBytes(bytes);
        _heap!.Write(Start + offset, bytes);
        _model.Write(Start + offset, bytes);
    }

    private void Clear()
    {
        ulong offset = (ulong)_random.Next(Pages * PageSize);
        ulong length = (ulong)Math.Min(_random.Next(100 * PageSize), (Pages * PageSize) - (int)offset);
        _heap!.Clear(Start + offset, length);
        _model.Clear(Start + offset, length);
    }

    private void Read()
    {
        ulong offset = (ulong)_random.Next(Pages * PageSize);
        byte[] found = new byte[Math.Min(1 + _random.Next(5 * PageSize), (Pages * PageSize) - (int)offset)];
        byte[] expected = new byte[found.Length];
        _heap!.Read(Start + offset, found);
        _model.Read(Start + offset, expected);
        int same = found.AsSpan().CommonPrefixLength(expected);
        if (same != found.Length)
        {
            throw new AssertionException($"Page {(offset + (ulong)same) / PageSize} reads {found[same]} instead of {expected[same]}.");
        }
    }

    private void AssertRange(PinnedRange range)
    {
        byte[] expected = new byte[range.Length];
        _model.Read(range.Address, expected);
        int same = range.ReadSpan(0, expected.Length).CommonPrefixLength(expected);
        if (same != expected.Length)
        {
            throw new AssertionException($"Page {same / PageSize} of {range.Length / PageSize} in the range pinned at page {(range.Address - Start) / PageSize} differs.");
        }
    }

    private void BeginCheckpoint()
    {
        Settle();
        if (IsGated)
        {
            _medium.Gate.Close();
        }

        Seal();
        PendingCheckpoint pending = _heap!.BeginCheckpoint();
        _pending = pending;
        _medium.Gate.AwaitStop(() => pending.IsCompleted);
    }

    private void Checkpoint()
    {
        Settle();
        Seal();
        Returned(_heap!.Checkpoint().Number);
    }

    private void Revert()
    {
        Settle();
        if (_retained.Count > 0)
        {
            long number = _retained[_random.Next(_retained.Count)];
            Seal(_history[number]);
            long reverted = _heap!.Revert(number).Number;
            _model = _history[number].Snapshot();
            Returned(reverted);
        }

        Checkpoint();
        _store!.Retain(SimulatedStores.HeapName, _sealed);
        _history[_sealed] = _model.Snapshot();
        _retained.Add(_sealed);
        if (_retained.Count > 3)
        {
            _store.DropCheckpoint(SimulatedStores.HeapName, _retained[0]);
            _retained.RemoveAt(0);
        }

        foreach (PinnedRange range in _ranges)
        {
            AssertRange(range);
        }
    }

    private void LetTheWriterGoOn(int ios)
    {
        if (_pending is { } pending)
        {
            _medium.Gate.Grant(ios, () => pending.IsCompleted);
        }
    }

    /// <summary>The engine waits for a checkpoint in flight before it seals the next: lets it.</summary>
    private void Settle()
    {
        _medium.Gate.Open();
        if (_pending is not null)
        {
            Returned(_pending.Wait().Number);
            _pending = null;
        }
    }

    /// <summary>Every seal has its number and its content before it starts: the crash may come at any moment in it.</summary>
    private void Seal(HeapModel? content = null)
    {
        lock (_lock)
        {
            _acceptable[++_sealed] = (content ?? _model).Snapshot();
        }
    }

    private void Returned(long number)
    {
        lock (_lock)
        {
            foreach (long older in _acceptable.Keys.Where(other => other < number).ToList())
            {
                _acceptable.Remove(older);
            }

            if (number != _sealed)
            {
                throw new AssertionException($"Checkpoint {number} returned instead of {_sealed}.");
            }
        }
    }
}
