namespace Everheap.Vm.Execution;

/// <summary>How an <see cref="Instance"/> is run.</summary>
internal sealed record InstanceOptions
{
    /// <summary>Captures at every n-th safepoint; 0 for none.</summary>
    public int CaptureEvery { get; init; }

    /// <summary>The memory is never reached in one piece, whether it fits the budget or not.</summary>
    public bool IsAlwaysPaged { get; init; }

    /// <summary>A memory that is longer than this is reached by pages, where each page that is stored to for the first time can be told of.</summary>
    public long ContiguousBytesMax { get; init; } = long.MaxValue;

    /// <summary>For tests: goes from one piece to pages and back at captures, at the first ones and then ever less often.</summary>
    public bool AlternatesAddressing { get; init; }
}
