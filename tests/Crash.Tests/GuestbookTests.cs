using System.Diagnostics;

namespace Everheap.Crash.Tests;

/// <summary>The sample of a host app with a guest: what the guest keeps outlives the host's process.</summary>
internal sealed class GuestbookTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Test]
    public void A_guest_remembers_what_hosts_before_told_it()
    {
        using var scratch = new ScratchFolder();
        string path = scratch["guestbook.heap"];

        Assert.That(Sign(path, "first"), Is.EqualTo($"1 entries in {path}:\nfirst\n"));
        Assert.That(Sign(path, "zweiter, größer"), Is.EqualTo($"2 entries in {path}:\nfirst\nzweiter, größer\n"));
        Assert.That(Sign(path, "third"), Is.EqualTo($"3 entries in {path}:\nfirst\nzweiter, größer\nthird\n"));
    }

    private static string Sign(string path, string entry)
    {
        using Process process = Process.Start(
            new ProcessStartInfo(EverheapProcess.DotnetPath, [Path.Combine(AppContext.BaseDirectory, "guestbook.dll"), path, entry])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
        string output = process.StandardOutput.ReadToEnd();
        Assert.That(process.WaitForExit(Patience));
        Assert.That(process.ExitCode, Is.Zero, process.StandardError.ReadToEnd());
        return output.ReplaceLineEndings("\n");
    }
}
