using System.Globalization;
using Everheap.Measuring;
using Everheap.Measuring.Reports;
using Everheap.Vm.Benchmarks.Peers;
using Everheap.Vm.Benchmarks.Programs;
using Everheap.Vm.Benchmarks.Running;
using Everheap.Vm.Benchmarks.Startup;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Benchmarks.Reports;

/// <summary>How long it takes from the start of a process to the first instruction of a program: the first time, and where a cache has its compiled code.</summary>
internal static class StartupReport
{
    public const string Name = "startup";

    private const int SmokeFunctions = 200;

    /// <summary>Starts each module on each peer that runs modules.</summary>
    /// <exception cref="InvalidOperationException">A module did not come to its first instruction.</exception>
    public static ReportSection Run(Options options, IReadOnlyList<Peer> peers)
    {
        IReadOnlyList<Peer> starting = [.. peers.Where(peer => peer.HoldsModules)];
        IReadOnlyList<(Peer Peer, bool IsCached)> columns = [.. starting.SelectMany(peer => peer.HasCache ? new[] { (peer, false), (peer, true) } : [(peer, false)])];
        string[] titles = [.. columns.Select(column => column.IsCached ? $"{column.Peer.Title}, second start" : column.Peer.HasCache ? $"{column.Peer.Title}, first start" : column.Peer.Title)];
        var times = new MarkdownTable(["module", .. titles.Select(title => title + ", ms")]);
        var peaks = new MarkdownTable(["module", .. titles]);
        using var folder = new ScratchFolder(ProgramSet.WorkFolder);
        foreach ((string title, byte[] bytes) in Modules(options.IsSmoke))
        {
            Progress.Tell($"{Name}: {title}");
            byte[] marked = MarkedModule.Create(bytes) ?? throw new InvalidOperationException($"{title} cannot be marked");
            string path = folder.File("startup.wasm");
            File.WriteAllBytes(path, marked);
            (Series Milliseconds, Series Mebibytes)[] cells = Measure(columns, path, folder, options.Rounds);
            string named = $"{title}, {Units.Bytes(bytes.Length)}";
            times.Add([named, .. cells.Select(cell => cell.Milliseconds.Median.ToString("0", CultureInfo.InvariantCulture))]);
            peaks.Add([named, .. cells.Select(cell => cell.Mebibytes.Count == 0 ? "" : cell.Mebibytes.Median.ToString("0", CultureInfo.InvariantCulture))]);
        }

        var section = new ReportSection(Name);
        section.Add($"From the start of the process to the program's first instruction, median of {options.Rounds}; a second start finds the compiled code in a cache on disk:");
        section.Add(times);
        section.Add("Peak of resident memory until then, MiB:");
        section.Add(peaks);
        return section;
    }

    private static (Series Milliseconds, Series Mebibytes)[] Measure(IReadOnlyList<(Peer Peer, bool IsCached)> columns, string path, ScratchFolder folder, int rounds)
    {
        (Series Milliseconds, Series Mebibytes)[] cells = [.. columns.Select(_ => (new Series(), new Series()))];
        var caches = new Dictionary<Peer, string>();
        foreach ((Peer peer, _) in columns.Where(column => column.IsCached))
        {
            caches[peer] = NewCache(folder);
            ProgramRun.FillCache(peer, path, caches[peer]);
        }

        for (int round = 0; round < rounds; round++)
        {
            for (int index = 0; index < columns.Count; index++)
            {
                int column = round % 2 == 0 ? index : columns.Count - 1 - index;
                (Peer peer, bool isCached) = columns[column];
                FirstOutput first = ProgramRun.UntilMark(peer, null, path, isCached ? caches[peer] : peer.HasCache ? NewCache(folder) : null);
                cells[column].Milliseconds.Add(first.Seconds * 1e3);
                if (first.PeakKibibytes is { } peak)
                {
                    cells[column].Mebibytes.Add(peak / 1024.0);
                }
            }
        }

        return cells;
    }

    private static string NewCache(ScratchFolder folder) => folder.CreateFolder($"cache-{Guid.NewGuid():N}", null);

    private static IEnumerable<(string Title, byte[] Bytes)> Modules(bool isSmoke)
    {
        yield return ("hello", File.ReadAllBytes(InstanceReport.ModulePath));
        string large = Path.Combine(GuestCatalog.SharedGuests, "apps", "sqlite3", "sqlite3.wasm");
        if (File.Exists(large))
        {
            yield return ("SQLite", File.ReadAllBytes(large));
        }

        int functions = isSmoke ? SmokeFunctions : LargeModule.FunctionCount;
        yield return (string.Create(CultureInfo.InvariantCulture, $"{functions:N0} functions"), LargeModule.Build(functions));
    }
}
