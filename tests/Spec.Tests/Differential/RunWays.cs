using Everheap.Vm.Execution;

namespace Everheap.Spec.Tests.Differential;

/// <summary>The ways in which modules are run.</summary>
internal static class RunWays
{
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
    public static IReadOnlyList<RunWay> All { get; } = [InOnePiece, ByPages, Captured, CapturedAtTimes, CapturedByPages, Evicted];

    /// <summary>Those for the module of a seed: one without captures, and one with.</summary>
    public static IEnumerable<RunWay> For(int seed)
    {
        yield return (seed & 1) == 0 ? InOnePiece : ByPages;
        yield return ((uint)seed / 2 % 4) switch
        {
            0 => Captured,
            1 => CapturedAtTimes,
            2 => CapturedByPages,
            _ => Evicted,
        };
    }
}
