using Everheap.Vm.Wasi.State;

namespace Everheap.Vm.Wasi.Files;

/// <summary>
/// Which bytes of a file changed: ranges in order that do not touch. Bounded: past <see cref="RangesMax"/> ranges that are close to each other become
/// one, so it may say too much, never too little.
/// </summary>
internal sealed class RangeSet
{
    /// <summary>The most ranges that are told apart.</summary>
    public const int RangesMax = 512;

    private const long Granularity = 4096;

    private readonly List<(long Start, long End)> _ranges = [];

    /// <summary>Whether nothing changed.</summary>
    public bool IsEmpty => _ranges.Count == 0;

    /// <summary>The ranges, in order.</summary>
    public IReadOnlyList<(long Start, long End)> Ranges => _ranges;

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="reader">The state.</param>
    /// <returns>The ranges.</returns>
    public static RangeSet Read(ref StateReader reader)
    {
        var set = new RangeSet();
        int count = reader.Count(RangesMax, 16);
        for (int i = 0; i < count; i++)
        {
            long start = reader.I64();
            long end = reader.I64();
            if (start < 0 || end <= start || end > WasiLimits.FileBytesMax + Granularity)
            {
                throw reader.Fault($"a range from {start} to {end} is impossible");
            }

            set.Add(start, end);
        }

        return set;
    }

    /// <summary>Writes the ranges.</summary>
    /// <param name="writer">The state.</param>
    public void Write(StateWriter writer)
    {
        writer.Count(_ranges.Count);
        foreach (var (start, end) in _ranges)
        {
            writer.I64(start);
            writer.I64(end);
        }
    }

    /// <summary>Adds a range, rounded out to whole pages.</summary>
    /// <param name="start">Its first byte.</param>
    /// <param name="end">The byte after its last.</param>
    public void Add(long start, long end)
    {
        if (end <= start)
        {
            return;
        }

        start &= -Granularity;
        end = (end + Granularity - 1) & -Granularity;

        // The first range that ends at or after the start; everything before it stays.
        int first = 0;
        int high = _ranges.Count;
        while (first < high)
        {
            int middle = (first + high) >> 1;
            if (_ranges[middle].End < start)
            {
                first = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        if (first < _ranges.Count && _ranges[first].Start <= start && _ranges[first].End >= end)
        {
            return;
        }

        int last = first;
        while (last < _ranges.Count && _ranges[last].Start <= end)
        {
            start = Math.Min(start, _ranges[last].Start);
            end = Math.Max(end, _ranges[last].End);
            last++;
        }

        if (last == first + 1)
        {
            _ranges[first] = (start, end);
            return;
        }

        _ranges.RemoveRange(first, last - first);
        _ranges.Insert(first, (start, end));
        if (_ranges.Count > RangesMax)
        {
            JoinClosest();
        }
    }

    /// <summary>Adds all ranges of another set.</summary>
    /// <param name="other">The other set.</param>
    public void Add(RangeSet other)
    {
        foreach (var (start, end) in other._ranges)
        {
            Add(start, end);
        }
    }

    /// <summary>Takes out the first bytes of the set.</summary>
    /// <param name="bytesMax">The most bytes to take.</param>
    /// <returns>What was taken.</returns>
    public RangeSet Take(long bytesMax)
    {
        var taken = new RangeSet();
        bytesMax &= -Granularity;
        while (bytesMax > 0 && _ranges.Count > 0)
        {
            var (start, end) = _ranges[0];
            long cut = end - start <= bytesMax ? end : start + bytesMax;
            taken._ranges.Add((start, cut));
            bytesMax -= cut - start;
            if (cut == end)
            {
                _ranges.RemoveAt(0);
            }
            else
            {
                _ranges[0] = (cut, end);
            }
        }

        return taken;
    }

    /// <summary>Joins the half of the ranges that are closest to their next, so that this is seldom needed.</summary>
    private void JoinClosest()
    {
        long[] gaps = new long[_ranges.Count - 1];
        for (int i = 0; i < gaps.Length; i++)
        {
            gaps[i] = _ranges[i + 1].Start - _ranges[i].End;
        }

        Array.Sort(gaps);
        long limit = gaps[gaps.Length / 2];
        int kept = 0;
        for (int i = 1; i < _ranges.Count; i++)
        {
            if (_ranges[i].Start - _ranges[kept].End <= limit)
            {
                _ranges[kept] = (_ranges[kept].Start, _ranges[i].End);
            }
            else
            {
                _ranges[++kept] = _ranges[i];
            }
        }

        _ranges.RemoveRange(kept + 1, _ranges.Count - kept - 1);
    }
}
