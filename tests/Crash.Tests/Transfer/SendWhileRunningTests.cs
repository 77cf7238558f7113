using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Everheap.Crash.Tests.Transfer;

/// <summary><c>send</c> of a program that runs: it goes on undisturbed, and what is received is a fork of it.</summary>
[TestFixture]
internal sealed class SendWhileRunningTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly string Module = GuestCase.Sample("primes", "small").ModulePath;

    private ScratchFolder _scratch = null!;

    [SetUp]
    public void MakeFolder()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Ignore("A writer keeps readers out on this system.");
        }

        _scratch = new ScratchFolder();
    }

    [TearDown]
    public void RemoveFolder() => _scratch?.Dispose();

    [Test]
    public void A_running_program_is_sent_whole_and_as_what_has_changed_since_and_goes_on_in_both_places()
    {
        using EverheapProcess origin = EverheapProcess.Start(_scratch.Path, ["run", Module, "--every", "50", "--keep-for", "10m", "--", "60", "8000000"]);
        long first = CheckpointAfter(0, origin);
        Send("whole", "--checkpoint", $"{first}");
        long second = CheckpointAfter(first, origin);
        Send("difference", "--from", $"{first}", "--checkpoint", $"{second}");
        Assert.That(origin.HasExited, Is.False, "the program was to be sent while it runs");

        string early = ReceiveAndResume("early.heap", "whole");
        string late = ReceiveAndResume("late.heap", "whole", "difference");
        Assert.That(origin.WaitForEnd().ExitCode, Is.Zero);
        string all = Encoding.UTF8.GetString(origin.PipedOutput());
        Assert.That(all, Does.EndWith(early));
        Assert.That(early, Does.EndWith(late));
        Assert.That(late, Is.Not.Empty);
        Assert.That(late, Has.Length.LessThan(early.Length).And.Length.LessThan(all.Length));
    }

    /// <summary>A retained checkpoint after which the program has shown something more.</summary>
    private long CheckpointAfter(long number, EverheapProcess process)
    {
        long shown = process.PipedLength;
        var watch = Stopwatch.StartNew();
        while (true)
        {
            Assert.That(process.HasExited, Is.False, "everheap ended too early");
            Assert.That(watch.Elapsed, Is.LessThan(Patience));
            if (process.PipedLength > shown)
            {
                CommandResult log = EverheapProcess.Run(_scratch.Path, "log", "primes.heap");
                Assert.That(log.ExitCode, Is.Zero, log.Error);
                long latest = long.Parse(log.Output.TrimEnd('\n').Split('\n')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture);
                if (latest > number)
                {
                    return latest;
                }
            }

            Thread.Sleep(2);
        }
    }

    private void Send(string stream, params string[] options)
    {
        using EverheapProcess process = EverheapProcess.Start(_scratch.Path, ["send", "primes.heap", .. options], appendPath: _scratch[stream]);
        CommandResult result = process.WaitForEnd();
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Error, Is.Empty);
    }

    private string ReceiveAndResume(string file, params string[] streams)
    {
        foreach (string stream in streams)
        {
            using EverheapProcess process = EverheapProcess.Start(_scratch.Path, ["receive", file], inputPath: _scratch[stream]);
            CommandResult received = process.WaitForEnd();
            Assert.That(received.ExitCode, Is.Zero, received.Error);
        }

        CommandResult verified = EverheapProcess.Run(_scratch.Path, "verify", file);
        Assert.That(verified.ExitCode, Is.Zero, verified.Error);
        CommandResult resumed = EverheapProcess.Run(_scratch.Path, "resume", file);
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        return resumed.Output;
    }
}
