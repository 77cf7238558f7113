namespace Everheap.Measuring;

/// <summary>
/// A folder on a real disk for the files of a benchmark: in EVERHEAP_BENCH_DIR if that is set, otherwise in the system's temporary folder.
/// </summary>
internal sealed class WorkFolder : IDisposable
{
    public WorkFolder()
    {
        string parent = Environment.GetEnvironmentVariable("EVERHEAP_BENCH_DIR") ?? System.IO.Path.GetTempPath();
        Path = System.IO.Path.Combine(parent, $"everheap-bench-{Environment.ProcessId}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Path);
    }

    public string Path { get; }

    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>How much its files take, in bytes.</summary>
    public long Length() => new DirectoryInfo(Path).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
