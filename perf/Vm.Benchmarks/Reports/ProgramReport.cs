using System.Globalization;
using Everheap.Measuring;
using Everheap.Measuring.Plots;
using Everheap.Measuring.Reports;
using Everheap.Vm.Benchmarks.Peers;
using Everheap.Vm.Benchmarks.Programs;
using Everheap.Vm.Benchmarks.Running;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Benchmarks.Reports;

/// <summary>
/// Runs every program on every peer, in turn and in fresh processes, and compares the medians. The order is turned around from round to round, so that a drift of the machine's speed
/// falls on all.
/// </summary>
internal static class ProgramReport
{
    /// <summary>Ratio to Wasmtime that is to be reached in one piece.</summary>
    private const double Target = 1.2;

    /// <summary>Runs a set of programs.</summary>
    /// <exception cref="InvalidOperationException">A program failed, or gave something else than expected.</exception>
    public static ReportSection Run(string name, ProgramSet set, Options options, IReadOnlyList<Peer> peers)
    {
        IReadOnlyList<GuestCase> programs = set.Only(options.Programs).Programs;
        peers = [.. peers.Where(peer => programs.Any(peer.CanRun))];
        var rows = new List<Row>();
        foreach (GuestCase program in programs)
        {
            Progress.Tell($"{name}: {program.Name}");
            bool isMarked = !options.IsSmoke || rows.Count == 0;
            rows.Add(Measure(program, [.. peers.Where(peer => peer.CanRun(program))], options.Rounds, isMarked));
        }

        var section = new ReportSection(name);
        if (rows.Count > 0)
        {
            Write(section, set, rows, peers, options.Rounds);
        }

        return section;
    }

    private static Row Measure(GuestCase program, IReadOnlyList<Peer> peers, int rounds, bool isMarked)
    {
        var cells = peers.ToDictionary(peer => peer, _ => new Cell());
        byte[]? marked = isMarked ? MarkedModule.Create(File.ReadAllBytes(program.ModulePath)) : null;
        using var folder = new ScratchFolder(ProgramSet.WorkFolder);
        string markedPath = folder.File(Path.GetFileName(program.ModulePath));
        if (marked is not null)
        {
            File.WriteAllBytes(markedPath, marked);
        }

        Dictionary<Peer, string> caches = peers.Where(peer => peer.TakesUpCache).ToDictionary(peer => peer, peer => folder.CreateFolder($"cache-{peer.Name}", null));
        foreach ((Peer peer, string cache) in caches)
        {
            ProgramRun.Run(peer, program, cache);
            if (marked is not null)
            {
                ProgramRun.UntilMark(peer, program, markedPath, cache);
            }
        }

        for (int round = 0; round < rounds; round++)
        {
            foreach (Peer peer in round % 2 == 0 ? peers : peers.Reverse())
            {
                Cell cell = cells[peer];
                if (marked is not null && !peer.IsVariant)
                {
                    cell.FirstMilliseconds.Add(ProgramRun.UntilMark(peer, program, markedPath, caches.GetValueOrDefault(peer)).Seconds * 1e3);
                }

                RunResult result = ProgramRun.Run(peer, program, caches.GetValueOrDefault(peer));
                cell.Seconds.Add(result.ProgramSeconds);
                cell.TotalSeconds.Add(result.TotalSeconds);
                cell.PeakMebibytes.Add(result.PeakKibibytes / 1024.0);
            }
        }

        return new Row(program.Name, cells);
    }

    private static void Write(ReportSection section, ProgramSet set, List<Row> rows, IReadOnlyList<Peer> peers, int rounds)
    {
        section.Add($"Programs of {set.Source}, median of {rounds}. {string.Join("; ", peers.Select(peer => $"{peer.Title}: {peer.Description}"))}.");
        if (set.LeftOut.Count > 0)
        {
            section.Add($"Left out, because Everheap does not run them: {string.Join(", ", set.LeftOut)}.");
        }

        Peer? yardstick = peers.FirstOrDefault(peer => peer.Name == AllPeers.Yardstick);
        Add(section, "Seconds of the program itself", rows, peers, cell => cell.Seconds, "0.000");
        if (yardstick is not null)
        {
            AddRatios(section, $"The same, over {yardstick.Title}", rows, peers, yardstick, cell => cell.Seconds);
            AddPlot(section, rows, peers, yardstick);
        }

        Add(section, "Seconds of the whole process", rows, peers, cell => cell.TotalSeconds, "0.00");
        if (yardstick is not null)
        {
            AddRatios(section, $"The same, over {yardstick.Title}", rows, peers, yardstick, cell => cell.TotalSeconds);
        }

        Add(section, "Milliseconds from the start of the process to the program's first instruction", rows, peers, cell => cell.FirstMilliseconds, "0");
        Add(section, "Peak of resident memory, MiB", rows, peers, cell => cell.PeakMebibytes, "0");
        section.Add(Spread(rows));
    }

    private static void Add(ReportSection section, string title, List<Row> rows, IReadOnlyList<Peer> peers, Func<Cell, Series> values, string format)
    {
        // What is measured of some peers only has no columns of the others.
        peers = [.. peers.Where(peer => rows.Any(row => row.Value(peer, values) is not null))];
        var table = new MarkdownTable(["program", .. peers.Select(peer => peer.Title)]);
        foreach (Row row in rows)
        {
            table.Add([row.Name, .. peers.Select(peer => row.Value(peer, values)?.ToString(format, CultureInfo.InvariantCulture) ?? "")]);
        }

        section.Add(title + ":");
        section.Add(table);
    }

    private static void AddRatios(ReportSection section, string title, List<Row> rows, IReadOnlyList<Peer> peers, Peer yardstick, Func<Cell, Series> values)
    {
        IReadOnlyList<Peer> others = [.. peers.Where(peer => peer != yardstick)];
        var table = new MarkdownTable(["program", .. others.Select(peer => peer.Title)]);
        foreach (Row row in rows)
        {
            table.Add([row.Name, .. others.Select(peer => row.Ratio(peer, yardstick, values) is { } ratio ? Units.Ratio(ratio) : "")]);
        }

        table.Add(["**geometric mean**", .. others.Select(peer => $"**{Units.Ratio(GeometricMean(rows.Select(row => row.Ratio(peer, yardstick, values)).OfType<double>()))}**")]);
        section.Add(title + ":");
        section.Add(table);
    }

    private static void AddPlot(ReportSection section, List<Row> rows, IReadOnlyList<Peer> peers, Peer yardstick)
    {
        var chart = new BarChart($"Time over {yardstick.Title}'s, median: less is better", new Axis("ratio", Units.Ratio));
        chart.Target(Target);
        foreach (Row row in rows)
        {
            chart.Add(row.Name, peers.Where(peer => peer != yardstick).Select(peer => (peer.Title, row.Ratio(peer, yardstick, cell => cell.Seconds))));
        }

        section.AddPlot($"{section.Name}.svg", $"Time of each program over {yardstick.Title}'s", chart.ToString());
    }

    // How far to trust a median of few.
    private static string Spread(List<Row> rows)
    {
        (string Where, double Share)[] spreads =
        [
            .. rows.SelectMany(row => row.Cells.Select(cell => ($"{row.Name} under {cell.Key.Title}", (cell.Value.Seconds.Percentile(100) / cell.Value.Seconds.Best) - 1))).OrderBy(spread => spread.Item2),
        ];
        return $"Slowest over fastest run of the same: {Units.Percent(spreads[spreads.Length / 2].Share)} apart in the median, {Units.Percent(spreads[^1].Share)} at most ({spreads[^1].Where}).";
    }

    private static double GeometricMean(IEnumerable<double> ratios) => Math.Exp(ratios.DefaultIfEmpty(double.NaN).Average(Math.Log));

    /// <summary>What one peer gave for one program, round by round.</summary>
    private sealed class Cell
    {
        public Series Seconds { get; } = new();

        public Series TotalSeconds { get; } = new();

        public Series FirstMilliseconds { get; } = new();

        public Series PeakMebibytes { get; } = new();
    }

    private sealed record Row(string Name, IReadOnlyDictionary<Peer, Cell> Cells)
    {
        public double? Value(Peer peer, Func<Cell, Series> values) =>
            Cells.TryGetValue(peer, out Cell? cell) && values(cell) is { Count: > 0 } series ? series.Median : null;

        public double? Ratio(Peer peer, Peer yardstick, Func<Cell, Series> values) => Value(peer, values) / Value(yardstick, values);
    }
}
