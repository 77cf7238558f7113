using Everheap.Cli.Torture;
using Everheap.Cli.Torture.Display;
using Everheap.Cli.Torture.Workers;
using Spectre.Console;

namespace Everheap.Crash.Tests.Torture;

/// <summary><c>everheap torture</c> as its user meets it.</summary>
[TestFixture]
internal sealed class TortureCommandTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private ScratchFolder _scratch = null!;

    [SetUp]
    public void MakeFolder() => _scratch = new ScratchFolder();

    [TearDown]
    public void RemoveFolder() => _scratch.Dispose();

    [Test]
    public void A_round_holds_is_reported_and_leaves_the_folder_as_it_was()
    {
        Directory.CreateDirectory(_scratch["disk"]);
        File.WriteAllText(Path.Combine(_scratch["disk"], "letter.txt"), "Dear Ada");
        CommandResult result = EverheapProcess.Run(_scratch.Path, "torture", "disk", "--rounds", "1", "--seed", "7", "--size", "24MiB", "--report", "report.md");
        Assert.That(result.ExitCode, Is.Zero, result.Output + result.Error);
        Assert.That(result.Error, Is.Empty);
        Assert.That(result.Output, Does.StartWith("torture of ").And.Contain("seed 7").And.Not.Contain('\x1b'));
        string report = File.ReadAllText(_scratch["report.md"]);
        Assert.That(result.Output, Does.EndWith(report.Split("## Kills")[1]));
        Assert.That(report, Does.StartWith("# everheap torture: all held\n"));
        Assert.That(report, Does.Match(@"\| seed +\| 7 +\|").And.Match(@"\| all +\| \d+, \d+ a minute +\|"));
        Assert.That(report, Does.Match(@"\| run to their end, output exact +\| 1 +\|").Or.Contains("there is no /bin/sh here"));
        Assert.That(Directory.EnumerateFileSystemEntries(_scratch["disk"]).Select(Path.GetFileName), Is.EqualTo((string[])["letter.txt"]));
        Assert.That(File.ReadAllText(Path.Combine(_scratch["disk"], "letter.txt")), Is.EqualTo("Dear Ada"));
    }

    [Test]
    public void Ctrl_C_ends_it_with_the_report_of_what_was_done()
    {
        using EverheapProcess process = EverheapProcess.Start(_scratch.Path, ["torture", ".", "--minutes", "60", "--size", "24MiB"]);
        Assert.That(() => process.PipedLength, Is.GreaterThan(0).After((int)Patience.TotalMilliseconds, 10));
        process.WaitForExit(TimeSpan.FromSeconds(1));
        process.Signal(EverheapProcess.SignalInterrupt);
        CommandResult result = process.WaitForEnd();
        Assert.That(result.ExitCode, Is.Zero, result.Output + result.Error);
        Assert.That(result.Output, Does.Contain("# everheap torture: all held").And.Match(@"rounds, stopped +\|"));
        Assert.That(Directory.EnumerateFileSystemEntries(_scratch.Path), Is.Empty);
    }

    [Test]
    public void A_folder_that_cannot_be_written_to_is_refused_in_one_line()
    {
        const string Folder = "/proc";
        if (!Directory.Exists(Folder))
        {
            Assert.Ignore("needs a folder that nobody can write to, such as Linux's /proc");
        }

        Refuses("/proc cannot be written to", "torture", Folder);
    }

    [Test]
    public void A_folder_that_is_none_is_refused_in_one_line()
    {
        File.WriteAllText(_scratch["letter.txt"], "");
        Refuses("no such folder: nowhere", "torture", "nowhere");
        Refuses("letter.txt is a file", "torture", "letter.txt");
    }

    [Test]
    public void A_report_that_cannot_be_written_is_refused_before_anything_is_done() =>
        Refuses("the report cannot be written", "torture", ".", "--report", "nowhere/report.md");

    [Test]
    public void A_folder_with_too_little_room_is_refused_in_one_line()
    {
        const string Size = "1TiB";
        if (new DriveInfo(_scratch.Path).AvailableFreeSpace > 1L << 40)
        {
            Assert.Ignore($"needs a disk with less than {Size} free");
        }

        Refuses("1 TiB are needed", "torture", ".", "--size", Size);
    }

    [Test]
    public void A_failure_is_reported_with_its_seed_its_file_and_how_to_do_it_again()
    {
        using TortureFolder folder = TortureFolder.Create(_scratch.Path, 0);
        var options = new TortureOptions { Folder = "disk", Seed = 1 };
        using var context = new TortureContext(options, folder.WorkPath, new WorkerCommand("none", []), CancellationToken.None);
        File.WriteAllText(context["store.heap"], "evidence");
        context.Tally.AddFailure(new FailureRecord("kills", 4, "heap 'a1' is gone\nand more", folder.Keep(context["store.heap"], 4)));
        var output = new StringWriter();
        new TortureReport(context, folder).Write(output);
        string kept = Path.Combine(folder.WorkPath, "failure-1-seed-4-store.heap");
        Assert.That(output.ToString(), Does.StartWith("# everheap torture: 1 failure"));
        Assert.That(output.ToString(), Does.Contain("    heap 'a1' is gone").And.Contain($"The file is kept: {kept}"));
        Assert.That(output.ToString(), Does.Contain("everheap torture disk --seed 4 --rounds 1"));
        folder.Dispose();
        Assert.That(File.ReadAllText(kept), Is.EqualTo("evidence"));
    }

    [TestCase(30)]
    [TestCase(80)]
    [TestCase(200)]
    public void The_live_table_fits_the_terminal(int columns)
    {
        var options = new TortureOptions { Folder = ".", Seed = 1, Time = TimeSpan.FromMinutes(5) };
        using var context = new TortureContext(options, ".", new WorkerCommand("none", []), CancellationToken.None);
        context.Tally.Add(Tally.Count.PagesCompared, 1_234_567_890);
        context.Tally.AddFailure(new FailureRecord("kills", 1, new string('x', 500), null));
        var text = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(text) });
        console.Profile.Width = columns;
        console.Write(LiveTable.Draw(context));
        string[] lines = text.ToString().Split('\n');
        Assert.That(lines.Max(line => line.TrimEnd().Length), Is.LessThanOrEqualTo(columns));
        Assert.That(text.ToString(), Does.Contain("failures").And.Contain("checkpoints"));
    }

    private void Refuses(string complaint, params string[] arguments)
    {
        CommandResult result = EverheapProcess.Run(_scratch.Path, arguments);
        Assert.That(result.ExitCode, Is.EqualTo(3), result.Output);
        Assert.That(result.Output, Is.Empty);
        Assert.That(result.Error, Does.StartWith("everheap: ").And.Contain(complaint));
        Assert.That(result.Error.TrimEnd('\n'), Does.Not.Contain('\n'));
    }
}
