using System.Diagnostics;
using Everheap.Engine;

namespace Everheap.Crash.Tests;

/// <summary>Runs of the real command: files it leaves, exit codes, signals, and what the other commands tell of a heap file.</summary>
[TestFixture]
internal sealed class RunAndResumeTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(5);

    private ScratchFolder _scratch = null!;

    [SetUp]
    public void MakeFolder()
    {
        _scratch = new ScratchFolder();
        File.WriteAllBytes(_scratch["spin.wasm"], WasmBytes.Spinning());
        File.WriteAllBytes(_scratch["trap.wasm"], WasmBytes.Trapping());
    }

    [TearDown]
    public void RemoveFolder() => _scratch.Dispose();

    [Test]
    public void Arguments_environment_input_and_exit_code_are_passed_through()
    {
        GuestCase hello = GuestCase.Sample("hello", "small");
        using EverheapProcess process = EverheapProcess.Start(
            _scratch.Path,
            ["run", hello.ModulePath, .. hello.Environment.SelectMany(item => (string[])["--env", item]), "--", .. hello.Arguments],
            hello.StandardInputPath);
        CommandResult result = process.WaitForEnd();
        Assert.That(result.ExitCode, Is.EqualTo(hello.ExitCode).And.Not.Zero);
        Assert.That(process.PipedOutput(), Is.EqualTo(hello.ExpectedOutput));

        // The sample's own last words go to standard error; everheap adds nothing.
        Assert.That(result.Error, Is.EqualTo("hello: done\n"));
    }

    [Test]
    public void A_program_that_ended_leaves_no_file()
    {
        CommandResult result = RunPrimes();
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(Directory.GetFiles(_scratch.Path).Select(Path.GetFileName), Is.EquivalentTo((string[])["spin.wasm", "trap.wasm"]));
    }

    [TestCase("primes.heap", "--keep")]
    [TestCase("other.heap", "--heap", "other.heap")]
    public void A_file_that_was_asked_for_stays(string file, params string[] options)
    {
        Assert.That(RunPrimes(options).ExitCode, Is.Zero);
        Assert.That(_scratch[file], Does.Exist);
        Assert.That(Run("verify", file).ExitCode, Is.Zero);
        Assert.That(Run("stack", file).Output, Does.Contain("ended with exit code 0"));

        CommandResult again = RunPrimes(options);
        Assert.That(again.ExitCode, Is.EqualTo(3));
        AssertOneLine(again.Error, $"{file} holds a program that has ended");

        CommandResult resumed = Run("resume", file);
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(resumed.Output, Is.Empty);
        Assert.That(_scratch[file], Does.Exist);
    }

    [Test]
    public void Immediate_output_is_the_same_output()
    {
        Assert.That(RunPrimes("--output", "immediate").Output, Is.EqualTo(RunPrimes().Output).And.Not.Empty);
    }

    [Test]
    public void A_trap_says_why_and_where()
    {
        CommandResult result = Run("run", "trap.wasm");
        Assert.That(result.ExitCode, Is.EqualTo(134));
        Assert.That(result.Output, Is.Empty);
        Assert.That(result.Error, Does.StartWith("everheap: trap: unreachable\n"));
        Assert.That(result.Error, Does.Match(@"\n  #0 fail \(func 1\) at 0x[0-9a-f]+\n  #1 _start \(func 0\) at 0x[0-9a-f]+\n"));
        Assert.That(_scratch["trap.heap"], Does.Not.Exist);
    }

    [Test]
    public void A_trapped_program_that_is_kept_can_be_looked_at()
    {
        CommandResult result = Run("run", "trap.wasm", "--keep");
        Assert.That(result.ExitCode, Is.EqualTo(134));
        Assert.That(Run("stack", "trap.heap").Output, Does.Contain("trapped: unreachable"));
        Assert.That(Run("resume", "trap.heap").ExitCode, Is.EqualTo(134));
    }

    [TestCase(EverheapProcess.SignalInterrupt, 130)]
    [TestCase(EverheapProcess.SignalTerminate, 143)]
    public void A_signal_leaves_a_resumable_file(int signal, int exitCode)
    {
        GuestCase primes = GuestCase.Sample("primes", "medium");
        string outputPath = _scratch["out"];
        using (EverheapProcess process = EverheapProcess.Start(_scratch.Path, ["run", primes.ModulePath, "--every", "20", "--", .. primes.Arguments], null, outputPath))
        {
            WaitUntil(() => new FileInfo(outputPath) is { Exists: true, Length: > 0 }, process);
            process.Signal(signal);
            CommandResult result = process.WaitForEnd();
            Assert.That(result.ExitCode, Is.EqualTo(exitCode), result.Error);
            AssertOneLine(result.Error, "everheap resume primes.heap");
        }

        Assert.That(Run("verify", "primes.heap").ExitCode, Is.Zero);
        using EverheapProcess resumed = EverheapProcess.Start(_scratch.Path, ["resume", "primes.heap"], null, outputPath);
        Assert.That(resumed.WaitForEnd().ExitCode, Is.Zero);
        Assert.That(File.ReadAllBytes(outputPath), Is.EqualTo(primes.ExpectedOutput));
        Assert.That(_scratch["primes.heap"], Does.Not.Exist);
    }

    [Test]
    public void A_signal_before_the_first_line_is_heeded_too()
    {
        using EverheapProcess process = StartSpinning("--every", "60000");
        process.Signal(EverheapProcess.SignalTerminate);
        Assert.That(process.WaitForEnd().ExitCode, Is.EqualTo(143));
        Assert.That(Run("stack", "spin.heap").Output, Does.StartWith("spin.wasm: unfinished"));
    }

    [Test]
    public void An_unfinished_heap_is_not_overwritten()
    {
        Suspend();
        byte[] before = File.ReadAllBytes(_scratch["spin.heap"]);
        CommandResult result = Run("run", "spin.wasm");
        Assert.That(result.ExitCode, Is.EqualTo(3));
        AssertOneLine(result.Error, "spin.heap holds an unfinished run of spin.wasm; go on with 'everheap resume spin.heap'");
        Assert.That(File.ReadAllBytes(_scratch["spin.heap"]), Is.EqualTo(before));
    }

    [Test]
    public void Something_else_in_the_way_is_not_overwritten()
    {
        File.WriteAllText(_scratch["spin.heap"], "a letter");
        CommandResult result = Run("run", "spin.wasm");
        Assert.That(result.ExitCode, Is.EqualTo(3));
        AssertOneLine(result.Error, "spin.heap is in the way");
        Assert.That(File.ReadAllText(_scratch["spin.heap"]), Is.EqualTo("a letter"));
    }

    [Test]
    public void A_second_opener_is_told_who_holds_the_heap(
        [Values("resume spin.heap", "verify spin.heap", "fork spin.heap new", "revert spin.heap 1", "retain spin.heap", "drop spin.heap 1", "compact spin.heap")] string line)
    {
        using EverheapProcess holder = StartSpinning();
        CommandResult result = Run(line.Split(' '));
        Assert.That(result.ExitCode, Is.EqualTo(3));
        AssertOneLine(result.Error, $"{holder.Id}");

        CommandResult second = Run("run", "spin.wasm");
        Assert.That(second.ExitCode, Is.EqualTo(3));
        AssertOneLine(second.Error, $"{holder.Id}");
        Assert.That(holder.HasExited, Is.False);
    }

    [Test]
    public void The_stack_shows_functions_and_locals()
    {
        Suspend();
        CommandResult result = Run("stack", "spin.heap");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Output, Does.Match(@"^spin\.wasm: unfinished, 2 frames\n  #0 spin \(func 1\) at 0x[0-9a-f]+\n       local 0: i32 = -?\d+\n  #1 _start \(func 0\) at 0x[0-9a-f]+\n$"));
        Assert.That(Run("stack", "spin.heap", "--frames", "1").Output, Does.EndWith("  ... and 1 more\n"));
    }

    [Test]
    public void The_log_has_stable_columns()
    {
        using (EverheapProcess process = StartSpinning("--every", "10"))
        {
            DateTime start = File.GetLastWriteTimeUtc(_scratch["spin.heap"]);
            WaitUntil(() => File.GetLastWriteTimeUtc(_scratch["spin.heap"]) != start, process);
            process.Signal(EverheapProcess.SignalInterrupt);
            process.WaitForEnd();
        }

        CommandResult result = Run("log", "spin.heap");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        string[] lines = result.Output.TrimEnd('\n').Split('\n');
        Assert.That(lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries), Is.EqualTo((string[])["number", "time", "pages", "bytes", "kept", "heap", "origin", "name"]));
        Assert.That(lines[1..], Is.Not.Empty.And.All.Match(@"^ *\d+ +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z +\d+ +\d+ (latest|-) +process - -$"));
        Assert.That(lines[^1], Does.Contain(" latest "));
        long[] numbers = [.. lines[1..].Select(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], System.Globalization.CultureInfo.InvariantCulture))];
        Assert.That(numbers, Is.Ordered.Ascending);
    }

    [Test]
    public void Damage_is_found_and_listed()
    {
        Assert.That(RunPrimes("--keep").ExitCode, Is.Zero);
        CommandResult sound = Run("verify", "primes.heap");
        Assert.That(sound.ExitCode, Is.Zero);
        Assert.That(sound.Output, Does.StartWith("primes.heap: sound; commit "));

        // Every byte outside the first pages (the roots) turns into another.
        byte[] bytes = File.ReadAllBytes(_scratch["primes.heap"]);
        const int RootBytes = 64 * 1024;
        for (int index = RootBytes; index < bytes.Length; index++)
        {
            bytes[index] ^= 0x5A;
        }

        File.WriteAllBytes(_scratch["primes.heap"], bytes);
        CommandResult damaged = Run("verify", "primes.heap");
        Assert.That(damaged.ExitCode, Is.EqualTo(1), damaged.Error);
        Assert.That(damaged.Output, Is.Not.Empty);
        AssertOneLine(damaged.Error, "found");
    }

    [Test]
    public void A_damaged_page_is_gone_behind_by_a_repair_and_the_program_goes_on()
    {
        GuestCase primes = GuestCase.Sample("primes", "medium");
        using (EverheapProcess process = EverheapProcess.Start(_scratch.Path, ["run", primes.ModulePath, "--heap", "p.heap", "--every", "20", "--keep-last", "5", "--", .. primes.Arguments]))
        {
            WaitUntil(() => File.Exists(_scratch["p.heap"]) && Run("log", "p.heap").Output.Split('\n').Length > 6, process);
            process.Kill();
        }

        // The page that the newest checkpoint wrote last: every page of the file is tried until one is found that only the newest has.
        byte[] whole = File.ReadAllBytes(_scratch["p.heap"]);
        string? repaired = null;
        for (int page = 16; page < whole.Length / 4096 && repaired is null; page++)
        {
            byte[] bytes = (byte[])whole.Clone();
            bytes[page * 4096] ^= 0xFF;
            File.WriteAllBytes(_scratch["p.heap"], bytes);
            using HeapStore store = HeapStore.Open(_scratch["p.heap"], new HeapStoreOptions { BackgroundReclaim = false });
            if (store.SkippedRoots.Count == 0 && store.Examine() is [{ Damaged.Count: 1, NewestValid: not null }])
            {
                repaired = $"page {page}";
            }
        }

        Assert.That(repaired, Is.Not.Null, "no page belongs to the newest checkpoint alone");
        Assert.That(Run("verify", "p.heap").ExitCode, Is.EqualTo(1));
        CommandResult repair = Run("verify", "p.heap", "--repair-to", "LAST_GOOD");
        Assert.That(repair.ExitCode, Is.Zero, $"{repaired}: {repair.Output}{repair.Error}");
        Assert.That(repair.Output, Does.Contain("is as of checkpoint").And.Contain("sound now"));
        Assert.That(Run("verify", "p.heap").ExitCode, Is.Zero);
        CommandResult resumed = Run("resume", "p.heap");
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(System.Text.Encoding.UTF8.GetString(primes.ExpectedOutput), Does.EndWith(resumed.Output));
    }

    [Test]
    public void A_reader_that_goes_away_ends_the_run_and_leaves_a_resumable_file()
    {
        GuestCase primes = GuestCase.Sample("primes", "medium");
        using EverheapProcess process = EverheapProcess.StartWithClosedOutput(_scratch.Path, ["run", primes.ModulePath, "--every", "20", "--", .. primes.Arguments]);
        CommandResult result = process.WaitForEnd();
        Assert.That(result.ExitCode, Is.EqualTo(141), result.Error);
        AssertOneLine(result.Error, "everheap resume primes.heap");
        CommandResult resumed = Run("resume", "primes.heap");
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(resumed.Output, Is.EqualTo(System.Text.Encoding.UTF8.GetString(primes.ExpectedOutput)));
    }

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

    private EverheapProcess StartSpinning(params string[] options)
    {
        EverheapProcess process = EverheapProcess.Start(_scratch.Path, ["run", "spin.wasm", .. options]);
        WaitUntil(() => File.Exists(_scratch["spin.heap"]), process);
        return process;
    }

    private void Suspend()
    {
        using EverheapProcess process = StartSpinning();
        process.Signal(EverheapProcess.SignalInterrupt);
        Assert.That(process.WaitForEnd().ExitCode, Is.EqualTo(130));
    }

    private CommandResult RunPrimes(params string[] options) =>
        Run(["run", GuestCase.Sample("primes", "small").ModulePath, .. options, "--", "5", "50000"]);

    private CommandResult Run(params string[] arguments) => EverheapProcess.Run(_scratch.Path, arguments);
}
