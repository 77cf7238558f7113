using System.Xml.Linq;
using Everheap.Measuring.Reports;
using Everheap.Vm.Benchmarks.Peers;
using Everheap.Vm.Benchmarks.Programs;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Benchmarks.Reports;

/// <summary>Runs the report into a document of its own, and sees to it that each section left text there, and pictures that can be read.</summary>
internal static class SmokeDocument
{
    /// <exception cref="InvalidOperationException">A program failed or gave something else than expected, or there is no text or picture.</exception>
    public static void Run(Options options, AllPeers peers, TextWriter output)
    {
        Directory.CreateDirectory(ProgramSet.WorkFolder);
        using var folder = new ScratchFolder(ProgramSet.WorkFolder);
        string document = folder.File("benchmarks.md");
        string[] markers = [.. Report.Names.SelectMany(name => new[] { $"<!-- {name}: begin -->", $"<!-- {name}: end -->" })];
        File.WriteAllLines(document, markers);
        Report.Run(options with { Documents = new DocumentFolder(folder.FullPath) }, peers, output);
        int lines = File.ReadLines(document).Count();
        string[] plots = Directory.Exists(folder.File(ReportSection.PlotFolder)) ? Directory.GetFiles(folder.File(ReportSection.PlotFolder)) : [];
        if (lines <= markers.Length || (options.Sections.Count == 0 && plots.Length == 0))
        {
            throw new InvalidOperationException($"The report left {lines} lines and {plots.Length} plots.");
        }

        foreach (string plot in plots)
        {
            _ = XDocument.Load(plot);
        }
    }
}
