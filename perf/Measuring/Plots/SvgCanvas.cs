using System.Globalization;
using System.Security;
using System.Text;

namespace Everheap.Measuring.Plots;

/// <summary>Where a text lies relative to its point.</summary>
internal enum TextAnchor
{
    Start,
    Middle,
    End,
}

/// <summary>Writes the few shapes that charts are made of as SVG. Texts use whatever plain font the viewer has.</summary>
internal sealed class SvgCanvas(double width, double height)
{
    private readonly StringBuilder _shapes = new();

    public double Width { get; } = width;

    public double Height { get; } = height;

    public void Line(double x1, double y1, double x2, double y2, string color, double thickness = 1, string? dashes = null) =>
        Append($"""<line x1="{x1:0.#}" y1="{y1:0.#}" x2="{x2:0.#}" y2="{y2:0.#}" stroke="{color}" stroke-width="{thickness:0.#}"{Dashes(dashes)}/>""");

    public void Polyline(IEnumerable<(double X, double Y)> points, string color, double thickness, string? dashes = null)
    {
        string text = string.Join(' ', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{point.X:0.#},{point.Y:0.#}")));
        Append($"""<polyline points="{text}" fill="none" stroke="{color}" stroke-width="{thickness:0.#}"{Dashes(dashes)}/>""");
    }

    public void Circle(double x, double y, double radius, string color) =>
        Append($"""<circle cx="{x:0.#}" cy="{y:0.#}" r="{radius:0.#}" fill="{color}"/>""");

    public void Rectangle(double x, double y, double rectangleWidth, double rectangleHeight, string color) =>
        Append($"""<rect x="{x:0.#}" y="{y:0.#}" width="{rectangleWidth:0.#}" height="{rectangleHeight:0.#}" fill="{color}"/>""");

    public void Text(double x, double y, string text, double size, TextAnchor anchor = TextAnchor.Start, string color = "#222", bool bold = false, bool upward = false)
    {
        string name = anchor switch { TextAnchor.Start => "start", TextAnchor.Middle => "middle", _ => "end" };
        string turn = upward ? string.Create(CultureInfo.InvariantCulture, $" transform=\"rotate(-90 {x:0.#} {y:0.#})\"") : "";
        string weight = bold ? " font-weight=\"bold\"" : "";
        Append($"""<text x="{x:0.#}" y="{y:0.#}" font-size="{size:0.#}" text-anchor="{name}" fill="{color}"{weight}{turn}>{SecurityElement.Escape(text)}</text>""");
    }

    /// <summary>The whole picture, on white so that it can be read on any page.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"""
        <svg xmlns="http://www.w3.org/2000/svg" width="{Width:0}" height="{Height:0}" viewBox="0 0 {Width:0} {Height:0}" font-family="Helvetica, Arial, DejaVu Sans, sans-serif">
        <rect width="100%" height="100%" fill="#fff"/>
        {_shapes}</svg>

        """);

    private static string Dashes(string? dashes) => dashes is null ? "" : $" stroke-dasharray=\"{dashes}\"";

    private void Append(FormattableString shape) => _shapes.Append(shape.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
