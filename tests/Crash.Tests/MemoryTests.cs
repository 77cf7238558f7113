using System.Diagnostics;

namespace Everheap.Crash.Tests;

/// <summary>The promise that a process stays within its resident budget and a fixed overhead, whatever its program uses.</summary>
[TestFixture]
internal sealed class MemoryTests
{
    private const long OverheadKibibytes = 96 << 10;

    [TestCase("16MiB", 16)]
    [TestCase("64MiB", 64)]
    public void A_program_of_200_MiB_stays_within_its_budget(string resident, long residentMebibytes) =>
        AssertPeak(GuestCase.Sample("records", "medium"), resident, residentMebibytes);

    [Test]
    public void A_program_of_1_GiB_stays_within_64_MiB_and_96_MiB()
    {
        if (!Directory.Exists(RepositoryFolders.Guests))
        {
            Assert.Ignore(RepositoryFolders.GuestsMissing);
        }

        AssertPeak(GuestCase.Guest("large/bigsort", "default"), "64MiB", 64);
    }

    private static void AssertPeak(GuestCase guest, string resident, long residentMebibytes)
    {
        using var scratch = new ScratchFolder();
        var watch = Stopwatch.StartNew();
        using EverheapProcess process = EverheapProcess.Start(
            scratch.Path, ["run", guest.ModulePath, "--resident", resident, "--", .. guest.Arguments]);
        long peak = 0;
        do
        {
            // The kernel's high-water mark only rises, so that a late reading has seen every earlier moment.
            peak = Math.Max(peak, process.PeakResidentKibibytes() ?? 0);
        }
        while (!process.WaitForExit(TimeSpan.FromMilliseconds(20)));

        CommandResult result = process.WaitForEnd();
        TestContext.Progress.WriteLine($"{guest.Name} under --resident {resident}: peak {peak / 1024.0:F1} MiB, {watch.Elapsed.TotalSeconds:F1} s");
        Assert.That(result.ExitCode, Is.EqualTo(guest.ExitCode), result.Error);
        Assert.That(process.PipedOutput(), Is.EqualTo(guest.ExpectedOutput));
        Assert.That(peak, Is.LessThanOrEqualTo((residentMebibytes << 10) + OverheadKibibytes));
    }
}
