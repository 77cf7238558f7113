using System.Diagnostics;
using System.Globalization;

namespace Everheap.Vm.Benchmarks.Children;

/// <summary>Times the run of a program in a child process and writes one line about it to standard error when disposed.</summary>
internal sealed class ChildReport : IDisposable
{
    /// <summary>How the line begins; <see cref="Running.ProgramRun"/> reads it, and the peers write it as well.</summary>
    public const string Prefix = "child:";

    private readonly long _started = Stopwatch.GetTimestamp();

    /// <summary>Writes how much memory so many idle instances take.</summary>
    public static void WriteInstances()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Prefix} rss_kib={ResidentMemory.Now()}"));
    }

    public void Dispose()
    {
        double seconds = Stopwatch.GetElapsedTime(_started).TotalSeconds;
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Prefix} run={seconds:F6} peak_kib={ResidentMemory.Peak()}"));
    }
}
