namespace Everheap.Measuring.Plots;

/// <summary>Curves over a common axis, each with its points marked, and perhaps a target as a dashed line across.</summary>
internal sealed class LineChart(string title, Axis horizontal, Axis vertical)
{
    private const double PlotHeight = 300;

    private readonly List<Curve> _curves = [];
    private (double Value, string Name)? _target;

    /// <summary>Adds a curve.</summary>
    /// <param name="name">For the legend.</param>
    /// <param name="points">In the order of the horizontal axis.</param>
    /// <param name="color">The place in the palette; curves that belong together share one.</param>
    /// <param name="isDashed">Whether it is the lesser of those that share a colour.</param>
    public void Add(string name, IEnumerable<(double X, double Y)> points, int color, bool isDashed = false) =>
        _curves.Add(new Curve(name, [.. points], Palette.Color(color), isDashed ? "6 4" : null));

    /// <summary>What was to be reached.</summary>
    public void Target(double value, string name) => _target = (value, name);

    public override string ToString()
    {
        List<string> names = [.. _curves.Select(curve => curve.Name)];
        if (_target is { } aim)
        {
            names.Add(aim.Name);
        }

        double bottom = ChartFrame.Top + PlotHeight, legendTop = bottom + 62;
        SvgCanvas canvas = new(ChartFrame.Width, legendTop + ChartFrame.LegendHeight(names));
        Scale x = new(horizontal, _curves.SelectMany(curve => curve.Points.Select(point => point.X)), ChartFrame.Left, ChartFrame.Right);
        IEnumerable<double> heights = _curves.SelectMany(curve => curve.Points.Select(point => point.Y));
        Scale y = new(vertical, _target is { } line ? heights.Append(line.Value) : heights, bottom, ChartFrame.Top);
        ChartFrame.Title(canvas, title);
        ChartFrame.Horizontal(canvas, x, ChartFrame.Top, bottom);
        ChartFrame.Vertical(canvas, y);
        if (_target is { } target)
        {
            canvas.Line(ChartFrame.Left, y.At(target.Value), ChartFrame.Right, y.At(target.Value), Palette.Target, 1.5, "2 3");
        }

        foreach (Curve curve in _curves)
        {
            canvas.Polyline(curve.Points.Select(point => (x.At(point.X), y.At(point.Y))), curve.Color, 2, curve.Dashes);
            foreach ((double px, double py) in curve.Points)
            {
                canvas.Circle(x.At(px), y.At(py), 3.5, curve.Color);
            }
        }

        ChartFrame.Legend(canvas, legendTop, names, (index, left, top) =>
        {
            if (index == _curves.Count)
            {
                canvas.Line(left, top, left + 26, top, Palette.Target, 1.5, "2 3");
                return;
            }

            canvas.Line(left, top, left + 26, top, _curves[index].Color, 2, _curves[index].Dashes);
            canvas.Circle(left + 13, top, 3.5, _curves[index].Color);
        });
        return canvas.ToString();
    }

    private sealed record Curve(string Name, IReadOnlyList<(double X, double Y)> Points, string Color, string? Dashes);
}
