namespace Everheap.Measuring.Plots;

/// <summary>Horizontal bars in groups, each with its value written at its end: names as long as they are stay readable.</summary>
internal sealed class BarChart(string title, Axis values)
{
    private const double BarHeight = 16;
    private const double GroupGap = 14;
    private const double ValueSize = 11;
    private const double NameWidth = 190;
    private const double ValueRoom = 72;

    private readonly List<(string Group, IReadOnlyList<Bar> Bars)> _groups = [];

    private double? _target;

    /// <summary>What was to be reached: a line across all bars.</summary>
    public void Target(double value) => _target = value;

    /// <summary>Adds a group of bars that belong together. One that has no value is left out.</summary>
    public void Add(string group, IEnumerable<(string Name, double? Value)> bars) =>
        _groups.Add((group, [.. bars.Select((bar, color) => new Bar(bar.Name, bar.Value, color))]));

    public override string ToString()
    {
        double height = ChartFrame.Top + _groups.Sum(group => (Shown(group.Bars).Count * BarHeight) + GroupGap + BarHeight) + 52;
        SvgCanvas canvas = new(ChartFrame.Width, height);
        double bottom = height - 52;
        Scale scale = new(values, _groups.SelectMany(group => Shown(group.Bars)).Select(bar => bar.Value!.Value), NameWidth + 20, ChartFrame.Right - ValueRoom);
        ChartFrame.Title(canvas, title);
        if (_target is { } target)
        {
            canvas.Line(scale.At(target), ChartFrame.Top - 6, scale.At(target), bottom, Palette.Target, 1.5, "2 3");
            canvas.Text(scale.At(target), ChartFrame.Top - 8, "target", ValueSize, TextAnchor.Middle, Palette.Target);
        }

        ChartFrame.Horizontal(canvas, scale, ChartFrame.Top - 6, bottom);
        double y = ChartFrame.Top;
        foreach ((string group, IReadOnlyList<Bar> bars) in _groups)
        {
            canvas.Text(12, y + 12, group, 12, bold: true);
            y += BarHeight + 2;
            foreach (Bar bar in Shown(bars))
            {
                double end = scale.At(bar.Value!.Value);
                canvas.Text(NameWidth + 12, y + 12, bar.Name, 12, TextAnchor.End);
                canvas.Rectangle(scale.From, y + 2, Math.Max(end - scale.From, 1), BarHeight - 4, Palette.Color(bar.Color));
                canvas.Text(end + 5, y + 12, values.Format(bar.Value.Value), ValueSize);
                y += BarHeight;
            }

            y += GroupGap - 2;
        }

        return canvas.ToString();
    }

    private static List<Bar> Shown(IEnumerable<Bar> bars) => [.. bars.Where(bar => bar.Value is not null)];

    private sealed record Bar(string Name, double? Value, int Color);
}
