using System.Diagnostics;
using System.Globalization;
using HostProcess = System.Diagnostics.Process;

namespace Everheap.Vm.Benchmarks.Children;

/// <summary>Times the run of a program in a child process and writes one line about it to standard error when disposed.</summary>
internal sealed class ChildReport : IDisposable
{
    /// <summary>How the line begins; <see cref="Comparison.ChildResult"/> reads it.</summary>
    public const string Prefix = "child:";

    private readonly double _startupSeconds = (DateTime.Now - HostProcess.GetCurrentProcess().StartTime).TotalSeconds;
    private readonly long _started = Stopwatch.GetTimestamp();

    public void Dispose()
    {
        double runSeconds = Stopwatch.GetElapsedTime(_started).TotalSeconds;
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Prefix} startup={_startupSeconds:F4} run={runSeconds:F6} peak_kib={PeakResidentKibibytes()}"));
    }

    // VmHWM counts file-backed pages, too; elsewhere than on Linux the peak working set is the nearest thing.
    private static long PeakResidentKibibytes()
    {
        const string Key = "VmHWM:";
        if (OperatingSystem.IsLinux())
        {
            foreach (string line in File.ReadLines("/proc/self/status"))
            {
                if (line.StartsWith(Key, StringComparison.Ordinal))
                {
                    return long.Parse(line.AsSpan(Key.Length).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture);
                }
            }
        }

        using HostProcess self = HostProcess.GetCurrentProcess();
        return self.PeakWorkingSet64 / 1024;
    }
}
