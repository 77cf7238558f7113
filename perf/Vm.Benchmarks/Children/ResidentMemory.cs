using System.Globalization;
using HostProcess = System.Diagnostics.Process;

namespace Everheap.Vm.Benchmarks.Children;

/// <summary>How much memory of a process is, or was at most, resident; pages of files count, too. In KiB.</summary>
internal static class ResidentMemory
{
    /// <summary>The most that this process had.</summary>
    public static long Peak() => Read("self", "VmHWM:") ?? Current(process => process.PeakWorkingSet64);

    /// <summary>The most that another process had so far; null if it has ended, or the system does not tell.</summary>
    public static long? PeakOf(HostProcess process) => Read(process.Id.ToString(CultureInfo.InvariantCulture), "VmHWM:");

    /// <summary>What this process has now.</summary>
    public static long Now() => Read("self", "VmRSS:") ?? Current(process => process.WorkingSet64);

    // Linux; elsewhere the working set is the nearest thing.
    private static long? Read(string process, string field)
    {
        string path = $"/proc/{process}/status";
        if (!File.Exists(path))
        {
            return null;
        }

        string? line = File.ReadLines(path).FirstOrDefault(line => line.StartsWith(field, StringComparison.Ordinal));
        return line is null ? null : long.Parse(line.AsSpan(field.Length).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture);
    }

    private static long Current(Func<HostProcess, long> bytes)
    {
        using HostProcess self = HostProcess.GetCurrentProcess();
        return bytes(self) >> 10;
    }
}
