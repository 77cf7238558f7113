using System.Globalization;
using System.Text;
using Everheap.Vm.Benchmarks.Programs;

namespace Everheap.Vm.Benchmarks.Comparison;

/// <summary>
/// Runs every program under Everheap, under Everheap with its memory by pages throughout, and under Wasmtime, in turn and in fresh processes, and reports the ratios of the
/// medians. The order is turned around from round to round, so that a drift of the machine's speed falls on all.
/// </summary>
internal static class MachineComparison
{
    private static readonly string[] Machines = ["everheap", "everheap-paged", "wasmtime"];

    /// <summary>Runs it all and returns the report as a markdown table.</summary>
    /// <param name="set">The programs.</param>
    /// <param name="runs">Runs of each program under each machine; the median counts.</param>
    public static string Run(ProgramSet set, int runs)
    {
        var rows = new List<Row>();
        foreach (GuestProgram program in set.Programs)
        {
            var results = Machines.ToDictionary(machine => machine, _ => new List<ChildResult>());
            for (int run = 0; run < runs; run++)
            {
                foreach (string machine in run % 2 == 0 ? Machines : Machines.Reverse())
                {
                    results[machine].Add(ChildProcess.Run(machine, program));
                }
            }

            var row = new Row(program.Name, Summary.Of(results[Machines[0]]), Summary.Of(results[Machines[1]]), Summary.Of(results[Machines[2]]));
            rows.Add(row);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{row.Name}: {row.Everheap.KernelSeconds:F3} s, by pages {row.Paged.KernelSeconds:F3} s, against {row.Wasmtime.KernelSeconds:F3} s: {row.Ratio:F2}, {row.PagedRatio:F2}"));
        }

        return Format(set, runs, rows);
    }

    private static string Format(ProgramSet set, int runs, List<Row> rows)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Programs of {set.Source}, median of {runs}; seconds by the programs' own clock, ratios are Everheap over Wasmtime.");
        text.AppendLine();
        text.AppendLine("| program | Everheap s | by pages s | Wasmtime s | ratio | by pages | whole process s | ratio | start-up s | peak MiB |");
        text.AppendLine("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
        foreach (Row row in rows)
        {
            Summary everheap = row.Everheap, wasmtime = row.Wasmtime;
            text.AppendLine(
                CultureInfo.InvariantCulture,
                $"| {row.Name} | {everheap.KernelSeconds:F3} | {row.Paged.KernelSeconds:F3} | {wasmtime.KernelSeconds:F3} | {row.Ratio:F2} | {row.PagedRatio:F2} | {everheap.TotalSeconds:F2} / {wasmtime.TotalSeconds:F2} | {row.TotalRatio:F2} | {everheap.StartupSeconds:F2} / {wasmtime.StartupSeconds:F2} | {everheap.PeakMebibytes:F0} / {wasmtime.PeakMebibytes:F0} |");
        }

        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"| **geometric mean** | | | | **{GeometricMean(rows.Select(row => row.Ratio)):F2}** | **{GeometricMean(rows.Select(row => row.PagedRatio)):F2}** | | **{GeometricMean(rows.Select(row => row.TotalRatio)):F2}** | | |");
        return text.ToString();
    }

    private static double GeometricMean(IEnumerable<double> ratios) => Math.Exp(ratios.Average(Math.Log));

    /// <summary>Medians over the runs of one program under one machine.</summary>
    private sealed record Summary(double KernelSeconds, double StartupSeconds, double TotalSeconds, double PeakMebibytes)
    {
        public static Summary Of(IReadOnlyList<ChildResult> results) => new(
            Median(results.Select(result => result.KernelSeconds)),
            Median(results.Select(result => result.StartupSeconds)),
            Median(results.Select(result => result.TotalSeconds)),
            Median(results.Select(result => result.PeakKibibytes / 1024.0)));

        private static double Median(IEnumerable<double> values)
        {
            double[] sorted = [.. values.Order()];
            int middle = sorted.Length / 2;
            return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        }
    }

    private sealed record Row(string Name, Summary Everheap, Summary Paged, Summary Wasmtime)
    {
        public double Ratio => Everheap.KernelSeconds / Wasmtime.KernelSeconds;

        public double PagedRatio => Paged.KernelSeconds / Wasmtime.KernelSeconds;

        public double TotalRatio => Everheap.TotalSeconds / Wasmtime.TotalSeconds;
    }
}
