namespace Everheap.Crash.Tests;

/// <summary>What the command says without running anything.</summary>
[TestFixture]
internal sealed class HelpAndUsageTests
{
    private ScratchFolder _scratch = null!;

    [SetUp]
    public void MakeFolder() => _scratch = new ScratchFolder();

    [TearDown]
    public void RemoveFolder() => _scratch.Dispose();

    [Test]
    public void The_version_is_one_line()
    {
        CommandResult result = Run("--version");
        Assert.That(result.ExitCode, Is.Zero);
        Assert.That(result.Output, Does.Match(@"^everheap \d+\.\d+\.\d+\n$"));
    }

    [Test]
    public void The_help_names_every_command()
    {
        CommandResult result = Run("--help");
        Assert.That(result.ExitCode, Is.Zero);
        Assert.That(result.Error, Is.Empty);
        foreach (string command in (string[])["run", "resume", "log", "stack", "inspect", "fork", "revert", "retain", "drop", "diff", "compact", "verify", "send", "receive", "torture", "--version", "Examples:"])
        {
            Assert.That(result.Output, Does.Contain("  " + command).Or.StartsWith(command).Or.Contains("\n" + command));
        }
    }

    [TestCase("run", "Usage: everheap run MODULE [options] [-- ARGS]", "--heap --keep --keep-last --keep-for --resident --every --dirty --env --dir --output")]
    [TestCase("resume", "Usage: everheap resume FILE [options]", "--heap --from --output-dir --keep --resident --every --dirty --dir --output")]
    [TestCase("log", "Usage: everheap log FILE [options]", "FILE --heap --tree")]
    [TestCase("stack", "Usage: everheap stack FILE [options]", "--heap --checkpoint --frames")]
    [TestCase("inspect", "Usage: everheap inspect MODULE [options]", "MODULE --json")]
    [TestCase("fork", "Usage: everheap fork FILE[@N] [NEWNAME] [options]", "FILE[@N] NEWNAME --heap --to")]
    [TestCase("revert", "Usage: everheap revert FILE N [options]", "FILE N --heap")]
    [TestCase("retain", "Usage: everheap retain FILE [N] [options]", "FILE N --heap --name --keep-last --keep-for")]
    [TestCase("drop", "Usage: everheap drop FILE [N] [options]", "FILE N --heap")]
    [TestCase("diff", "Usage: everheap diff FILE A B [options]", "FILE A B --heap --summary")]
    [TestCase("compact", "Usage: everheap compact FILE", "FILE")]
    [TestCase("verify", "Usage: everheap verify FILE [options]", "FILE --repair-to")]
    [TestCase("send", "Usage: everheap send FILE [options]", "--heap --checkpoint --from --resume --to --token-file --fingerprint")]
    [TestCase("receive", "Usage: everheap receive FILE [options]", "--heap --listen --token-file --certificate --unfinished --abandon")]
    [TestCase("torture", "Usage: everheap torture [FOLDER] [options]", "--minutes --rounds --seed --size --report")]
    public void The_help_of_a_command_has_its_options_and_examples(string command, string usage, string words)
    {
        CommandResult result = Run(command, "--help");
        Assert.That(result.ExitCode, Is.Zero);
        Assert.That(result.Output, Does.StartWith(usage + "\n"));
        Assert.That(result.Output, Does.Contain($"Examples:\n  everheap {command} "));
        foreach (string word in words.Split(' '))
        {
            Assert.That(result.Output, Does.Contain("\n  " + word));
        }
    }

    [Test]
    public void Help_is_plain_text_of_at_most_120_columns(
        [Values("", "run", "resume", "log", "stack", "inspect", "fork", "revert", "retain", "drop", "diff", "compact", "verify", "send", "receive", "torture")] string command)
    {
        CommandResult result = command.Length == 0 ? Run("--help") : Run(command, "--help");
        Assert.That(result.Output, Does.Not.Contain('\x1b'));
        Assert.That(result.Output.Split('\n').Max(line => line.Length), Is.LessThanOrEqualTo(120));
    }

    [Test]
    public void Without_arguments_the_help_is_an_error()
    {
        CommandResult result = Run();
        Assert.That(result.ExitCode, Is.EqualTo(2));
        Assert.That(result.Output, Is.Empty);
        Assert.That(result.Error, Does.StartWith("Usage: everheap COMMAND"));
    }

    [TestCase("frobnicate", "no command 'frobnicate'")]
    [TestCase("--frobnicate", "no option '--frobnicate'")]
    [TestCase("run", "needs a MODULE")]
    [TestCase("resume", "needs a FILE")]
    [TestCase("inspect", "needs a MODULE")]
    [TestCase("fork", "needs a FILE[@N]")]
    [TestCase("fork x.heap", "needs a NEWNAME, or a new file (--to NEWFILE)")]
    [TestCase("revert x.heap", "needs an N")]
    [TestCase("revert x.heap @", "N '@': expected a checkpoint's number (7 or @7) or its name")]
    [TestCase("drop x.heap", "needs a checkpoint (N), or a whole heap (--heap NAME)")]
    [TestCase("diff x.heap", "needs an A")]
    [TestCase("diff x.heap 1", "needs a B")]
    [TestCase("retain x.heap --keep-last 0", "--keep-last 0: expected a whole number from 1 to 100000")]
    [TestCase("retain x.heap --keep-for 10", "--keep-for 10: expected a whole number with s, m, h or d")]
    [TestCase("run x.wasm --keep-for 0s", "--keep-for 0s: expected")]
    [TestCase("resume x.heap --heap a --heap b", "several programs need --output-dir DIR")]
    [TestCase("resume x.heap --heap a --heap a --output-dir o", "--heap names a program twice")]
    [TestCase("resume x.heap --heap a --heap b --output-dir o --from 3", "--from is for one program")]
    [TestCase("resume x.heap --heap a --heap b --output-dir o --dir .::/x", "--dir is for one program")]
    [TestCase("run x.wasm --resdient 1MiB", "no option '--resdient'")]
    [TestCase("run x.wasm 5", "arguments stand after --")]
    [TestCase("resume x.heap -- 5", "only 'run' takes")]
    [TestCase("log x.heap y.heap", "'y.heap' is one too many")]
    [TestCase("run x.wasm --resident", "--resident")]
    [TestCase("run x.wasm --resident 64M", "--resident 64M: expected a whole number of bytes")]
    [TestCase("run x.wasm --resident 1KiB", "--resident 1KiB: expected 1 MiB to")]
    [TestCase("run x.wasm --dirty none", "--dirty none: expected")]
    [TestCase("run x.wasm --every 0", "--every 0: expected a whole number of milliseconds")]
    [TestCase("run x.wasm --every soon", "--every soon: expected")]
    [TestCase("run x.wasm --output later", "--output later: expected committed or immediate")]
    [TestCase("run x.wasm --env HOME", "--env HOME: expected NAME=VALUE")]
    [TestCase("run x.wasm --dir ::/data", "--dir ::/data: expected HOST::GUEST")]
    [TestCase("stack x.heap --frames 0", "--frames 0: expected")]
    [TestCase("torture . --minutes 0", "--minutes 0: expected a number above 0")]
    [TestCase("torture . --minutes soon", "--minutes soon: expected")]
    [TestCase("torture . --rounds 0", "--rounds 0: expected a whole number from 1")]
    [TestCase("torture . --seed x", "--seed x: expected a whole number from 0")]
    [TestCase("torture . --size 1MiB", "--size 1MiB: expected 24 MiB to 1 TiB")]
    [TestCase("torture . --size big", "--size big: expected a whole number of bytes")]
    [TestCase("torture . there", "'there' is one too many")]
    public void A_wrong_command_line_is_one_line_and_exit_code_2(string line, string complaint)
    {
        CommandResult result = Run(line.Split(' '));
        Assert.That(result.ExitCode, Is.EqualTo(2));
        Assert.That(result.Output, Is.Empty);
        AssertOneLine(result.Error, complaint);
        Assert.That(result.Error, Does.Contain("--help"));
    }

    [TestCase("run nowhere.wasm", "no such file: nowhere.wasm")]
    [TestCase("resume nowhere.heap", "no such file: nowhere.heap")]
    [TestCase("log nowhere.heap", "no such file: nowhere.heap")]
    [TestCase("stack nowhere.heap", "no such file: nowhere.heap")]
    [TestCase("inspect nowhere.wasm", "no such file: nowhere.wasm")]
    [TestCase("verify nowhere.heap", "no such file: nowhere.heap")]
    [TestCase("fork nowhere.heap@3 new", "no such file: nowhere.heap;")]
    [TestCase("fork nowhere.heap --to new.heap", "no such file: nowhere.heap")]
    [TestCase("revert nowhere.heap 3", "no such file: nowhere.heap")]
    [TestCase("retain nowhere.heap", "no such file: nowhere.heap")]
    [TestCase("drop nowhere.heap 3", "no such file: nowhere.heap")]
    [TestCase("diff nowhere.heap 3 4", "no such file: nowhere.heap")]
    [TestCase("compact nowhere.heap", "no such file: nowhere.heap")]
    [TestCase("verify .", ". is a folder")]
    [TestCase("run x.wasm --dir nowhere::/data", "no such folder: nowhere")]
    public void A_missing_file_is_one_line_and_exit_code_3(string line, string complaint)
    {
        CommandResult result = Run(line.Split(' '));
        Assert.That(result.ExitCode, Is.EqualTo(3));
        AssertOneLine(result.Error, complaint);
    }

    [Test]
    public void What_is_not_a_module_is_refused_with_the_offset()
    {
        File.WriteAllText(_scratch["text.wasm"], "this is not WebAssembly");
        CommandResult result = Run("run", "text.wasm");
        Assert.That(result.ExitCode, Is.EqualTo(4));
        AssertOneLine(result.Error, "text.wasm: at byte 0x0");
        Assert.That(_scratch["text.heap"], Does.Not.Exist);
    }

    [Test]
    public void An_invalid_module_is_refused_with_the_offset()
    {
        File.WriteAllBytes(_scratch["bad.wasm"], WasmBytes.Invalid());
        CommandResult result = Run("run", "bad.wasm");
        Assert.That(result.ExitCode, Is.EqualTo(4));
        AssertOneLine(result.Error, "bad.wasm: at byte 0x");
        Assert.That(_scratch["bad.heap"], Does.Not.Exist);
    }

    [TestCase("resume text.heap")]
    [TestCase("log text.heap")]
    [TestCase("stack text.heap")]
    [TestCase("fork text.heap new")]
    [TestCase("fork text.heap --to new.heap")]
    [TestCase("revert text.heap 1")]
    [TestCase("retain text.heap")]
    [TestCase("drop text.heap 1")]
    [TestCase("diff text.heap 1 2")]
    [TestCase("compact text.heap")]
    [TestCase("verify text.heap")]
    [TestCase("send text.heap")]
    public void What_is_not_a_heap_is_refused(string line)
    {
        File.WriteAllText(_scratch["text.heap"], string.Concat(Enumerable.Repeat("this is not a heap\n", 1000)));
        CommandResult result = Run(line.Split(' '));
        Assert.That(result.ExitCode, Is.EqualTo(3));
        AssertOneLine(result.Error, "text.heap");
        Assert.That(File.ReadAllText(_scratch["text.heap"]), Does.StartWith("this is not a heap"));
    }

    private static void AssertOneLine(string error, string part)
    {
        Assert.That(error, Does.StartWith("everheap: ").And.Contain(part));
        Assert.That(error.TrimEnd('\n'), Does.Not.Contain('\n'));
    }

    private CommandResult Run(params string[] arguments) => EverheapProcess.Run(_scratch.Path, arguments);
}
