using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Everheap.Engine;
using Everheap.Engine.Transfer;

namespace Everheap.Crash.Tests.Transfer;

/// <summary>Real kills in the middle of transfers of a heap that is much larger than the memory they may use.</summary>
[TestFixture]
internal sealed class TransferKillTests
{
    private const int Mebibytes = 256;

    /// <summary>When the file is this long, two saves of 16 MiB have been noted for certain.</summary>
    private const long KilledFromBytes = 64L << 20;

    /// <summary>What a process takes at most: the budget for pages, and the overhead that every process may have.</summary>
    private const long ReceiverKibibytes = (48 + 96) << 10;
    private const long SenderKibibytes = (2 * 8 + 96) << 10;

    private readonly Random _random = new(1);
    private ScratchFolder _scratch = null!;

    [OneTimeSetUp]
    public void MakeFiles()
    {
        _scratch = new ScratchFolder();
        TransferFiles.Create(_scratch["big.heap"], Mebibytes);
        File.WriteAllText(_scratch["token"], Convert.ToHexString(RandomNumberGenerator.GetBytes(32)));
    }

    [OneTimeTearDown]
    public void RemoveFolder() => _scratch.Dispose();

    [Test]
    public void A_receiver_that_is_killed_again_and_again_goes_on_each_time_and_stays_within_its_memory()
    {
        string path = _scratch["piped.heap"];
        string fifo = _scratch["fifo"];
        using (Process made = Process.Start("mkfifo", [fifo]))
        {
            made.WaitForExit();
        }

        int kills = 0;
        long kept = 0;
        while (true)
        {
            string[] resume = Unfinished(path) is { } unfinished ? ["--resume", unfinished.ResumePoint.ToString()] : [];
            using EverheapProcess sender = EverheapProcess.Start(_scratch.Path, ["send", "big.heap", .. resume], appendPath: fifo);
            using EverheapProcess receiver = EverheapProcess.Start(_scratch.Path, ["receive", path], inputPath: fifo);
            bool isKilled = kills < 3 && KillWhen(receiver, path, LengthOf(path) + (kills == 0 ? KilledFromBytes : _random.Next(8 << 20, 48 << 20)), ReceiverKibibytes);
            CommandResult received = isKilled ? receiver.WaitForEnd() : WaitWithin(receiver, ReceiverKibibytes);
            CommandResult sent = WaitWithin(sender, SenderKibibytes);
            if (received.ExitCode == 0)
            {
                Assert.That(sent.ExitCode, Is.Zero, sent.Error);
                break;
            }

            Assert.That(received.ExitCode, Is.EqualTo(EverheapProcess.KilledExitCode), received.Error);
            Assert.That(sent.ExitCode, Is.EqualTo(141), sent.Error);
            kills++;
            long pages = Unfinished(path)!.Pages;
            Assert.That(pages, Is.GreaterThanOrEqualTo(kept), "what was kept once stays");
            kept = pages;
        }

        TestContext.Out.WriteLine($"{kills} kills, {kept} pages kept at the last");
        Assert.That(kept, Is.Positive);
        TransferFiles.AssertSame(_scratch["big.heap"], path);
    }

    [Test]
    public void A_connection_whose_receiver_or_sender_is_killed_is_gone_on_with_by_the_same_commands()
    {
        RequireTls();
        string path = _scratch["sent.heap"];
        string fingerprint;
        using (Listener listener = Listener.Start(_scratch, path, "--certificate", "receiver.pfx"))
        {
            fingerprint = listener.Fingerprint;
            using EverheapProcess sender = StartSender(listener);
            WaitForLength(path, KilledFromBytes, () => sender.HasExited);
            listener.Kill();
            CommandResult sent = sender.WaitForEnd();
            Assert.That(sent.ExitCode, Is.EqualTo(5), sent.Error);
            Assert.That(sent.Error, Does.Contain("the same command goes on from there"));
        }

        long kept = Unfinished(path)!.Pages;
        Assert.That(kept, Is.Positive);
        using (Listener listener = Listener.Start(_scratch, path, "--certificate", "receiver.pfx"))
        {
            Assert.That(listener.Fingerprint, Is.EqualTo(fingerprint));
            using (EverheapProcess sender = StartSender(listener))
            {
                WaitForLength(path, LengthOf(path) + (24 << 20), () => sender.HasExited);
                sender.Kill();
                sender.WaitForEnd();
            }

            using EverheapProcess second = StartSender(listener);
            CommandResult sent = second.WaitForEnd();
            Assert.That(sent.ExitCode, Is.Zero, sent.Error);
            CommandResult received = listener.End();
            Assert.That(received.ExitCode, Is.Zero, received.Error);
            Assert.That(received.Error, Does.Contain("waiting for the sender to come again"));
            long pages = long.Parse(Regex.Match(received.Output, @"(\d+) pages added").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
            Assert.That(pages, Is.LessThanOrEqualTo((Mebibytes * 256L) - kept), "what was kept is not sent again");
        }

        TransferFiles.AssertSame(_scratch["big.heap"], path);
    }

    private static void RequireTls()
    {
        try
        {
            ECDsa.Create().Dispose();
        }
        catch (Exception exception) when (exception is TypeInitializationException or DllNotFoundException or PlatformNotSupportedException)
        {
            Assert.Ignore($"skipped: there is no TLS on this machine ({exception.Message})");
        }
    }

    private static long LengthOf(string path) => File.Exists(path) ? new FileInfo(path).Length : 0;

    private static void WaitForLength(string path, long length, Func<bool> hasEnded)
    {
        while (LengthOf(path) < length && !hasEnded())
        {
            Thread.Sleep(1);
        }
    }

    /// <summary>Kills a process when the file has come to this length. False if it ended before.</summary>
    private static bool KillWhen(EverheapProcess process, string path, long length, long kibibytesMax)
    {
        WaitForLength(path, length, () => process.HasExited);
        Assert.That(process.PeakResidentKibibytes() ?? 0, Is.LessThanOrEqualTo(kibibytesMax));
        process.Kill();
        return process.WaitForEnd().ExitCode == EverheapProcess.KilledExitCode;
    }

    private static CommandResult WaitWithin(EverheapProcess process, long kibibytesMax)
    {
        long peak = 0;
        do
        {
            peak = Math.Max(peak, process.PeakResidentKibibytes() ?? 0);
        }
        while (!process.WaitForExit(TimeSpan.FromMilliseconds(20)));

        TestContext.Out.WriteLine($"peak {peak >> 10} MiB");
        Assert.That(peak, Is.LessThanOrEqualTo(kibibytesMax));
        return process.WaitForEnd();
    }

    private static UnfinishedReceive? Unfinished(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using HeapStore store = HeapStore.Open(path, new HeapStoreOptions { ReadOnly = true, ResidentBytes = 4 << 20 });
        return HeapTransfer.GetUnfinished(store).SingleOrDefault();
    }

    private EverheapProcess StartSender(Listener listener) => EverheapProcess.Start(
        _scratch.Path, ["send", "big.heap", "--to", listener.Address, "--token-file", "token", "--fingerprint", listener.Fingerprint]);
}
