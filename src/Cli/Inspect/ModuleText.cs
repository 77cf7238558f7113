using System.Globalization;
using Everheap.Vm.Modules;

namespace Everheap.Cli.Inspect;

/// <summary>
/// Shows a module to people. In a terminal, long lists are cut and lists of words are broken at its width; in a pipe, everything is shown, one item a line.
/// </summary>
/// <param name="description">The module.</param>
/// <param name="width">The terminal's columns; null in a pipe.</param>
/// <param name="output">Where to.</param>
internal sealed class ModuleText(ModuleDescription description, int? width, TextWriter output)
{
    private const int ShownInTerminalMax = 30;
    private const int WidthMin = 20;
    private const int WidthInPipe = 100;

    private readonly Module _module = description.Module;

    public void Write()
    {
        string name = _module.Name is { Length: > 0 } given ? $", \"{given}\"" : "";
        Line($"{description.FileName}: a WebAssembly module of {ByteSize.Format(_module.Bytes.Length)}{name}");
        WriteVerdict();
        Words("features beyond WebAssembly 2.0", [.. _module.Features.Select(use => use.Name)]);
        Words("WASI functions", description.WasiFunctions);
        WriteSections();
        WriteContents();
        WriteLinks();
        WriteOrigin();
    }

    private void WriteVerdict()
    {
        if (description.Obstacles.Count == 0)
        {
            Line("everheap run can run it");
            return;
        }

        Line("everheap run cannot run it:");
        List(description.Obstacles, static obstacle => "- " + obstacle);
    }

    private void WriteSections()
    {
        Title("sections", description.Sections.Count);
        Line($"  {"offset",10} {"bytes",10}  name");
        List(
            description.Sections,
            section => string.Create(
                CultureInfo.InvariantCulture,
                $"{"0x" + section.Offset.ToString("x", CultureInfo.InvariantCulture),10} {section.Length,10}  {section.Name}{(section.Kind == SectionKind.Custom ? " (custom)" : "")}"));
    }

    private void WriteContents()
    {
        Line("");
        Line(Number($"types {_module.Types.Count}, functions {_module.FunctionTypes.Count}, of which {_module.ImportedFunctionCount} imported"));
        Line(Number($"data segments {_module.Data.Count}, element segments {_module.Elements.Count}"));
        if (_module.StartFunction is int start)
        {
            Line(Number($"start function {start}, ") + _module.DisplayNameOf(start));
        }

        Numbered("memories", _module.Memories.Count, index => ModuleDescription.TypeOf(_module.Memories[index]) + Imported(index, _module.ImportedMemoryCount));
        Numbered("tables", _module.Tables.Count, index => ModuleDescription.TypeOf(_module.Tables[index]) + Imported(index, _module.ImportedTableCount));
        Numbered("globals", _module.Globals.Count, index => ModuleDescription.TypeOf(_module.Globals[index]) + Imported(index, _module.ImportedGlobalCount));
        Numbered("tags", _module.Tags.Count, index => _module.Tags[index].Type + Imported(index, _module.ImportedTagCount));
    }

    private void WriteLinks()
    {
        Title("imports", _module.Imports.Count);
        List(_module.Imports, import => $"{import.ModuleName}.{import.Name}: {ModuleDescription.KindOf(import.Kind)} {description.TypeOf(import.Kind, import.Index)}");
        Title("exports", _module.Exports.Count);
        List(_module.Exports, export => $"{export.Name}: {ModuleDescription.KindOf(export.Kind)} {Number($"{export.Index}")}, {description.TypeOf(export.Kind, export.Index)}");
    }

    private void WriteOrigin()
    {
        IReadOnlyList<ProducerField> producers = _module.ReadProducers();
        if (producers.Count > 0)
        {
            Title("producers", producers.Count);
            List(producers, field => $"{field.Field}: {string.Join(", ", field.Values.Select(value => $"{value.Name} {value.Version}".TrimEnd()))}");
        }

        Words("target features", [.. _module.ReadTargetFeatures().Select(feature => feature.Prefix + feature.Name)]);
    }

    private static string Imported(int index, int importedCount) => index < importedCount ? ", imported" : "";

    private static string Number(FormattableString text) => FormattableString.Invariant(text);

    private void Title(string title, int count)
    {
        Line("");
        Line(Number($"{title}: {count}"));
    }

    private void Numbered(string title, int count, Func<int, string> describe)
    {
        if (count > 0)
        {
            Title(title, count);
            List([.. Enumerable.Range(0, count)], index => Number($"{index}  ") + describe(index));
        }
    }

    private void List<T>(IReadOnlyList<T> items, Func<T, string> describe)
    {
        int shown = width is null ? items.Count : Math.Min(items.Count, ShownInTerminalMax);
        foreach (T item in items.Take(shown))
        {
            Line("  " + describe(item));
        }

        if (shown < items.Count)
        {
            Line(Number($"  ... and {items.Count - shown} more; in a pipe, or with --json, all are shown"));
        }
    }

    // Words side by side, in as many lines as it takes.
    private void Words(string title, IReadOnlyList<string> words)
    {
        if (words.Count == 0)
        {
            return;
        }

        Title(title, words.Count);
        int columns = Math.Max(width ?? WidthInPipe, WidthMin);
        string line = " ";
        foreach (string word in words)
        {
            if (line.Length > 1 && line.Length + 1 + word.Length >= columns)
            {
                Line(line);
                line = " ";
            }

            line += " " + word;
        }

        Line(line);
    }

    // Names in a module may hold anything; the terminal is to see text alone.
    private void Line(string text) => output.WriteLine(string.Concat(text.Select(c => char.IsControl(c) ? '?' : c)));
}
