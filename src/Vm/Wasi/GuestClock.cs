using System.Diagnostics;
using Everheap.Vm.Wasi.State;

namespace Everheap.Vm.Wasi;

/// <summary>
/// The program's clocks, in nanoseconds. Invariant: over a seal and a resume none of them goes back. The monotonic clock and the
/// CPU clock go on from where they stood at the seal (time in which the program was not there does not count); the real-time
/// clock is the host's, held back at what it showed until the host has caught up.
/// </summary>
/// <remarks>A guest has one thread, so the clock of its thread is that of the process: it counts the machine's own threads, too.</remarks>
internal sealed class GuestClock
{
    private const long NanosecondsPerTick = 100;
    private const long NanosecondsPerSecond = 1_000_000_000;

    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly long _cpuStart;
    private readonly ulong _monotonicBase;
    private readonly ulong _cpuBase;
    private ulong _realtimeFloor;

    /// <summary>Starts new clocks.</summary>
    /// <param name="time">The host's clocks.</param>
    public GuestClock(TimeProvider time)
    {
        _time = time;
        _start = time.GetTimestamp();
        _cpuStart = HostCpu();
    }

    private GuestClock(TimeProvider time, ulong realtimeFloor, ulong monotonicBase, ulong cpuBase)
        : this(time)
    {
        _realtimeFloor = realtimeFloor;
        _monotonicBase = monotonicBase;
        _cpuBase = cpuBase;
    }

    /// <summary>The finest step of the clocks.</summary>
    public static ulong Resolution => (ulong)Math.Max(1, NanosecondsPerSecond / Stopwatch.Frequency);

    /// <summary>Time since 1970.</summary>
    public ulong Realtime
    {
        get
        {
            long host = (_time.GetUtcNow().UtcTicks - DateTime.UnixEpoch.Ticks) * NanosecondsPerTick;
            return Math.Max(_realtimeFloor, (ulong)Math.Max(0, host));
        }
    }

    /// <summary>Time that the program has been running.</summary>
    public ulong Monotonic => _monotonicBase + (ulong)(_time.GetElapsedTime(_start).Ticks * NanosecondsPerTick);

    /// <summary>CPU time that the program has taken.</summary>
    public ulong Cpu => _cpuBase + (ulong)(HostCpu() - _cpuStart);

    /// <summary>Reads the clocks that <see cref="Write"/> stopped.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="time">The host's clocks.</param>
    /// <returns>The clocks, running on.</returns>
    public static GuestClock Read(ref StateReader reader, TimeProvider time) => new(time, reader.U64(), reader.U64(), reader.U64());

    /// <summary>Writes what the clocks show.</summary>
    /// <param name="writer">The state.</param>
    public void Write(StateWriter writer)
    {
        _realtimeFloor = Realtime;
        writer.U64(_realtimeFloor);
        writer.U64(Monotonic);
        writer.U64(Cpu);
    }

    private static long HostCpu() => Environment.CpuUsage.TotalTime.Ticks * NanosecondsPerTick;
}
