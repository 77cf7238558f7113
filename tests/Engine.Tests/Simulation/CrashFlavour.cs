namespace Everheap.Engine.Tests.Simulation;

/// <summary>What becomes of the unflushed writes and resizes when the simulated machine crashes. Flushed ones always persist.</summary>
internal enum CrashFlavour
{
    /// <summary>All are lost: the volatile cache never got to write.</summary>
    LoseAll,

    /// <summary>All persist: only the process died.</summary>
    KeepAll,

    /// <summary>The first few persist, in order.</summary>
    KeepPrefix,

    /// <summary>Only the very last persists: the worst case for a root written before its data.</summary>
    KeepOnlyLast,

    /// <summary>All but one persist.</summary>
    LoseOne,

    /// <summary>Any subset persists, in the order of issue.</summary>
    AnySubset,

    /// <summary>Any subset persists, in any order, so that of two writes to one place the older may win.</summary>
    AnySubsetReordered,

    /// <summary>Every write is torn into sectors of 512 bytes, each of which persists or not.</summary>
    TornSectors,

    /// <summary>Every write is torn into pages of 4 KiB, each of which persists or not; in any order.</summary>
    TornPages,

    /// <summary>All but the last persist, and the last persists up to some sector.</summary>
    TornLast,
}
