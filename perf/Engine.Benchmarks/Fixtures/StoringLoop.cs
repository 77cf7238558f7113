using System.Diagnostics;
using Everheap.Engine.Benchmarks.Workloads;
using Everheap.Measuring;

namespace Everheap.Engine.Benchmarks.Fixtures;

/// <summary>A program that stores eight bytes here and there all the time, the way compiled code does it.</summary>
/// <param name="heap">What it stores to.</param>
/// <param name="window">Over the part that it stores to.</param>
/// <param name="bytes">How much that is.</param>
internal sealed unsafe class StoringLoop(PersistentHeap heap, TranslationWindow window, int bytes)
{
    /// <summary>Stores between two looks at the clock: what a program does between two safepoints.</summary>
    private const int StoresPerLook = 2048;

    private ulong _state = 1;

    /// <summary>Stores for some time, with a checkpoint every so often, and waits for the last one.</summary>
    /// <returns>Stores a second, and a second of this thread's own processor time.</returns>
    public (double PerSecond, double PerProcessorSecond) Run(TimeSpan duration, TimeSpan checkpointInterval)
    {
        byte* table = (byte*)window.LoadTable + TranslationWindow.StoreTableDistance;
        TimeSpan processorStart = ThreadClock.ProcessorTime();
        long start = Stopwatch.GetTimestamp(), stores = 0;
        TimeSpan elapsed = TimeSpan.Zero, next = checkpointInterval;
        PendingCheckpoint? pending = null;
        while (elapsed < duration)
        {
            for (int i = 0; i < StoresPerLook; i++)
            {
                _state += 0x9E3779B97F4A7C15;
                ulong offset = Math.BigMul(Records.Mix(_state), (ulong)bytes, out _) & ~7UL;
                nint entry = *(nint*)(table + (offset >> TranslationWindow.PageShift << 3));
                byte* at = entry != 0 ? (byte*)entry + offset : window.Store(offset);
                *(ulong*)at = _state;
            }

            stores += StoresPerLook;
            elapsed = Stopwatch.GetElapsedTime(start);
            if (elapsed >= next)
            {
                pending = heap.BeginCheckpoint();
                next += checkpointInterval;
            }
        }

        double perSecond = stores / Stopwatch.GetElapsedTime(start).TotalSeconds;
        double perProcessorSecond = stores / (ThreadClock.ProcessorTime() - processorStart).TotalSeconds;
        pending?.Wait();
        return (perSecond, perProcessorSecond);
    }
}
