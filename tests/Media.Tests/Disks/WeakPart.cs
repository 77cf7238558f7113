namespace Everheap.Media.Tests.Disks;

/// <summary>Where in a <see cref="FaultyDisk"/> failures happen when they are switched on.</summary>
internal enum WeakPart
{
    /// <summary>Before the disk's cache: reads and writes fail.</summary>
    Cable,

    /// <summary>Behind the disk's cache: it takes writes, and its flushes fail.</summary>
    Platter,
}
