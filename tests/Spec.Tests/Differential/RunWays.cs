using Everheap.Engine;
using Everheap.Vm.Execution;

namespace Everheap.Spec.Tests.Differential;

/// <summary>The ways in which modules are run.</summary>
internal static class RunWays
{
    private const int FirstResumeMax = 12;
    private const int SecondResume = 7;

    // Few calls, as modules run for a short time: many functions become hot, and not all at once.
    private const int HotCalls = 3;

    private static readonly RunWay InOnePiece = new("in one piece", new InstanceOptions(), []);
    private static readonly RunWay ByPages = new("by pages", new InstanceOptions { IsAlwaysPaged = true }, []);

    private static readonly RunWay Captured = new(
        "captured at every safepoint", new InstanceOptions { CaptureEvery = 1, AlternatesAddressing = true }, [5, 60], HostRetryEvery: 3);

    private static readonly RunWay CapturedAtTimes = new(
        "captured at some safepoints", new InstanceOptions { CaptureEvery = 7 }, [3, 20], HostRetryEvery: 11);

    private static readonly RunWay CapturedByPages = new(
        "captured at some safepoints, by pages", new InstanceOptions { CaptureEvery = 3, IsAlwaysPaged = true }, [7]);

    private static readonly RunWay Evicted = new(
        "by pages that are evicted", new InstanceOptions { CaptureEvery = 13, IsAlwaysPaged = true }, [2], HasSmallBudget: true);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<RunWay> All { get; } = [.. Plain, .. Plain.Select(ByTiers)];

    private static RunWay[] Plain => [InOnePiece, ByPages, Captured, CapturedAtTimes, CapturedByPages, Evicted];

    /// <summary>
    /// Those for the module of a seed: one without captures, one with, taken up by another instance at captures that depend on the seed; and one that evicts, where there
    /// is enough to evict. In one of the first two, functions are compiled in a hurry at first.
    /// </summary>
    public static IEnumerable<RunWay> For(int seed, ModulePlan plan)
    {
        RunWay plain = (seed & 1) == 0 ? InOnePiece : ByPages;
        bool isPlainByTiers = ((uint)seed / 4 % 2) == 0;
        yield return isPlainByTiers ? ByTiers(plain) : plain;
        RunWay captured = ((uint)seed / 2 % 4) switch
        {
            0 or 1 => Captured,
            2 => CapturedAtTimes,
            _ => CapturedByPages,
        };
        int first = 1 + (int)((uint)seed / 8 % FirstResumeMax);
        captured = captured with { ResumesAt = [first, first * SecondResume] };
        yield return isPlainByTiers ? captured : ByTiers(captured);
        if (plan.Memories.Any(memory => memory.Bytes > HeapStoreOptions.ResidentBytesMin))
        {
            yield return Evicted;
        }
    }

    private static RunWay ByTiers(RunWay way) => way with { Name = way.Name + ", by tiers", Options = way.Options with { TieredBytes = 0, HotCalls = HotCalls } };
}
