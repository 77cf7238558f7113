using System.Globalization;
using Everheap.Cli.History;
using Everheap.Engine;

namespace Everheap.Crash.Tests;

/// <summary>The commands over heaps and their history, on stores that are made for it.</summary>
[TestFixture]
internal sealed class HistoryCommandTests
{
    private const ulong Address = 1 << 20;
    private const int Pages = 300;

    private ScratchFolder _scratch = null!;

    private string StorePath => _scratch["s.heap"];

    [SetUp]
    public void MakeStore()
    {
        _scratch = new ScratchFolder();
        using HeapStore store = HeapStore.Create(StorePath);
        using (PersistentHeap heap = store.CreateHeap("process"))
        {
            for (byte version = 1; version <= 4; version++)
            {
                Fill(heap, Pages, version);
                heap.Checkpoint();
                if (version == 1)
                {
                    store.SetRetention("process", new RetentionPolicy { KeepLast = 3 });
                }
            }
        }

        store.Retain("process", 2, "before it");
        store.Fork("process", 2, "early");
        store.Fork("process", 4, "late one");
        using PersistentHeap early = store.OpenHeap("early");
        Fill(early, 10, 9);
        early.Checkpoint();
    }

    [TearDown]
    public void RemoveFolder() => _scratch.Dispose();

    [Test]
    public void The_log_is_a_tree_with_forks_below_the_checkpoints_that_they_were_made_from()
    {
        using (HeapStore store = HeapStore.Open(StorePath))
        {
            store.Fork("early", 3, "deep");
            store.Revert("process", 2);
        }

        CommandResult result = Run("log", "s.heap", "--tree");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        const string Golden =
            """
            process  created TIME, keeps the last 3
            ├─ 1        TIME  SIZE
            ├─ 2        TIME  SIZE  held "before it"
            │  └─ early  created TIME, forked from process@2, keeps the last 3
            │     ├─ 2  TIME  SIZE  retained
            │     └─ 3  TIME  SIZE  latest
            │        └─ deep  created TIME, forked from early@3, keeps the last 3
            │           └─ 3 TIME  SIZE  latest
            ├─ 3        TIME  SIZE  retained
            ├─ 4        TIME  SIZE  retained
            │  └─ late one  created TIME, forked from process@4, keeps the last 3
            │     └─ 4  TIME  SIZE  latest
            └─ 5        TIME  SIZE  latest
            """;
        Assert.That(Masked(result.Output), Is.EqualTo(Golden.ReplaceLineEndings("\n") + "\n"));

        CommandResult one = Run("log", "s.heap", "--tree", "--heap", "early");
        Assert.That(Masked(one.Output), Does.StartWith("early  created TIME, forked from process@2, keeps the last 3\n├─ 2        TIME  SIZE  retained\n└─ 3  ").And.Contain("   └─ deep"));
    }

    [Test]
    public void A_fork_whose_origin_is_gone_stands_by_itself()
    {
        Assert.That(Run("drop", "s.heap", "--heap", "process").ExitCode, Is.Zero);
        CommandResult result = Run("log", "s.heap", "--tree");
        Assert.That(Masked(result.Output), Does.StartWith("early  created TIME, forked from a heap that is not here@2, keeps the last 3\n"));
        Assert.That(Run("log", "s.heap", "--heap", "early").Output.Split('\n')[1], Does.EndWith(" retained early @2 -"));
        Assert.That(Run("verify", "s.heap").ExitCode, Is.Zero);
    }

    [Test]
    public void The_log_has_a_line_for_every_checkpoint_with_names_that_stay_in_their_columns()
    {
        CommandResult result = Run("log", "s.heap");
        string[][] rows = [.. result.Output.TrimEnd('\n').Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        Assert.That(rows, Is.All.Length.EqualTo(8));
        Assert.That(rows.Select(row => string.Join(' ', row[0], row[4], row[5], row[6], row[7])), Is.EqualTo(
            (string[])[
                "number kept heap origin name",
                "1 - process - -",
                "2 held process - before%20it",
                "3 retained process - -",
                "4 latest process - -",
                "2 retained early process@2 -",
                "3 latest early process@2 -",
                "4 latest late%20one process@4 -",
            ]));
    }

    [Test]
    public void A_difference_lists_runs_of_pages_and_sums_them_up()
    {
        CommandResult result = Run("diff", "s.heap", "before it", "early@3");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Output, Is.EqualTo(
            $"kind             page      pages\nchanged           256         10\nprocess@2 to early@3: 10 pages differ, {10 * 4096} bytes: 0 added, 10 changed, 0 removed\n"));
        Assert.That(Run("diff", "s.heap", "early", "@2", "--heap", "early", "--summary").Output, Does.StartWith("early@3 to early@2: 10 pages differ, "));
        Assert.That(Run("diff", "s.heap", "4", "late one").Output, Does.EndWith("process@4 to late one@4: 0 pages differ, 0 bytes: 0 added, 0 changed, 0 removed\n"));
        AssertOneLine(Run("diff", "s.heap", "1", "2"), 3, "checkpoint 1 of heap 'process' is remembered, but not retained");
        AssertOneLine(Run("diff", "s.heap", "nothing@1", "2"), 3, "there is no heap 'nothing'; there are 'early', 'late one', 'process'");
    }

    [Test]
    public void Dropping_gives_the_space_back_and_compacting_the_files()
    {
        long before = UsedBytes();
        CommandResult checkpoint = Run("drop", "s.heap", "3");
        Assert.That(checkpoint.ExitCode, Is.Zero, checkpoint.Error);
        Assert.That(checkpoint.Output, Does.Match(@"^dropped process@3: \d+ bytes of .*s\.heap are free again\n$"));
        Assert.That(before - UsedBytes(), Is.GreaterThanOrEqualTo(Pages * 4096));
        AssertOneLine(Run("drop", "s.heap", "3"), 3, "checkpoint 3 of heap 'process' is remembered, but not retained");
        AssertOneLine(Run("drop", "s.heap", "4"), 3, "checkpoint 4 is the latest of heap 'process'");

        Assert.That(Run("drop", "s.heap", "before it").Output, Does.StartWith("dropped process@2: "));
        Assert.That(Run("drop", "s.heap", "--heap", "process").ExitCode, Is.Zero);
        Assert.That(Run("drop", "s.heap", "--heap", "late one").ExitCode, Is.Zero);
        Assert.That(Run("drop", "s.heap", "2", "--heap", "early").ExitCode, Is.Zero);

        // What is left is one version of the pages.
        Assert.That(UsedBytes(), Is.LessThan(2 * Pages * 4096));
        long length = new FileInfo(StorePath).Length;
        CommandResult compacted = Run("compact", "s.heap");
        Assert.That(compacted.ExitCode, Is.Zero, compacted.Error);
        Assert.That(compacted.Output, Does.Match(@"^s\.heap: \d+ bytes before, \d+ after; \d+ pages moved\n$"));
        Assert.That(new FileInfo(StorePath).Length, Is.LessThan(length));
        Assert.That(Run("verify", "s.heap").ExitCode, Is.Zero);
    }

    [Test]
    public void Retaining_names_a_checkpoint_and_a_policy_says_which_stay()
    {
        Assert.That(Run("retain", "s.heap").Output, Is.EqualTo("retained process@4\n"));
        Assert.That(Run("retain", "s.heap", "@3", "--name", "three").Output, Is.EqualTo("retained process@3 as three\n"));
        Assert.That(Run("retain", "s.heap", "three").Output, Is.EqualTo("retained process@3\n"));
        Assert.That(Run("retain", "s.heap", "--keep-for", "2h").Output, Is.EqualTo("process keeps the last 3, and what is younger than 2h\n"));
        Assert.That(Run("retain", "s.heap", "--keep-last", "1").Output, Is.EqualTo("process keeps the latest, and what is younger than 2h\n"));
        using HeapStore store = HeapStore.Open(StorePath, new HeapStoreOptions { ReadOnly = true });
        Assert.That(store.GetHeap("process").Retention, Is.EqualTo(new RetentionPolicy { KeepLast = 1, KeepFor = TimeSpan.FromHours(2) }));
        Assert.That(store.History("process").Where(info => info.IsHeld).Select(info => (info.Number, info.Name)), Is.EqualTo(new[] { (2L, "before it"), (3L, "three"), (4L, (string?)null) }));
    }

    [TestCase("12")]
    [TestCase("a@b")]
    public void A_name_that_would_be_taken_for_a_number_is_refused(string name) =>
        AssertOneLine(Run("retain", "s.heap", "--name", name), 2, "a name is not a number, and has no @");

    [Test]
    public void Going_back_makes_a_new_checkpoint_with_the_old_content()
    {
        Assert.That(Run("revert", "s.heap", "before it").Output, Is.EqualTo("process is again as at process@2, in its new checkpoint process@5\n"));
        Assert.That(Run("diff", "s.heap", "2", "5", "--summary").Output, Does.Contain(" 0 pages differ"));
        Assert.That(Run("revert", "s.heap", "4").Output, Does.EndWith("process@6\n"));
        Assert.That(Run("diff", "s.heap", "4", "6", "--summary").Output, Does.Contain(" 0 pages differ"));
    }

    [Test]
    public void A_heap_has_to_be_named_if_it_is_not_clear_which_is_meant()
    {
        Assert.That(Run("drop", "s.heap", "--heap", "process").ExitCode, Is.Zero);
        AssertOneLine(Run("revert", "s.heap", "2"), 2, "holds several heaps; say with --heap which is meant: there are 'early', 'late one'");
        AssertOneLine(Run("resume", "s.heap", "--heap", "early"), 3, "the heap holds no program");
    }

    [Test]
    public void Damage_is_told_by_heap_and_checkpoint()
    {
        byte[] bytes = File.ReadAllBytes(StorePath);
        byte[] old = new byte[PersistentHeap.PageSize];
        old.AsSpan().Fill(3);
        BitConverter.TryWriteBytes(old, Pages - 1);
        int at = bytes.AsSpan().IndexOf(old);
        bytes[at + 100] ^= 1;
        File.WriteAllBytes(StorePath, bytes);
        CommandResult result = Run("verify", "s.heap");
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Output, Does.StartWith($"page {256 + Pages - 1} of heap 'process', checkpoint 3, at file offset {at}: "));
    }

    [Test]
    public void Lengths_of_time_are_read_and_shown_in_the_same_words()
    {
        foreach (string text in (string[])["1s", "90s", "10m", "2h", "7d"])
        {
            Assert.That(Cli.Addressing.TimeSpanText.TryParse(text, out TimeSpan time), Is.True);
            Assert.That(Cli.Addressing.TimeSpanText.Format(time), Is.EqualTo(text));
        }

        foreach (string text in (string[])["", "s", "0s", "-1s", "1.5h", "1", "1w", "36501d", "99999999999999999999d"])
        {
            Assert.That(Cli.Addressing.TimeSpanText.TryParse(text, out _), Is.False, text);
        }
    }

    [Test]
    public void A_tree_shows_times_in_the_zone_of_whoever_looks()
    {
        using HeapStore store = HeapStore.Open(StorePath, new HeapStoreOptions { ReadOnly = true });
        CheckpointInfo latest = store.History("late one").Single();
        var zone = TimeZoneInfo.CreateCustomTimeZone("east", TimeSpan.FromHours(5), "east", "east");
        using var text = new StringWriter();
        new LogTree([new HeapLog(store.GetHeap("late one"), [latest])], zone, text).Write("late one");
        Assert.That(text.ToString(), Does.Contain(latest.Time.UtcDateTime.AddHours(5).ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture)));
    }

    private static void Fill(PersistentHeap heap, int pages, byte version)
    {
        byte[] page = new byte[PersistentHeap.PageSize];
        page.AsSpan().Fill(version);
        for (int i = 0; i < pages; i++)
        {
            BitConverter.TryWriteBytes(page, i);
            heap.Write(Address + (ulong)(i * PersistentHeap.PageSize), page);
        }
    }

    /// <summary>Replaces what differs from run to run.</summary>
    private static string Masked(string text)
    {
        text = System.Text.RegularExpressions.Regex.Replace(text, @"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})?", "TIME");
        return System.Text.RegularExpressions.Regex.Replace(text, @" +[\d,]+ pages +[\d.]+ (B|KiB|MiB)", "  SIZE");
    }

    private static void AssertOneLine(CommandResult result, int exitCode, string part)
    {
        Assert.That(result.ExitCode, Is.EqualTo(exitCode), result.Error);
        Assert.That(result.Error, Does.StartWith("everheap: ").And.Contain(part));
        Assert.That(result.Error.TrimEnd('\n'), Does.Not.Contain('\n'));
    }

    private long UsedBytes()
    {
        using HeapStore store = HeapStore.Open(StorePath, new HeapStoreOptions { ReadOnly = true });
        return store.Space.UsedBytes;
    }

    private CommandResult Run(params string[] arguments) => EverheapProcess.Run(_scratch.Path, arguments);
}
