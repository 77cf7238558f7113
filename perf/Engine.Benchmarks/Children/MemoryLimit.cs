using System.Globalization;

namespace Everheap.Engine.Benchmarks.Children;

/// <summary>
/// A control group with a limit on all memory of its members: private, mapped from files, and page cache that they filled. What a store that lives
/// in the page cache may use is then the same as what a store with frames of its own may use.
/// </summary>
internal sealed class MemoryLimit : IDisposable
{
    private const string FirstVersionRoot = "/sys/fs/cgroup/memory";
    private const string SecondVersionRoot = "/sys/fs/cgroup";

    private static int _created;

    private readonly string _folder;
    private readonly string _peakFile;

    private MemoryLimit(string folder, string peakFile)
    {
        _folder = folder;
        _peakFile = peakFile;
    }

    /// <summary>A process becomes a member by writing its number here.</summary>
    public string MembersPath => Path.Combine(_folder, "cgroup.procs");

    /// <summary>The most that its members have used.</summary>
    public long PeakBytes => long.Parse(File.ReadAllText(Path.Combine(_folder, _peakFile)), CultureInfo.InvariantCulture);

    /// <summary>Makes a group; null, and why, where that is not possible.</summary>
    public static MemoryLimit? TryCreate(long bytes, out string whyNot)
    {
        whyNot = "";
        if (!OperatingSystem.IsLinux())
        {
            whyNot = "no control groups on this system";
            return null;
        }

        bool isFirstVersion = Directory.Exists(FirstVersionRoot);
        string name = $"everheap-bench-{Environment.ProcessId}-{Interlocked.Increment(ref _created)}";
        string folder = Path.Combine(isFirstVersion ? FirstVersionRoot : SecondVersionRoot, name);
        try
        {
            Directory.CreateDirectory(folder);
            MemoryLimit limit = new(folder, isFirstVersion ? "memory.max_usage_in_bytes" : "memory.peak");
            try
            {
                File.WriteAllText(Path.Combine(folder, isFirstVersion ? "memory.limit_in_bytes" : "memory.max"), bytes.ToString(CultureInfo.InvariantCulture));
                return limit;
            }
            catch
            {
                limit.Dispose();
                throw;
            }
        }
        catch (Exception refusal) when (refusal is IOException or UnauthorizedAccessException)
        {
            whyNot = $"no control group for memory can be made here: {refusal.Message}";
            return null;
        }
    }

    /// <summary>Removes the group. Its members have ended.</summary>
    public void Dispose() => Directory.Delete(_folder);
}
