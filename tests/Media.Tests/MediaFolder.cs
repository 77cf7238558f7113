using System.Globalization;

namespace Everheap.Media.Tests;

/// <summary>
/// A folder of its own for a test and for what it mounts. Its name says whose it is, so that a later run can clear up after one that was killed.
/// </summary>
internal sealed class MediaFolder : IDisposable
{
    private const string Prefix = "everheap-media-";
    private static int _count;

    public MediaFolder()
    {
        Path = System.IO.Path.Combine(
            System.IO.Path.GetTempPath(),
            string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}-{Interlocked.Increment(ref _count)}"));
        Directory.CreateDirectory(Path);
    }

    public string Path { get; }

    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Unmounts and deletes what processes that are gone have left.</summary>
    public static void ClearUpAfterTheKilled()
    {
        foreach (string folder in Directory.GetDirectories(System.IO.Path.GetTempPath(), $"{Prefix}*"))
        {
            string owner = System.IO.Path.GetFileName(folder)[Prefix.Length..].Split('-')[0];
            if (OperatingSystem.IsLinux() && !Directory.Exists($"/proc/{owner}"))
            {
                Clear(folder);
            }
        }
    }

    public void Dispose() => Clear(Path);

    private static void Clear(string folder)
    {
        foreach (string mountPoint in MountPointsBelow(folder))
        {
            // Lazily: somebody may still have a file open, and the rest has to go all the same.
            Tool.Run("umount", "-l", mountPoint);
        }

        Directory.Delete(folder, recursive: true);
    }

    /// <summary>The latest first: it may be mounted on an earlier one.</summary>
    private static IEnumerable<string> MountPointsBelow(string folder) =>
        File.Exists("/proc/mounts")
            ? File.ReadAllLines("/proc/mounts").Select(line => line.Split(' ')[1]).Where(point => point.StartsWith(folder + "/", StringComparison.Ordinal)).Reverse()
            : [];
}
