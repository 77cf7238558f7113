namespace Everheap.Measuring.Plots;

/// <summary>One axis of a chart: what it is of, how its values are written, and whether it is logarithmic.</summary>
/// <param name="Label">What it shows, with the unit where the values do not carry it.</param>
/// <param name="Format">A value as text.</param>
/// <param name="IsLogarithmic">Whether equal ratios take equal room; values are then positive.</param>
internal sealed record Axis(string Label, Func<double, string> Format, bool IsLogarithmic = false)
{
    /// <summary>Values that get a mark of their own, whatever the range; null for round ones.</summary>
    public IReadOnlyList<double>? Marks { get; init; }
}

/// <summary>An axis with a range: where values lie on it.</summary>
internal sealed class Scale
{
    private const int MarksWanted = 6;

    private readonly double _low;
    private readonly double _high;

    /// <summary>A scale that has room for all of some values.</summary>
    public Scale(Axis axis, IEnumerable<double> values, double from, double to)
    {
        Axis = axis;
        From = from;
        To = to;
        double[] all = [.. values.Where(value => !axis.IsLogarithmic || value > 0)];
        double low = all.DefaultIfEmpty(1).Min(), high = all.DefaultIfEmpty(1).Max();
        if (axis.Marks is not null)
        {
            // Some room on both sides of the first and the last mark.
            double ratio = Math.Pow(Math.Max(high / low, 2), 0.05);
            (_low, _high) = axis.IsLogarithmic ? (low / ratio, high * ratio) : (low - ((high - low) * 0.05), high + ((high - low) * 0.05));
            Marks = axis.Marks;
        }
        else if (axis.IsLogarithmic)
        {
            (_low, _high) = (RoundLogarithmic(low, up: false), RoundLogarithmic(high, up: true));
            Marks = LogarithmicMarks(_low, _high);
        }
        else
        {
            double step = RoundStep(Math.Max(high, 1e-9) / MarksWanted);
            (_low, _high) = (0, Math.Ceiling(high * 1.02 / step) * step);
            Marks = [.. Enumerable.Range(0, (int)Math.Round(_high / step) + 1).Select(i => i * step)];
        }
    }

    public Axis Axis { get; }

    /// <summary>Where the low end is in the picture.</summary>
    public double From { get; }

    /// <summary>Where the high end is in the picture.</summary>
    public double To { get; }

    /// <summary>The values that are written at the axis.</summary>
    public IReadOnlyList<double> Marks { get; }

    /// <summary>Where a value is in the picture.</summary>
    public double At(double value)
    {
        double share = Axis.IsLogarithmic
            ? Math.Log(Math.Max(value, _low) / _low) / Math.Log(_high / _low)
            : (value - _low) / (_high - _low);
        return From + (Math.Clamp(share, 0, 1) * (To - From));
    }

    private static double RoundStep(double step)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(step)));
        return power * ((step / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 });
    }

    /// <summary>To 1, 2 or 5 times a power of ten.</summary>
    private static double RoundLogarithmic(double value, bool up)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(value)));
        double digit = value / power;
        return power * (up
            ? digit switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 }
            : digit switch { >= 5 => 5, >= 2 => 2, _ => 1 });
    }

    private static double[] LogarithmicMarks(double low, double high)
    {
        double[] digits = Math.Log10(high / low) switch { <= 3 => [1, 2, 5], _ => [1] };
        List<double> marks = [];
        for (double power = Math.Pow(10, Math.Floor(Math.Log10(low))); power <= high * 1.0001; power *= 10)
        {
            marks.AddRange(digits.Select(digit => digit * power).Where(mark => mark >= low * 0.9999 && mark <= high * 1.0001));
        }

        return [.. marks];
    }
}
