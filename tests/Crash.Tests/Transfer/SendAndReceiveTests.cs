using System.Diagnostics;

namespace Everheap.Crash.Tests.Transfer;

/// <summary><c>send</c> and <c>receive</c> over files and pipes: what arrives, what is said, and with which exit code.</summary>
[TestFixture]
internal sealed class SendAndReceiveTests
{
    private const int Mebibytes = 3;
    private const string Terminal = "/usr/bin/script";

    private ScratchFolder _scratch = null!;

    [SetUp]
    public void MakeFiles()
    {
        _scratch = new ScratchFolder();
        TransferFiles.Create(_scratch["a.heap"], Mebibytes);
    }

    [TearDown]
    public void RemoveFolder() => _scratch.Dispose();

    [Test]
    public void A_whole_checkpoint_and_a_difference_arrive_through_files()
    {
        Send("whole", "--checkpoint", "1");
        Send("difference", "--from", "1");
        CommandResult whole = Receive("whole");
        Assert.That(whole.Output, Is.EqualTo("b.heap: heap 'data', checkpoint 1: 768 pages added, 0 changed, 0 removed, 3 MiB\n"));
        Assert.That(whole.Error, Is.Empty);
        CommandResult difference = Receive("difference");
        Assert.That(difference.Output, Is.EqualTo("b.heap: heap 'data', checkpoint 2: 0 pages added, 256 changed, 256 removed, 1 MiB\n"));
        TransferFiles.AssertSame(_scratch["a.heap"], _scratch["b.heap"]);
    }

    [Test]
    public void Streams_that_follow_each_other_are_received_one_after_the_other()
    {
        Send("both", "--checkpoint", "1");
        Send("both", "--from", "1");
        CommandResult result = Receive("both", "--heap", "copy");
        Assert.That(result.Output, Does.Contain("'copy', checkpoint 1:").And.Contain("'copy', checkpoint 2:"));
        TransferFiles.AssertSame(_scratch["a.heap"], _scratch["b.heap"], "copy");
    }

    [Test]
    public void A_stream_that_breaks_off_is_gone_on_with_by_the_point_that_the_receiver_names()
    {
        Send("whole");
        byte[] bytes = File.ReadAllBytes(_scratch["whole"]);
        File.WriteAllBytes(_scratch["part"], bytes[..(bytes.Length / 2)]);
        CommandResult broken = Receive("part", expectedExitCode: 5);
        Assert.That(broken.Output, Is.Empty);
        AssertOneLine(broken.Error, "breaks off after");
        string point = broken.Error.Split("--resume ")[1].Split(' ')[0];
        Assert.That(Run("receive", "b.heap", "--unfinished").Output, Does.Match($"^{point} \\d+ 2 data\n$"));
        Assert.That(Run("log", "b.heap").Output.Split('\n'), Has.Length.EqualTo(2), "there is nothing in it for others");
        Send("rest", "--resume", point);
        Assert.That(new FileInfo(_scratch["rest"]).Length, Is.LessThan((bytes.Length / 2) + 200_000));
        Receive("rest");
        TransferFiles.AssertSame(_scratch["a.heap"], _scratch["b.heap"]);
        Assert.That(Run("receive", "b.heap", "--unfinished").Output, Is.Empty);
    }

    [Test]
    public void What_broke_off_can_be_abandoned()
    {
        Send("whole");
        File.WriteAllBytes(_scratch["part"], File.ReadAllBytes(_scratch["whole"])[..1_000_000]);
        Receive("part", expectedExitCode: 5);
        CommandResult result = Run("receive", "b.heap", "--abandon");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(Run("receive", "b.heap", "--unfinished").Output, Is.Empty);
        Receive("whole");
        TransferFiles.AssertSame(_scratch["a.heap"], _scratch["b.heap"]);
    }

    [Test]
    public void A_stream_that_does_not_fit_or_is_none_leaves_no_file_and_says_why()
    {
        File.WriteAllText(_scratch["text"], string.Concat(Enumerable.Repeat("this is no stream\n", 100)));
        File.WriteAllText(_scratch["empty"], "");
        Send("difference", "--from", "1");
        AssertOneLine(Receive("text", expectedExitCode: 5).Error, "not a stream that a heap was sent as");
        AssertOneLine(Receive("empty", expectedExitCode: 5).Error, "Nothing has come");
        AssertOneLine(Receive("difference", expectedExitCode: 3).Error, "what differs from a checkpoint that is not here");
        Assert.That(_scratch["b.heap"], Does.Not.Exist);
        Send("whole");
        Receive("whole");
        AssertOneLine(Receive("whole", expectedExitCode: 3).Error, "has this checkpoint already");
    }

    [Test]
    public void A_damaged_stream_is_refused_and_the_file_has_what_it_had()
    {
        Send("whole", "--checkpoint", "1");
        Receive("whole");
        Send("difference", "--from", "1");
        byte[] bytes = File.ReadAllBytes(_scratch["difference"]);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(_scratch["damaged"], bytes);
        AssertOneLine(Receive("damaged", expectedExitCode: 5).Error, "is damaged");
        TransferFiles.AssertSame(_scratch["a.heap"], _scratch["b.heap"], number: 1);
    }

    [Test]
    public void A_reader_of_the_stream_that_goes_away_ends_the_sender_with_exit_code_141()
    {
        using EverheapProcess process = EverheapProcess.StartWithClosedOutput(_scratch.Path, ["send", "a.heap"]);
        CommandResult result = process.WaitForEnd();
        Assert.That(result.ExitCode, Is.EqualTo(141));
        AssertOneLine(result.Error, "closed by its reader");
    }

    [Test]
    public void A_stopped_program_goes_on_where_it_is_sent_to_and_prints_what_it_would_have_printed()
    {
        GuestCase guest = GuestCase.Sample("primes", "medium");
        string output = _scratch["stdout"];
        using (EverheapProcess run = EverheapProcess.Start(
            _scratch.Path, ["run", guest.ModulePath, "--heap", "program.heap", "--every", "100", "--", .. guest.Arguments], appendPath: output))
        {
            while (!run.HasExited && (!File.Exists(output) || new FileInfo(output).Length == 0))
            {
                run.WaitForExit(TimeSpan.FromMilliseconds(5));
            }

            run.Signal(EverheapProcess.SignalInterrupt);
            Assert.That(run.WaitForEnd().ExitCode, Is.EqualTo(130), "the program is stopped before its end");
        }

        using (EverheapProcess send = EverheapProcess.Start(_scratch.Path, ["send", "program.heap"], appendPath: _scratch["stream"]))
        {
            Assert.That(send.WaitForEnd().ExitCode, Is.Zero);
        }

        using (EverheapProcess receive = EverheapProcess.Start(_scratch.Path, ["receive", "elsewhere.heap"], inputPath: _scratch["stream"]))
        {
            Assert.That(receive.WaitForEnd().ExitCode, Is.Zero);
        }

        using (EverheapProcess resume = EverheapProcess.Start(_scratch.Path, ["resume", "elsewhere.heap"], appendPath: output))
        {
            Assert.That(resume.WaitForEnd().ExitCode, Is.EqualTo(guest.ExitCode));
        }

        Assert.That(File.ReadAllBytes(output), Is.EqualTo(guest.ExpectedOutput));
    }

    [TestCase("receive")]
    [TestCase("send")]
    public void Ctrl_C_ends_a_transfer_that_waits(string command)
    {
        // A pipe that nobody reads from, or writes to, and that stays open.
        string fifo = _scratch["fifo"];
        using (Process made = Process.Start("mkfifo", [fifo]))
        {
            made.WaitForExit();
        }

        using FileStream otherEnd = new(fifo, FileMode.Open, FileAccess.ReadWrite);
        using EverheapProcess process = command == "send"
            ? EverheapProcess.Start(_scratch.Path, ["send", "a.heap"], appendPath: fifo)
            : EverheapProcess.Start(_scratch.Path, ["receive", "b.heap"], inputPath: fifo);
        WaitUntil(process, () => command == "send" ? otherEnd.ReadByte() >= 0 : File.Exists(_scratch["b.heap"]));
        process.Signal(EverheapProcess.SignalInterrupt);
        CommandResult result = process.WaitForEnd();
        Assert.That(result.ExitCode, Is.EqualTo(130), result.Error);
        AssertOneLine(result.Error, "stopped before the stream was complete");
        Assert.That(_scratch["b.heap"], Does.Not.Exist);
    }

    [Test]
    public void A_terminal_is_no_place_for_a_stream_and_gets_the_progress_of_one()
    {
        if (!File.Exists(Terminal))
        {
            Assert.Ignore($"skipped: there is no {Terminal} to make a terminal with");
        }

        string command = $"'{Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet"}' '{Path.Combine(AppContext.BaseDirectory, "everheap.dll")}'";
        Assert.That(OnTerminal($"{command} send a.heap", out string sent), Is.EqualTo(2));
        Assert.That(sent, Does.StartWith("everheap: standard output is a terminal"));
        Assert.That(OnTerminal($"{command} receive b.heap", out string received), Is.EqualTo(2));
        Assert.That(received, Does.StartWith("everheap: standard input is a terminal"));
        Assert.That(_scratch["b.heap"], Does.Not.Exist);
    }

    [TestCase("send a.heap --checkpoint 0", "--checkpoint 0: expected the number of a checkpoint")]
    [TestCase("send a.heap --from x", "--from x: expected the number of a checkpoint")]
    [TestCase("send a.heap --resume nonsense", "--resume nonsense: expected a resume point")]
    [TestCase("send a.heap --to backup", "--to backup: expected HOST:PORT")]
    [TestCase("send a.heap --to 7000", "--to 7000: expected HOST:PORT")]
    [TestCase("send a.heap --to ::1:7000 --token-file t", "--to ::1:7000: expected HOST:PORT")]
    [TestCase("send a.heap --to backup:7000", "--to needs --token-file")]
    [TestCase("send a.heap --token-file t", "--token-file goes with --to")]
    [TestCase("send a.heap --fingerprint 12", "--fingerprint 12: expected 64 hexadecimal digits")]
    [TestCase("receive b.heap --listen 70000", "--listen 70000: expected [HOST:]PORT")]
    [TestCase("receive b.heap --listen 7000", "--listen needs --token-file")]
    [TestCase("receive b.heap --certificate c.pfx", "--certificate goes with --listen")]
    [TestCase("receive b.heap --unfinished --abandon", "stand alone")]
    public void A_wrong_command_line_is_one_line_and_exit_code_2(string line, string complaint)
    {
        CommandResult result = Run(line.Split(' '));
        Assert.That(result.ExitCode, Is.EqualTo(2));
        Assert.That(result.Output, Is.Empty);
        AssertOneLine(result.Error, complaint);
        Assert.That(_scratch["b.heap"], Does.Not.Exist);
    }

    [TestCase("send nowhere.heap", "no such file: nowhere.heap")]
    [TestCase("send a.heap --heap other", "there is no heap 'other'")]
    [TestCase("send a.heap --checkpoint 7", "checkpoint 7 of heap 'data' is not known")]
    [TestCase("send a.heap --to 127.0.0.1:9 --token-file nowhere", "no such file: nowhere")]
    [TestCase("receive b.heap --listen 127.0.0.1:0 --token-file nowhere", "no such file: nowhere")]
    [TestCase("receive . --unfinished", ". is a folder")]
    public void What_is_not_there_is_one_line_and_exit_code_3(string line, string complaint)
    {
        CommandResult result = Run(line.Split(' '));
        Assert.That(result.ExitCode, Is.EqualTo(3));
        AssertOneLine(result.Error, complaint);
        Assert.That(_scratch["b.heap"], Does.Not.Exist);
    }

    private static void AssertOneLine(string error, string part)
    {
        Assert.That(error, Does.StartWith("everheap: ").And.Contain(part));
        Assert.That(error.TrimEnd('\n'), Does.Not.Contain('\n'));
    }

    private static void WaitUntil(EverheapProcess process, Func<bool> isSo)
    {
        while (!process.HasExited && !isSo())
        {
            process.WaitForExit(TimeSpan.FromMilliseconds(5));
        }
    }

    private CommandResult Run(params string[] arguments) => EverheapProcess.Run(_scratch.Path, arguments);

    private void Send(string streamName, params string[] options)
    {
        using EverheapProcess process = EverheapProcess.Start(_scratch.Path, ["send", "a.heap", .. options], appendPath: _scratch[streamName]);
        CommandResult result = process.WaitForEnd();
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Error, Is.Empty);
    }

    private CommandResult Receive(string streamName, params string[] options) => Receive(streamName, 0, options);

    private CommandResult Receive(string streamName, int expectedExitCode, params string[] options)
    {
        using EverheapProcess process = EverheapProcess.Start(_scratch.Path, ["receive", "b.heap", .. options], inputPath: _scratch[streamName]);
        CommandResult result = process.WaitForEnd();
        Assert.That(result.ExitCode, Is.EqualTo(expectedExitCode), result.Error);
        return result;
    }

    private int OnTerminal(string command, out string output)
    {
        ProcessStartInfo start = new(Terminal, ["-qec", command, "/dev/null"]) { WorkingDirectory = _scratch.Path, RedirectStandardOutput = true, RedirectStandardInput = true };
        using Process process = Process.Start(start)!;
        output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }
}
