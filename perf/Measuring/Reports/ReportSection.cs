using System.Text;

namespace Everheap.Measuring.Reports;

/// <summary>What was to be reached, and what was.</summary>
internal sealed record Finding(string What, string Target, string Reached, bool IsMet);

/// <summary>A picture of a section.</summary>
internal sealed record Plot(string FileName, string Svg);

/// <summary>One part of the report: markdown that goes between its markers in docs/benchmarks.md, pictures, findings.</summary>
/// <param name="name">The name in the markers and on the command line.</param>
internal sealed class ReportSection(string name)
{
    /// <summary>Where docs/benchmarks.md finds the pictures.</summary>
    public const string PlotFolder = "plots";

    private readonly StringBuilder _markdown = new();
    private readonly List<Plot> _plots = [];
    private readonly List<Finding> _findings = [];

    public string Name { get; } = name;

    public IReadOnlyList<Plot> Plots => _plots;

    public IReadOnlyList<Finding> Findings => _findings;

    public string Markdown => _markdown.ToString().TrimEnd('\n') + "\n";

    public void Add(MarkdownTable table) => Add(table.ToString());

    public void Add(string paragraph) => _markdown.Append(paragraph.TrimEnd('\n')).Append("\n\n");

    public void AddPlot(string fileName, string description, string svg)
    {
        _plots.Add(new Plot(fileName, svg));
        Add($"![{description}]({PlotFolder}/{fileName})");
    }

    public void AddFinding(string what, string target, string reached, bool isMet) => _findings.Add(new Finding(what, target, reached, isMet));
}
