namespace Everheap.Engine;

/// <summary>In which way a page differs.</summary>
public enum PageDifferenceKind
{
    /// <summary>It has content only after: before, it was never written, or was cleared.</summary>
    Added,

    /// <summary>It has content only before.</summary>
    Removed,

    /// <summary>It has content in both, and not the same.</summary>
    Changed,
}

/// <summary>A page in which two checkpoints differ.</summary>
/// <param name="PageNumber">Its number: address / <see cref="PersistentHeap.PageSize"/>.</param>
/// <param name="Kind">In which way.</param>
public readonly record struct PageDifference(ulong PageNumber, PageDifferenceKind Kind);
