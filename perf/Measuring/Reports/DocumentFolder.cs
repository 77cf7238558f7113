namespace Everheap.Measuring.Reports;

/// <summary>A folder of documents whose benchmarks.md has a pair of markers for each section of the report.</summary>
internal sealed class DocumentFolder
{
    private readonly string _path;

    /// <exception cref="FileNotFoundException">There is no benchmarks.md.</exception>
    public DocumentFolder(string folder)
    {
        _path = Path.Combine(folder, "benchmarks.md");
        if (!File.Exists(_path))
        {
            throw new FileNotFoundException($"{_path} is not there.", _path);
        }
    }

    /// <summary>Writes a section between its markers, and its pictures.</summary>
    /// <exception cref="InvalidDataException">The document has no markers of that name.</exception>
    public void Enter(ReportSection section)
    {
        File.WriteAllText(_path, Enter(File.ReadAllText(_path), section));
        string plots = Path.Combine(Path.GetDirectoryName(_path)!, ReportSection.PlotFolder);
        Directory.CreateDirectory(plots);
        foreach (Plot plot in section.Plots)
        {
            File.WriteAllText(Path.Combine(plots, plot.FileName), plot.Svg);
        }
    }

    private static string Enter(string document, ReportSection section)
    {
        string begin = $"<!-- {section.Name}: begin -->\n", end = $"<!-- {section.Name}: end -->";
        int from = document.IndexOf(begin, StringComparison.Ordinal), to = document.IndexOf(end, StringComparison.Ordinal);
        return from >= 0 && to > from
            ? string.Concat(document.AsSpan(0, from + begin.Length), section.Markdown, document.AsSpan(to))
            : throw new InvalidDataException($"The document has no lines '{begin.Trim()}' and '{end}', one after the other.");
    }
}
