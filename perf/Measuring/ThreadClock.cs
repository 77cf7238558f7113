using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Everheap.Measuring;

/// <summary>
/// The processor time of the calling thread: what something costs whether or not others want the processors at the same time. Where the system has no such clock, the time that passes.
/// </summary>
internal static unsafe partial class ThreadClock
{
    /// <summary>CLOCK_THREAD_CPUTIME_ID of Linux.</summary>
    private const int ThreadProcessorTime = 3;

    public static TimeSpan ProcessorTime()
    {
        if (!OperatingSystem.IsLinux() || !Environment.Is64BitProcess)
        {
            return Stopwatch.GetElapsedTime(0);
        }

        TimeParts time = default;
        return GetTime(ThreadProcessorTime, &time) == 0
            ? TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromMicroseconds(time.Nanoseconds / 1e3)
            : throw new InvalidOperationException("The thread's clock cannot be read.");
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, TimeParts* time);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeParts
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
