using System.Diagnostics;
using System.Text;
using Everheap.Engine;

namespace Everheap.Crash.Tests;

/// <summary>Real programs that are forked, run side by side, killed, and taken back: each way's output is exactly its own.</summary>
[TestFixture]
internal sealed class ForkAndRewindTests
{
    private const int KillsWanted = 4;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(2);
    private static readonly string Module = GuestCase.Sample("primes", "small").ModulePath;

    // A second or so: there is time to get at it, and the tests stay short.
    private static readonly string[] Arguments = ["20", "8000000"];
    private static readonly int Seed = Random.Shared.Next();

    private ScratchFolder _scratch = null!;
    private string _expected = "";

    [OneTimeSetUp]
    public void Run_the_program_undisturbed()
    {
        using var scratch = new ScratchFolder();
        CommandResult result = EverheapProcess.Run(scratch.Path, ["run", Module, "--", .. Arguments]);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Output.Split('\n'), Has.Length.EqualTo(21));
        _expected = result.Output;
    }

    [SetUp]
    public void MakeFolder() => _scratch = new ScratchFolder();

    [TearDown]
    public void RemoveFolder() => _scratch.Dispose();

    [Test]
    public void Forks_and_their_origin_in_one_process_killed_at_any_moment_end_as_if_undisturbed()
    {
        TestContext.Out.WriteLine($"seed {Seed}");
        Random random = new(Seed);
        Directory.CreateDirectory(_scratch["out"]);
        long number = RunAndKill(_scratch["out/process.out"]);
        Assert.That(Run("fork", $"primes.heap@{number}", "fork").Output, Is.EqualTo($"forked process@{number} as fork in primes.heap\n"));
        Assert.That(Run("fork", $"primes.heap@{number}", "twin").ExitCode, Is.Zero);
        Assert.That(Run("fork", "primes.heap@1", "start").ExitCode, Is.Zero);

        string[] names = ["process", "fork", "twin", "start"];
        CommandResult? ended = null;
        for (int kills = 0; ended is null;)
        {
            using EverheapProcess process = EverheapProcess.Start(
                _scratch.Path, ["resume", "primes.heap", .. names.SelectMany(name => (string[])["--heap", name]), "--output-dir", "out", "--every", "50", "--keep"]);
            bool isAlive = !process.WaitForExit(kills < KillsWanted ? TimeSpan.FromMilliseconds(random.Next(1, 1500)) : Patience);
            if (isAlive)
            {
                kills++;
                process.Kill();
            }

            CommandResult result = process.WaitForEnd();
            ended = isAlive ? null : result;
        }

        Assert.That(ended.ExitCode, Is.Zero, ended.Error);
        Assert.That(ended.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), Is.EqualTo(names.Select(name => $"everheap: {name}: ended with exit code 0")));
        Assert.That(ended.Output, Is.Empty);
        Assert.That(Output("process"), Is.EqualTo(_expected));
        Assert.That(Output("start"), Is.EqualTo(_expected));
        Assert.That(_expected, Does.EndWith(Output("fork")));
        Assert.That(Output("twin"), Is.EqualTo(Output("fork")).And.Not.Empty);

        // Taken back to where the fork was made, the origin prints what the fork printed.
        CommandResult again = Run("resume", "primes.heap", "--from", $"{number}", "--keep");
        Assert.That(again.ExitCode, Is.Zero, again.Error);
        Assert.That(again.Output, Is.EqualTo(Output("fork")));
        Assert.That(Run("verify", "primes.heap").ExitCode, Is.Zero);
    }

    [Test]
    public void A_program_is_forked_into_a_file_of_its_own_while_it_goes_on()
    {
        using EverheapProcess origin = Start("--every", "50", "--keep-for", "10m");
        WaitUntil(() => origin.PipedLength > 0, origin);
        CommandResult log = Run("log", "primes.heap");
        Assert.That(log.ExitCode, Is.Zero, log.Error);
        long number = Rows(log)[^2].Number;
        CommandResult fork = Run("fork", $"primes.heap@{number}", "--to", "copy.heap");
        Assert.That(fork.ExitCode, Is.Zero, fork.Error);
        Assert.That(fork.Output, Is.EqualTo($"forked process@{number} as process in copy.heap\n"));
        Assert.That(Run("stack", "primes.heap").Output, Does.StartWith("primes.wasm "));
        Assert.That(Run("diff", "primes.heap", "1", $"{number}", "--summary").Output, Does.Match($"^process@1 to process@{number}: [1-9][0-9]* pages differ"));

        // The file says by itself where its program began.
        Row[] rows = Rows(Run("log", "copy.heap"));
        Assert.That(rows.Select(row => row.Number), Is.EqualTo(new[] { number }));
        Assert.That(rows[0].Origin, Is.EqualTo($"@{number}"));
        CommandResult rest = Run("resume", "copy.heap");
        Assert.That(rest.ExitCode, Is.Zero, rest.Error);
        Assert.That(_expected, Does.EndWith(rest.Output));

        Assert.That(origin.WaitForEnd().ExitCode, Is.Zero);
        Assert.That(Encoding.UTF8.GetString(origin.PipedOutput()), Is.EqualTo(_expected));

        // The origin kept its history, as it was asked to: from the same checkpoint it prints the same.
        Assert.That(Run("revert", "primes.heap", $"@{number}").Output, Does.StartWith($"process is again as at process@{number}, in its new checkpoint process@"));
        Assert.That(Run("resume", "primes.heap").Output, Is.EqualTo(rest.Output));
    }

    [Test]
    public void A_checkpoint_that_is_gone_cannot_be_forked_and_the_message_says_what_there_is()
    {
        RunAndKill(_scratch["out"], retains: false);
        CommandResult result = Run("fork", "primes.heap@1", "fork");
        Assert.That(result.ExitCode, Is.EqualTo(3));
        AssertOneLine(result.Error, "checkpoint 1 of heap 'process' is remembered, but not retained; retained is ");
        Assert.That(Run("fork", "primes.heap@1", "--to", "new.heap").ExitCode, Is.EqualTo(3));
        Assert.That(Directory.GetFiles(_scratch.Path, "new*"), Is.Empty);

        AssertOneLine(Run("fork", "primes.heap@9999", "fork").Error, "checkpoint 9999 of heap 'process' is not known");
        AssertOneLine(Run("fork", "primes.heap@never", "fork").Error, "no checkpoint of heap 'process' is named 'never'; see: everheap log ");
        AssertOneLine(Run("fork", "primes.heap", "process").Error, "there is a heap 'process' already");
        AssertOneLine(Run("fork", "primes.heap", new string('x', 65)).Error, "A name has 1 to 64 bytes");
        AssertOneLine(Run("resume", "primes.heap", "--heap", "nobody").Error, "there is no heap 'nobody'; there is 'process'");
        AssertOneLine(Run("drop", "primes.heap", "--heap", "process").Error, "'process' is all that is in primes.heap; delete the file instead");
    }

    [Test]
    public void A_program_that_ends_beside_a_fork_takes_only_its_own_heap_away()
    {
        RunAndKill(_scratch["out"], retains: false);
        Assert.That(Run("fork", "primes.heap", "fork").ExitCode, Is.Zero);
        Assert.That(Run("resume", "primes.heap").ExitCode, Is.Zero);
        Assert.That(Rows(Run("log", "primes.heap")).Select(row => row.Heap).Distinct(), Is.EqualTo(new[] { "fork" }));
        Assert.That(Run("verify", "primes.heap").ExitCode, Is.Zero);
        Assert.That(Run("resume", "primes.heap").ExitCode, Is.Zero);
        Assert.That(_scratch["primes.heap"], Does.Not.Exist);
    }

    private string Output(string name) => File.ReadAllText(_scratch[$"out/{name}.out"]);

    private EverheapProcess Start(params string[] options) =>
        EverheapProcess.Start(_scratch.Path, ["run", Module, .. options, "--", .. Arguments]);

    /// <summary>Kills a run when it has shown something, and draws one of the checkpoints that it retains: one with output before and after.</summary>
    private long RunAndKill(string outputPath, bool retains = true)
    {
        string[] options = retains ? ["--every", "20", "--keep-last", "1000"] : ["--every", "20"];
        using (EverheapProcess process = EverheapProcess.Start(_scratch.Path, ["run", Module, .. options, "--", .. Arguments], null, outputPath))
        {
            WaitUntil(() => new FileInfo(outputPath) is { Exists: true, Length: > 100 }, process);
            process.Kill();
            process.WaitForEnd();
        }

        using HeapStore store = HeapStore.Open(_scratch["primes.heap"], new HeapStoreOptions { ReadOnly = true });
        CheckpointInfo[] retained = [.. store.History("process").Where(checkpoint => checkpoint.IsRetained)];
        return retained[retained.Length / 2].Number;
    }

    private CommandResult Run(params string[] arguments) => EverheapProcess.Run(_scratch.Path, arguments);

    private static void WaitUntil(Func<bool> condition, EverheapProcess process)
    {
        var watch = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.That(process.HasExited, Is.False, "everheap ended too early");
            Assert.That(watch.Elapsed, Is.LessThan(Patience));
            Thread.Sleep(PollInterval);
        }
    }

    private static void AssertOneLine(string error, string part)
    {
        Assert.That(error, Does.StartWith("everheap: ").And.Contain(part));
        Assert.That(error.TrimEnd('\n'), Does.Not.Contain('\n'));
    }

    private static Row[] Rows(CommandResult log)
    {
        Assert.That(log.ExitCode, Is.Zero, log.Error);
        return [.. log.Output.TrimEnd('\n').Split('\n')[1..].Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(words =>
            new Row(long.Parse(words[0], System.Globalization.CultureInfo.InvariantCulture), words[4], words[5], words[6], words[7]))];
    }

    /// <summary>A line of the log.</summary>
    private sealed record Row(long Number, string Kept, string Heap, string Origin, string Name);
}
