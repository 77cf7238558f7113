using Microsoft.Extensions.Logging;

namespace Everheap.Engine;

/// <summary>How a store is opened.</summary>
public sealed class HeapStoreOptions
{
    /// <summary>The smallest budget: enough for a page, its path through the page map, and some to choose victims from.</summary>
    public const long ResidentBytesMin = 1L << 20;

    /// <summary>The largest budget: frames are counted in 31 bits.</summary>
    public const long ResidentBytesMax = 1L << 42;

    /// <summary>The default budget.</summary>
    public const long ResidentBytesDefault = 128L << 20;

    /// <summary>
    /// The budget in bytes for everything resident of a heap: pages and nodes of the page map. Rounded down to whole pages.
    /// From <see cref="ResidentBytesMin"/> to <see cref="ResidentBytesMax"/>. Memory is taken as it is touched. Every open heap has a budget of its own
    /// (<see cref="HeapOptions.ResidentBytes"/> sets another).
    /// </summary>
    public long ResidentBytes { get; init; } = ResidentBytesDefault;

    /// <summary>Opens for reading only: nothing in the file is changed, and any number of readers may hold the store at once.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>
    /// Whether space of dropped checkpoints and heaps is reclaimed by itself while the store is idle. Otherwise it is by and by, with each commit, or when
    /// <see cref="HeapStore.Reclaim"/> is called.
    /// </summary>
    public bool BackgroundReclaim { get; init; } = true;

    /// <summary>Where times of checkpoints come from.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Told of everything worth telling that is not an error of a call, such as a root that was skipped; null for nobody.</summary>
    public ILogger? Logger { get; init; }

    /// <summary>Whether the store is read past the lock of a process that may be writing: <see cref="HeapStore.OpenShared"/>.</summary>
    internal bool Shared { get; init; }
}
