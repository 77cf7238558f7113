namespace Everheap.Measuring.Plots;

/// <summary>What all charts have around their content: title, axes with grid and marks, a legend below.</summary>
internal static class ChartFrame
{
    public const double Width = 760;
    public const double Left = 92;
    public const double Right = Width - 24;
    public const double Top = 48;

    private const double LabelSize = 13;
    private const double MarkSize = 12;
    private const double LegendRowHeight = 20;
    private const double LegendCharacterWidth = 7.2;

    public static void Title(SvgCanvas canvas, string title) => canvas.Text(Width / 2, 26, title, 15, TextAnchor.Middle, bold: true);

    /// <summary>The grid and marks of a vertical axis at the left.</summary>
    public static void Vertical(SvgCanvas canvas, Scale scale)
    {
        foreach (double mark in scale.Marks)
        {
            double y = scale.At(mark);
            canvas.Line(Left, y, Right, y, Palette.Grid);
            canvas.Text(Left - 8, y + 4, scale.Axis.Format(mark), MarkSize, TextAnchor.End);
        }

        canvas.Line(Left, scale.From, Left, scale.To, Palette.Frame);
        canvas.Text(18, (scale.From + scale.To) / 2, scale.Axis.Label, LabelSize, TextAnchor.Middle, upward: true);
    }

    /// <summary>The grid and marks of a horizontal axis at the bottom.</summary>
    public static void Horizontal(SvgCanvas canvas, Scale scale, double top, double bottom)
    {
        foreach (double mark in scale.Marks)
        {
            double x = scale.At(mark);
            canvas.Line(x, top, x, bottom, Palette.Grid);
            canvas.Text(x, bottom + 18, scale.Axis.Format(mark), MarkSize, TextAnchor.Middle);
        }

        canvas.Line(scale.From, bottom, scale.To, bottom, Palette.Frame);
        canvas.Text((scale.From + scale.To) / 2, bottom + 38, scale.Axis.Label, LabelSize, TextAnchor.Middle);
    }

    /// <summary>How many rows the legend of some names takes.</summary>
    public static double LegendHeight(IEnumerable<string> names) => (Rows(names).Max(place => place.Row) + 1) * LegendRowHeight;

    /// <summary>The legend, each name after a sign that the caller draws.</summary>
    public static void Legend(SvgCanvas canvas, double top, IReadOnlyList<string> names, Action<int, double, double> drawSign)
    {
        int index = 0;
        foreach ((double x, int row) in Rows(names))
        {
            double y = top + (row * LegendRowHeight);
            drawSign(index, x, y);
            canvas.Text(x + 32, y + 4, names[index], MarkSize);
            index++;
        }
    }

    private static List<(double X, int Row)> Rows(IEnumerable<string> names)
    {
        List<(double, int)> places = [];
        double x = Left;
        int row = 0;
        foreach (string name in names)
        {
            double width = 52 + (name.Length * LegendCharacterWidth);
            if (x > Left && x + width > Right + 16)
            {
                x = Left;
                row++;
            }

            places.Add((x, row));
            x += width;
        }

        return places;
    }
}
