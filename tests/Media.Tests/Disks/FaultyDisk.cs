using System.Diagnostics;
using System.Globalization;
using Everheap.Media.Tests.Volumes;

namespace Everheap.Media.Tests.Disks;

/// <summary>
/// A disk that can lose its power or fail, with ext4 on it: nbdkit serves it, with a volatile cache in memory as real disks have one, nbdfuse shows it as a
/// file, and a loop device makes a block device of that.
/// </summary>
/// <remarks>
/// What was flushed is in the file <c>platter</c>; what was written and not flushed is in nbdkit's cache only, and goes when nbdkit is killed. Failures are
/// switched on by a file's existence.
/// </remarks>
internal sealed class FaultyDisk : IDisposable
{
    private const long Bytes = 64L << 20;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly MediaFolder _folder = new();
    private readonly WeakPart _weakPart;
    private Process? _server;
    private string? _device;

    private FaultyDisk(WeakPart weakPart) => _weakPart = weakPart;

    /// <summary>Where the file system on the disk is mounted.</summary>
    public string Path => _folder["mount"];

    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>From now on nothing can be read from the disk.</summary>
    public bool FailsReads
    {
        set => Switch("fail-reads", value);
    }

    /// <summary>From now on nothing can be written; for a disk of which the platter is weak, that is, its cache takes writes, and flushes fail.</summary>
    public bool FailsWrites
    {
        set => Switch("fail-writes", value);
    }

    /// <summary>Makes a disk with an empty file system and switches it on; skips the test where that cannot be done.</summary>
    public static FaultyDisk Create(WeakPart weakPart = WeakPart.Cable)
    {
        Machine.RequireRoot();
        Machine.RequireTools("nbdkit", "nbdfuse", "fusermount3", "losetup", "mkfs.ext4");
        FaultyDisk disk = new(weakPart);
        try
        {
            using (FileStream platter = File.Create(disk._folder["platter"]))
            {
                platter.SetLength(Bytes);
            }

            Tool.Run("mkfs.ext4", "-q", "-F", disk._folder["platter"]);
            Directory.CreateDirectory(disk._folder["shown"]);
            Directory.CreateDirectory(disk.Path);
            if (disk.TryPowerOn() is { } obstacle)
            {
                Assert.Ignore($"skipped: {obstacle}");
            }

            return disk;
        }
        catch
        {
            disk.Dispose();
            throw;
        }
    }

    /// <summary>Switches the disk on, and mounts its file system with what is on the platter.</summary>
    public void PowerOn()
    {
        if (TryPowerOn() is { } obstacle)
        {
            throw new InvalidOperationException(obstacle);
        }
    }

    /// <summary>Cuts the power, at this very moment. Whoever is at work on the disk gets errors.</summary>
    public void CutPower()
    {
        using Process disk = Process.GetProcessById(DiskProcess!.Value);
        disk.Kill();

        // Not for its exit: nobody asks for the exit code while nbdfuse is there.
        Stopwatch patience = Stopwatch.StartNew();
        while (DiskProcess is not null)
        {
            Assert.That(patience.Elapsed, Is.LessThan(Patience), "nbdkit could not be killed");
            Thread.Sleep(1);
        }
    }

    /// <summary>Unmounts the file system, with or without power. What is still in memory goes to the disk, if it can.</summary>
    public void PowerOff()
    {
        if (_device is not null)
        {
            // Without power there is nothing that it could write, and it says so.
            if (Tool.Try("umount", Path) is not null && IsMounted(Path))
            {
                Tool.Run("umount", "-l", Path);
            }

            Tool.Run("losetup", "--detach", _device);
            _device = null;
        }

        if (IsMounted(_folder["shown"]) && Tool.Try("fusermount3", "-u", _folder["shown"]) is not null)
        {
            Tool.Run("umount", "-l", _folder["shown"]);
        }

        if (_server is not null && !_server.WaitForExit(Patience))
        {
            _server.Kill();
        }

        _server?.Dispose();
        _server = null;
    }

    public void Dispose()
    {
        PowerOff();
        if (DiskProcess is { } left)
        {
            Tool.Try("kill", "-9", string.Create(CultureInfo.InvariantCulture, $"{left}"));
        }

        _folder.Dispose();
    }

    /// <summary>The process that is the disk, while it has power.</summary>
    private int? DiskProcess
    {
        get
        {
            try
            {
                int id = int.Parse(File.ReadAllText(_folder["disk.pid"]), CultureInfo.InvariantCulture);
                return File.ReadAllText($"/proc/{id}/cmdline").Contains(_folder.Path, StringComparison.Ordinal) ? id : null;
            }
            catch (Exception gone) when (gone is IOException or FormatException)
            {
                return null;
            }
        }
    }

    private string? TryPowerOn()
    {
        string shown = System.IO.Path.Combine(_folder["shown"], "disk");

        // The first filter is the one next to the user.
        string[] filters = _weakPart == WeakPart.Cable ? ["--filter=error", "--filter=cache"] : ["--filter=cache", "--filter=error"];
        string[] disk =
        [
            "nbdkit", "--foreground", "--pidfile", _folder["disk.pid"], .. filters, "file", _folder["platter"],
            "cache=writeback",
            "error-pread-rate=100%", $"error-pread-file={_folder["fail-reads"]}",
            "error-pwrite-rate=100%", $"error-pwrite-file={_folder["fail-writes"]}",
        ];
        _server = Tool.StartInBackground("nbdfuse", [shown, "[", .. disk, "]"]);
        Stopwatch patience = Stopwatch.StartNew();
        while (!File.Exists(shown) || DiskProcess is null)
        {
            if (_server.HasExited || patience.Elapsed > Patience)
            {
                return "nbdfuse and nbdkit could not show a disk as a file";
            }

            Thread.Sleep(1);
        }

        try
        {
            _device = LoopDevice.AttachForGood(shown);
        }
        catch (InvalidOperationException failure)
        {
            return failure.Message;
        }

        // A journal that is not written by time, so that only what is asked for is durable.
        return Tool.Try("mount", "-o", "commit=300,errors=remount-ro", _device, Path);
    }

    private void Switch(string fault, bool on)
    {
        if (on)
        {
            File.Create(_folder[fault]).Dispose();
        }
        else
        {
            File.Delete(_folder[fault]);
        }
    }

    private static bool IsMounted(string point) => File.ReadAllText("/proc/mounts").Contains($" {point} ", StringComparison.Ordinal);
}
