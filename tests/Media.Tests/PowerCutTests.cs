using System.Globalization;
using Everheap.Engine;
using Everheap.Media.Tests.Children;
using Everheap.Media.Tests.Disks;
using Everheap.Media.Tests.Histories;

namespace Everheap.Media.Tests;

/// <summary>
/// A disk with a volatile write cache loses its power while a process makes checkpoints on it. What was acknowledged before must be there afterwards, and nothing
/// but a whole checkpoint.
/// </summary>
[TestFixture]
internal sealed class PowerCutTests
{
    private const int Cuts = 6;
    private const int CutsLong = 400;
    private const string Acknowledged = "checkpoint ";

    private static readonly byte[] Plain = [.. Enumerable.Range(0, 100_000).Select(i => (byte)(i % 251))];

    private readonly Random _random = new(TestLength.Seed);
    private long _acknowledged;

    private static RandomHistory History => new(TestLength.Seed, StoreCommands.Pages, StoreCommands.PagesEach);

    [Test]
    public void After_a_power_cut_the_store_holds_the_last_acknowledged_checkpoint_or_the_one_that_was_being_made()
    {
        using FaultyDisk disk = FaultyDisk.Create();
        int cuts = TestLength.IsLong ? CutsLong : Cuts;
        int ahead = 0;
        for (int cut = 0; cut < cuts; cut++)
        {
            string plain = $"plain-{cut}";
            CutDuringWork(disk, plain);
            disk.PowerOff();
            disk.PowerOn();
            AssertLostWhatWasNotFlushed(disk, plain);
            ahead += AssertHolds(disk) > _acknowledged ? 1 : 0;
        }

        TestContext.Out.WriteLine(
            $"{cuts} power cuts, checkpoint {_acknowledged} acknowledged last, {ahead} times the one after it was found; EVERHEAP_SEED={TestLength.Seed}");
    }

    private void CutDuringWork(FaultyDisk disk, string plain)
    {
        using ChildProcess child = ChildProcess.Start("write", disk["store.heap"], $"{TestLength.Seed}");
        for (int some = _random.Next(1, 20); some > 0; some--)
        {
            Note(child.ReadLine());
        }

        WritePlainFiles(disk, plain);
        Thread.Sleep(_random.Next(30));
        disk.CutPower();

        // What it still acknowledges, it acknowledges: the power does not come back for it.
        child.WaitForEnd();
        while (child.TryReadLine(out string line))
        {
            Note(line);
        }
    }

    /// <summary>Something that a cut has to take away and something that it must not: so that it is known to be a power cut.</summary>
    private static void WritePlainFiles(FaultyDisk disk, string name)
    {
        foreach (string file in (string[])[Flushed(name), Unflushed(name)])
        {
            // Not File.Create: it cuts a file to nothing first, and what is written after that ext4 writes out by itself.
            using FileStream stream = new(disk[file], FileMode.CreateNew, FileAccess.Write);
            stream.Write(Plain);
            stream.Flush(flushToDisk: file == Flushed(name));
        }
    }

    private static void AssertLostWhatWasNotFlushed(FaultyDisk disk, string name)
    {
        Assert.That(File.ReadAllBytes(disk[Flushed(name)]).AsSpan().SequenceEqual(Plain));
        string unflushed = disk[Unflushed(name)];
        Assert.That(
            File.Exists(unflushed) && File.ReadAllBytes(unflushed).AsSpan().SequenceEqual(Plain),
            Is.False,
            "what was not flushed has survived: this was no power cut");
    }

    private static string Flushed(string name) => $"{name}-flushed";

    private static string Unflushed(string name) => $"{name}-unflushed";

    private void Note(string? line)
    {
        Assert.That(line, Is.Not.Null, "the child has ended of its own accord");
        if (line!.StartsWith(Acknowledged, StringComparison.Ordinal))
        {
            _acknowledged = long.Parse(line[Acknowledged.Length..], CultureInfo.InvariantCulture);
        }
    }

    /// <summary>Returns the checkpoint that was found.</summary>
    private long AssertHolds(FaultyDisk disk)
    {
        using HeapStore store = HeapStore.Open(disk["store.heap"], RandomHistory.Options);
        using PersistentHeap heap = store.OpenHeap(RandomHistory.HeapName);
        long found = (long)heap.LatestCheckpointNumber;
        string when = $"acknowledged {_acknowledged}, EVERHEAP_SEED={TestLength.Seed}";
        Assert.That(found, Is.EqualTo(_acknowledged).Or.EqualTo(_acknowledged + 1), when);
        History.AssertIs(heap, found);
        VerifyReport report = store.Verify();
        Assert.That(report.IsSound, $"{when}: {string.Join('\n', report.Problems)}");
        return found;
    }
}
