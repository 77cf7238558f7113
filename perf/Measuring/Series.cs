using System.Diagnostics;

namespace Everheap.Measuring;

/// <summary>Values of one thing: times in nanoseconds an operation, where nothing else is said.</summary>
internal sealed class Series
{
    private readonly List<double> _values = [];

    public int Count => _values.Count;

    /// <summary>The least of all: what a busy machine cannot make faster than it is.</summary>
    public double Best => Percentile(0);

    public double Median => Percentile(50);

    /// <summary>Of fewer than a hundred values, the largest.</summary>
    public double P99 => Percentile(99);

    public void Add(double value) => _values.Add(value);

    /// <summary>Runs something that does so many operations, and adds the time of one.</summary>
    public void Time(Action action, int operations = 1)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        Add(Stopwatch.GetElapsedTime(start).TotalNanoseconds / operations);
    }

    /// <summary>The same, of this thread's processor time: without what others on a busy machine take in between. Only for what does not wait.</summary>
    public void TimeProcessor(Action action, int operations)
    {
        TimeSpan start = ThreadClock.ProcessorTime();
        action();
        Add((ThreadClock.ProcessorTime() - start).TotalNanoseconds / operations);
    }

    public double Percentile(int percent)
    {
        double[] sorted = [.. _values.Order()];
        return sorted[Math.Min(sorted.Length - 1, sorted.Length * percent / 100)];
    }
}
