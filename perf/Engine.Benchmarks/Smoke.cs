using System.Xml.Linq;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using Everheap.Engine.Benchmarks.Reports;
using Everheap.Measuring;
using Everheap.Measuring.Reports;
using Perfolizer.Horology;

namespace Everheap.Engine.Benchmarks;

/// <summary>Everything in a tiny size: shows that all of it still runs and that no value is wrong. The figures mean nothing.</summary>
internal static class Smoke
{
    public static bool Run()
    {
        Sizes.IsSmoke = true;
        Progress.IsSilent = true;
        bool isComplete = RunBenchmarks();
        RunReport();
        Console.WriteLine(isComplete ? "smoke: every benchmark ran" : "smoke: a benchmark failed");
        return isComplete;
    }

    public static bool IsComplete(Summary summary) =>
        !summary.HasCriticalValidationErrors && summary.Reports.Length > 0 && summary.Reports.All(report => report.Success);

    private static bool RunBenchmarks()
    {
        Job job = Job.Default
            .WithToolchain(InProcessNoEmitToolchain.Instance)
            .WithWarmupCount(1)
            .WithIterationCount(3)
            .WithIterationTime(TimeInterval.FromMilliseconds(20));
        ManualConfig config = ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddLogger(NullLogger.Instance)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .WithOptions(ConfigOptions.DisableLogFile);
        bool isComplete = true;
        foreach (Summary summary in BenchmarkSwitcher.FromAssembly(typeof(Smoke).Assembly).RunAll(config))
        {
            MarkdownExporter.Console.ExportToLog(summary, ConsoleLogger.Default);
            isComplete &= IsComplete(summary);
        }

        return isComplete;
    }

    /// <summary>Runs every section into a document of its own, and sees to it that each left text there and pictures that can be read.</summary>
    private static void RunReport()
    {
        using WorkFolder folder = new();
        string document = folder.File("benchmarks.md");
        File.WriteAllLines(document, Report.Markers);
        Report.Run([], new DocumentFolder(folder.Path), Console.Out);
        int length = File.ReadLines(document).Count();
        string[] plots = Directory.GetFiles(folder.File(ReportSection.PlotFolder));
        if (length < 4 * Report.Markers.Count() || plots.Length == 0)
        {
            throw new InvalidOperationException($"The report left {length} lines and {plots.Length} plots.");
        }

        foreach (string plot in plots)
        {
            _ = XDocument.Load(plot);
        }
    }
}
