namespace Everheap.Engine.Storage;

/// <summary>What a root slot was found to hold.</summary>
internal enum RootState
{
    /// <summary>All zero: never written.</summary>
    Empty,

    /// <summary>Not a root, or its checksum does not match: torn, lost in part, or damaged.</summary>
    Damaged,

    /// <summary>A whole root of a newer version of the format.</summary>
    Newer,

    /// <summary>A whole root, but the file is shorter than it says.</summary>
    FileTooShort,

    /// <summary>A whole root, but the catalog it names does not match its checksum.</summary>
    CatalogDamaged,

    /// <summary>
    /// A whole root that another whole one is at least <see cref="FileLayout.RootsKept"/> ahead of: its space may have been used again, so it is not gone back to, whatever can
    /// still be read of it.
    /// </summary>
    Superseded,

    /// <summary>A whole root, but the root before it is present and is not the parent it names.</summary>
    ParentMismatch,

    /// <summary>A whole root that can be opened.</summary>
    Valid,
}

/// <summary>One slot as seen by <see cref="RootSelection"/>.</summary>
internal readonly record struct RootCandidate(RootState State, ulong Sequence);

/// <summary>What to do with a set of slots.</summary>
internal enum RootVerdict
{
    /// <summary>Open the chosen slot.</summary>
    Open,

    /// <summary>Nothing was ever written: not a store.</summary>
    NotAStore,

    /// <summary>Some root is of a newer version: refuse, rather than go back behind it.</summary>
    NewerVersion,

    /// <summary>There are roots, but none that can be opened.</summary>
    NoValidRoot,
}

/// <summary>
/// Which root is opened, as a function of what the slots hold and of nothing else:
/// <list type="table">
/// <item><term>any slot Newer</term><description>refuse the store</description></item>
/// <item><term>some slot Valid</term><description>open the valid one with the largest sequence; report each slot that is neither valid, superseded nor empty</description></item>
/// <item><term>all slots Empty</term><description>not a store</description></item>
/// <item><term>otherwise</term><description>no valid root: refuse, naming each slot's fault</description></item>
/// </list>
/// </summary>
internal static class RootSelection
{
    /// <summary>Chooses.</summary>
    /// <param name="slots">All slots, in order.</param>
    /// <returns>The verdict, and the slot to open or -1.</returns>
    public static (RootVerdict Verdict, int Slot) Choose(ReadOnlySpan<RootCandidate> slots)
    {
        var chosen = -1;
        var allEmpty = true;
        for (var i = 0; i < slots.Length; i++)
        {
            var slot = slots[i];
            if (slot.State == RootState.Newer)
            {
                return (RootVerdict.NewerVersion, -1);
            }

            allEmpty &= slot.State == RootState.Empty;
            if (slot.State == RootState.Valid && (chosen < 0 || slot.Sequence > slots[chosen].Sequence))
            {
                chosen = i;
            }
        }

        return chosen >= 0 ? (RootVerdict.Open, chosen)
            : allEmpty ? (RootVerdict.NotAStore, -1)
            : (RootVerdict.NoValidRoot, -1);
    }
}
