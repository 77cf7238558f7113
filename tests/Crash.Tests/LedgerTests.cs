using System.Diagnostics;
using System.Runtime.InteropServices;
using Everheap.Engine;
using Everheap.Engine.Collections;

namespace Everheap.Crash.Tests;

/// <summary>
/// The sample of a host application, run as a reader of the README would run it, killed in the middle of its work, and looked at
/// from outside: whatever the moment, the ledger is whole.
/// </summary>
[TestFixture]
internal sealed class LedgerTests
{
    private const int Kills = 6;
    private const string MoreThanItGetsTo = "2000000000";
    private const string CheckpointMilliseconds = "5";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Test]
    public void A_ledger_killed_again_and_again_is_whole_each_time_and_goes_on_from_there()
    {
        using var scratch = new ScratchFolder();
        string path = scratch["ledger.heap"];
        int seed = Random.Shared.Next();
        TestContext.Out.WriteLine($"seed {seed}");
        Random random = new(seed);
        long entries = 0;
        for (int kill = 0; kill < Kills; kill++)
        {
            using Process process = Start(path, MoreThanItGetsTo);
            string opened = process.StandardOutput.ReadLine() ?? "";
            Assert.That(opened, Does.StartWith($"opened with {entries:N0} entries").And.EndsWith("balances agree"), process.HasExited ? process.StandardError.ReadToEnd() : "");
            AwaitWrite(path);
            Assert.That(process.WaitForExit(random.Next(250)), Is.False, "the ledger ended by itself");
            process.Kill();
            Assert.That(process.WaitForExit(Patience));
            Assert.That(process.ExitCode, Is.EqualTo(EverheapProcess.KilledExitCode));
            long now = CountChecked(path);
            Assert.That(now, Is.GreaterThanOrEqualTo(entries), "what one run had found durable, the next one lost");
            entries = now;
        }

        Assert.That(entries, Is.Positive, "no checkpoint was made in any run");
        using Process last = Start(path, (entries + 100_000).ToString(System.Globalization.CultureInfo.InvariantCulture));
        string output = last.StandardOutput.ReadToEnd();
        Assert.That(last.WaitForExit(Patience));
        Assert.That(last.ExitCode, Is.Zero, last.StandardError.ReadToEnd());
        Assert.That(
            output.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            Has.Some.StartsWith($"opened with {entries:N0} entries").And.Some.Matches("checkpoint .* has .* balances agree").And.Some.StartsWith($"closed with {entries + 100_000:N0} entries"));
        Assert.That(CountChecked(path), Is.EqualTo(entries + 100_000));
    }

    private static Process Start(string path, string entries) => Process.Start(
        new ProcessStartInfo(EverheapProcess.DotnetPath, [Path.Combine(AppContext.BaseDirectory, "ledger.dll"), path, entries, CheckpointMilliseconds])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;

    private static void AwaitWrite(string path)
    {
        DateTime before = File.GetLastWriteTimeUtc(path);
        var patience = Stopwatch.StartNew();
        while (File.GetLastWriteTimeUtc(path) == before)
        {
            Assert.That(patience.Elapsed, Is.LessThan(Patience), "the ledger writes nothing");
            Thread.Sleep(1);
        }
    }

    /// <summary>Opens the store and checks it with eyes of our own: entries in order, and balances that are what they come to.</summary>
    private static long CountChecked(string path)
    {
        using HeapStore store = HeapStore.Open(path, new HeapStoreOptions { ReadOnly = true });
        using PersistentHeap heap = store.OpenHeap("ledger");
        PersistentArray<Line> entries = PersistentArray.Open<Line>(heap, "entries");
        long[] balances = [.. PersistentArray.Open<long>(heap, "balances")];
        Assert.That(balances.Sum(), Is.Zero, "what one account pays, another is paid");
        long number = 0;
        foreach (Line line in entries)
        {
            if (line.Number != number++ || line.Amount <= 0 || line.From == line.To)
            {
                Assert.Fail($"entry {number - 1} is {line}");
            }

            balances[line.From] += line.Amount;
            balances[line.To] -= line.Amount;
        }

        Assert.That(balances, Is.All.Zero, "a balance is not what its entries come to");
        return number;
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Line(long Number, int From, int To, long Amount, long Purpose);
}
