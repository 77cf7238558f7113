using System.Diagnostics;
using System.Globalization;

namespace Everheap.Crash.Tests;

/// <summary>
/// The real command on real programs, killed with SIGKILL at random moments and resumed, again and again. Nothing may be lost, repeated
/// or different in the end. <c>EVERHEAP_KILLS</c> sets how many kills there are in all (60 at least), <c>EVERHEAP_SEED</c> replays the moments drawn.
/// TestResults/kills.txt in the root has the figures of the last run.
/// </summary>
[TestFixture]
internal sealed class KillTests
{
    private const int KillsMin = 60;

    private static readonly KillScenario[] Scenarios =
    [
        new(null, "primes", "medium", OutputKind.File, "--every", "50"),
        new(null, "primes", "medium", OutputKind.Pipe, "--every", "50"),
        new(null, "records", "medium", OutputKind.File, "--every", "100", "--resident", "16MiB"),
        new(null, "maze", "deep", OutputKind.File, "--every", "200"),
        new(null, "words", "medium", OutputKind.File, "--every", "50"),
        new(null, "words", "medium", OutputKind.Pipe, "--every", "50", "--resident", "1MiB"),
        new("large/counter", "counter", "default", OutputKind.File, "--every", "50"),
        new("large/counter", "counter", "default", OutputKind.Pipe, "--every", "50"),
        new("large/deep", "deep", "default", OutputKind.File, "--every", "200"),
        new("large/bigsort", "bigsort", "medium", OutputKind.File, "--every", "100", "--resident", "16MiB"),
        new("large/bigmap", "bigmap", "small", OutputKind.File, "--every", "10", "--resident", "4MiB"),
        new("apps/lua", "lua", "default", OutputKind.File, "--every", "50"),
        new("apps/sqlite3", "sqlite3", "default", OutputKind.File, "--every", "50"),
        new("apps/minigzip", "minigzip", "pack", OutputKind.File, "--every", "50"),
        new("apps/minigzip", "minigzip", "unpack", OutputKind.Pipe, "--every", "20"),
        new("apps/ledger", "ledger", "default", OutputKind.Pipe, "--every", "50"),
        new("apps/roads", "roads", "default", OutputKind.File, "--every", "50"),
        new("apps/garden", "garden", "default", OutputKind.File, "--every", "50"),
    ];

    private static readonly int Seed = ReadVariable("EVERHEAP_SEED") ?? Random.Shared.Next();
    private static readonly string ReportPath = Path.Combine(RepositoryFolders.Root, "TestResults", "kills.txt");
    private static readonly int KillsWanted = Math.Max(ReadVariable("EVERHEAP_KILLS") ?? KillsMin, KillsMin);

    private TimeSpan _startUp;
    private int _kills;
    private int _scenarios;

    private static IEnumerable<TestCaseData> Cases() =>
        Scenarios.Select(scenario => new TestCaseData(scenario).SetArgDisplayNames(scenario.ToString()));

    [OneTimeSetUp]
    public void Measure_how_long_a_start_takes()
    {
        using var scratch = new ScratchFolder();
        GuestCase small = GuestCase.Sample("primes", "small");
        var watch = Stopwatch.StartNew();
        EverheapProcess.Run(scratch.Path, ["run", small.ModulePath, "--", "1", "100"]);
        _startUp = watch.Elapsed;
        Directory.CreateDirectory(Path.GetDirectoryName(ReportPath)!);
        File.Delete(ReportPath);
        Report($"kill tests: EVERHEAP_SEED={Seed}, {KillsWanted} kills wanted, a start takes {_startUp.TotalMilliseconds:F0} ms");
    }

    [OneTimeTearDown]
    public void Tell_how_many_kills_there_were() =>
        Report($"kill tests: {_kills} kills in {_scenarios} scenarios");

    [TestCaseSource(nameof(Cases))]
    public void A_program_killed_at_any_moment_and_resumed_ends_as_if_undisturbed(KillScenario scenario)
    {
        if (!scenario.IsAvailable)
        {
            Assert.Ignore(RepositoryFolders.GuestsMissing);
        }

        int available = Scenarios.Count(other => other.IsAvailable);
        int index = Array.IndexOf(Scenarios, scenario);
        var harness = new KillHarness(scenario, new Random(unchecked((Seed * 31) + index)), _startUp);
        var watch = Stopwatch.StartNew();
        try
        {
            harness.KillAtLeast((KillsWanted + available - 1) / available);
        }
        finally
        {
            _kills += harness.Kills;
            _scenarios++;
            Report($"{scenario}: {harness.Summary}, {watch.Elapsed.TotalSeconds:F1} s, EVERHEAP_SEED={Seed}");
        }
    }

    /// <summary>The runner shows what a passing test writes only when asked for it, so the figures are in a file, too.</summary>
    private static void Report(string line)
    {
        TestContext.Progress.WriteLine(line);
        TestContext.Out.WriteLine(line);
        File.AppendAllText(ReportPath, line + "\n");
    }

    private static int? ReadVariable(string name)
    {
        string? text = Environment.GetEnvironmentVariable(name);
        return text is null ? null : int.Parse(text, CultureInfo.InvariantCulture);
    }
}
