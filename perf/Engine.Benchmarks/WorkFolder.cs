namespace Everheap.Engine.Benchmarks;

/// <summary>
/// A folder on a real disk for the files of a benchmark: in EVERHEAP_BENCH_DIR if that is set, otherwise in the system's temporary folder.
/// </summary>
internal sealed class WorkFolder : IDisposable
{
    private readonly string _path;

    public WorkFolder()
    {
        string parent = Environment.GetEnvironmentVariable("EVERHEAP_BENCH_DIR") ?? Path.GetTempPath();
        _path = Path.Combine(parent, $"everheap-bench-{Environment.ProcessId}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(_path);
    }

    public string File(string name) => Path.Combine(_path, name);

    public void Dispose() => Directory.Delete(_path, recursive: true);
}
