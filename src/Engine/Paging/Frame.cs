using System.Runtime.InteropServices;

namespace Everheap.Engine.Paging;

/// <summary>
/// A frame's life: Free, then Clean when something is loaded into it, Dirty at the first change in an epoch, Sealed when that epoch ends, Clean again when
/// the checkpoint writer has written it, Free when it is evicted. An eviction takes a Dirty frame over Clean to Free at once, by writing it.
/// </summary>
/// <remarks>
/// Epochs are even and odd by turns, and no more than two are of interest at a time: of a frame that was changed in the current one it is said that it is Dirty, of one
/// that was changed in the sealed one, that it is Sealed. So a seal makes Sealed of Dirty for all frames at once, without touching any.
/// </remarks>
internal enum FrameState : byte
{
    /// <summary>Holds nothing.</summary>
    Free,

    /// <summary>Holds what its parent's entry names.</summary>
    Clean,

    /// <summary>Changed in an even epoch.</summary>
    ChangedEven,

    /// <summary>Changed in an odd epoch.</summary>
    ChangedOdd,
}

/// <summary>More about a frame.</summary>
[Flags]
internal enum FrameFlags : byte
{
    None = 0,

    /// <summary>Used since the clock last passed, other than through a translation table (there, the entry itself says so).</summary>
    Referenced = 1,

    /// <summary>Sealed, and no longer its page's frame: the page was copied or dropped since. Freed when written.</summary>
    Orphan = 2,

    /// <summary>Never evicted.</summary>
    Pinned = 4,

    /// <summary>
    /// Sealed, an orphan, and what the page had when it was sealed, which itself is in a pinned range. It becomes the page's frame again if the range is given up
    /// before the page has changed.
    /// </summary>
    PinnedCopy = 8,

    /// <summary>A page that was loaded, and whose use that it was loaded for has not been noted yet: being there says nothing of whether it will be used again.</summary>
    New = 16,
}

/// <summary>What is known of a frame: 32 bytes beside its 4096.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Frame
{
    /// <summary>The most that <see cref="Uses"/> counts.</summary>
    public const byte UsesMax = 4;

    /// <summary>Which page or node it holds: see <see cref="FrameKey"/>.</summary>
    public ulong Key;

    /// <summary>The next frame in the list that this one is in, or -1.</summary>
    public int Next;

    /// <summary>The one before, or -1.</summary>
    public int Previous;

    /// <summary>The frame of the node that has this one's entry; -1 for the root.</summary>
    public int Parent;

    /// <summary>Resident frames (orphans included) whose parent this is, deferred places below it, and pinned ranges that have pages below it. Not evicted unless 0.</summary>
    public int Children;

    /// <summary>How many of <see cref="Children"/> are deferred places.</summary>
    public ushort Deferred;

    public FrameState State;

    public FrameFlags Flags;

    /// <summary>In how many rounds of the clock a page was found used, less those in which it was not; at most <see cref="UsesMax"/>.</summary>
    public byte Uses;

    private readonly byte _padding0;
    private readonly ushort _padding1;
}

/// <summary>
/// The name of a page or of a node of the page map. Pages: the page number. Nodes: the number of the first page below, in units of what the
/// node covers, and the level (1 to 5) in the top byte.
/// </summary>
internal static class FrameKey
{
    public const int LevelShift = 56;

    public static ulong Node(int level, ulong index) => ((ulong)level << LevelShift) | index;

    public static int Level(ulong key) => (int)(key >> LevelShift);

    public static ulong Index(ulong key) => key & ((1UL << LevelShift) - 1);
}
