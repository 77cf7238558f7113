namespace Everheap.Engine.Storage;

/// <summary>Reads, chooses and writes roots.</summary>
/// <remarks>
/// Invariants: a root is written only when everything it reaches is durable, to the slot that its number names, which never holds one of the
/// <see cref="FileLayout.RootsKept"/> newest roots; and what it says of itself is checked again when it is read.
/// </remarks>
internal sealed class RootSlots
{
    private readonly StoreChannel _channel;
    private Superblock _current;

    private RootSlots(StoreChannel channel, in Superblock current, Superblock? previous, IReadOnlyList<SkippedRoot> skipped)
    {
        _channel = channel;
        _current = current;
        Previous = previous;
        Skipped = skipped;
    }

    /// <summary>The newest durable root.</summary>
    public ref readonly Superblock Current => ref _current;

    /// <summary>The root before it, if it could be opened in its stead.</summary>
    public Superblock? Previous { get; private set; }

    /// <summary>The slots that were refused at opening.</summary>
    public IReadOnlyList<SkippedRoot> Skipped { get; }

    /// <summary>Writes the first root of a new store; the caller has flushed what it names, and flushes after.</summary>
    public static RootSlots Create(StoreChannel channel, ref Superblock first)
    {
        Seal(ref first);
        channel.Write(FileLayout.SuperblockOffset(FileLayout.SuperblockSlot(first.Sequence)), DiskView.Bytes(ref first));
        return new RootSlots(channel, first, null, []);
    }

    /// <summary>Chooses the root to open.</summary>
    /// <param name="channel">The medium.</param>
    /// <param name="refused">Roots whose catalogs were found damaged below what is looked at here.</param>
    /// <exception cref="HeapFormatException">Not a store, or of a newer version.</exception>
    /// <exception cref="HeapCorruptedException">No root can be opened.</exception>
    public static RootSlots Open(StoreChannel channel, IReadOnlyCollection<ulong> refused)
    {
        var slots = new Superblock[FileLayout.SlotCount];
        var candidates = new RootCandidate[FileLayout.SlotCount];
        if (channel.Length < FileLayout.SlotCount * FileLayout.PageSize)
        {
            throw new HeapFormatException(
                $"{channel.Name}: not an Everheap store: {channel.Length} bytes are too few for its roots. Was the file cut short, or its creation interrupted?");
        }

        for (var i = 0; i < slots.Length; i++)
        {
            channel.Read(FileLayout.SuperblockOffset(i), DiskView.Bytes(ref slots[i]));
            var state = Inspect(channel, i, ref slots[i]);
            state = state == RootState.Valid && refused.Contains(slots[i].Sequence) ? RootState.CatalogDamaged : state;
            candidates[i] = new RootCandidate(state, slots[i].Sequence);
        }

        for (var i = 0; i < slots.Length; i++)
        {
            if (candidates[i].State == RootState.Valid && !IsChildOfPredecessor(slots, candidates, i))
            {
                candidates[i] = candidates[i] with { State = RootState.ParentMismatch };
            }
        }

        // Whatever is known to have come after a root says how far its space may have been used again, valid or not.
        var newest = candidates.Where(candidate => IsWhole(candidate.State)).Select(candidate => candidate.Sequence).DefaultIfEmpty().Max();
        for (var i = 0; i < slots.Length; i++)
        {
            if (IsWhole(candidates[i].State) && candidates[i].Sequence + FileLayout.RootsKept <= newest)
            {
                candidates[i] = candidates[i] with { State = RootState.Superseded };
            }
        }

        var (verdict, chosen) = RootSelection.Choose(candidates);
        var skipped = Explain(channel, slots, candidates);
        return verdict switch
        {
            RootVerdict.Open => new RootSlots(channel, slots[chosen], Before(slots, candidates, chosen), skipped),
            RootVerdict.NotAStore => throw new HeapFormatException(
                $"{channel.Name}: not an Everheap store: its roots are empty. If it was just being created, delete it and create it again."),
            RootVerdict.NewerVersion => throw new HeapFormatException(
                $"{channel.Name}: written by a newer version of the format than {FileLayout.Version}, the newest this program knows. Use a newer program."),
            _ when candidates.All(candidate => candidate.State is RootState.Damaged or RootState.Empty) && !HasMagic(slots) => throw new HeapFormatException(
                $"{channel.Name}: not an Everheap store: it does not start with a root."),
            _ => throw new HeapCorruptedException(
                $"{channel.Name}: no root can be opened: {string.Join("; ", skipped.Select(root => $"slot {root.Slot}: {root.Reason}"))}. Restore the file from a copy.",
                fileOffset: 0),
        };
    }

    /// <summary>A root to fill in that follows the current one.</summary>
    public Superblock Next() => new()
    {
        Magic = FileLayout.SuperblockMagic,
        Version = FileLayout.Version,
        PageSize = FileLayout.PageSize,
        Sequence = _current.Sequence + 1,
        ParentChecksum = _current.Checksum,
        StoreId = _current.StoreId,
    };

    /// <summary>Writes a root and makes it durable. Everything it reaches is durable already.</summary>
    public void Commit(ref Superblock next)
    {
        Seal(ref next);
        _channel.Write(FileLayout.SuperblockOffset(FileLayout.SuperblockSlot(next.Sequence)), DiskView.Bytes(ref next));
        _channel.Flush();
        Previous = _current;
        _current = next;
    }

    private static void Seal(ref Superblock root) => root.Checksum = DiskView.HashWithout(ref root, ref root.Checksum);

    private static RootState Inspect(StoreChannel channel, int slot, ref Superblock root)
    {
        if (DiskView.Bytes(ref root).IndexOfAnyExcept((byte)0) < 0)
        {
            return RootState.Empty;
        }

        if (root.Magic != FileLayout.SuperblockMagic || root.Checksum != DiskView.HashWithout(ref root, ref root.Checksum))
        {
            return RootState.Damaged;
        }

        if (root.Version > FileLayout.Version)
        {
            return RootState.Newer;
        }

        // A whole root in the wrong slot was written to the wrong place.
        if (root.Version == 0 || root.PageSize != FileLayout.PageSize || FileLayout.SuperblockSlot(root.Sequence) != slot)
        {
            return RootState.Damaged;
        }

        if (root.FileLength > FileLayout.FileLengthMax || (long)root.FileLength > channel.Length)
        {
            return RootState.FileTooShort;
        }

        return IsCatalogIntact(channel, root) ? RootState.Valid : RootState.CatalogDamaged;
    }

    /// <summary>Whether what the root names first is what was written there; what lies below is checked as it is read.</summary>
    private static bool IsCatalogIntact(StoreChannel channel, in Superblock root)
    {
        if (root.Version == 1)
        {
            return Version1Catalog.TryRead(channel, root, out _);
        }

        var place = root.Catalog.Place;
        if (place == 0)
        {
            return root.Sequence == 0; // a store that nothing was ever committed to
        }

        if (place >= root.FileLength >> FileLayout.PageShift)
        {
            return false;
        }

        Span<byte> page = stackalloc byte[FileLayout.PageSize];
        channel.Read((long)(place << FileLayout.PageShift), page);
        return DiskView.Hash(page) == root.Catalog.Checksum;
    }

    private static bool IsWhole(RootState state) =>
        state is RootState.Valid or RootState.CatalogDamaged or RootState.FileTooShort or RootState.ParentMismatch;

    private static Superblock? Before(Superblock[] slots, RootCandidate[] candidates, int chosen)
    {
        for (var i = 0; i < slots.Length; i++)
        {
            if (candidates[i].State == RootState.Valid && slots[i].Sequence + 1 == slots[chosen].Sequence)
            {
                return slots[i];
            }
        }

        return null;
    }

    private static bool IsChildOfPredecessor(Superblock[] slots, RootCandidate[] candidates, int child)
    {
        return Before(slots, candidates, child) is not { } parent
            || (slots[child].ParentChecksum == parent.Checksum && slots[child].StoreId == parent.StoreId);
    }

    private static bool HasMagic(Superblock[] slots) => slots.Any(slot => slot.Magic == FileLayout.SuperblockMagic);

    private static List<SkippedRoot> Explain(StoreChannel channel, Superblock[] slots, RootCandidate[] candidates)
    {
        var skipped = new List<SkippedRoot>();
        for (var i = 0; i < slots.Length; i++)
        {
            var reason = candidates[i].State switch
            {
                RootState.Valid or RootState.Superseded or RootState.Empty => null,
                RootState.Newer => $"it is of version {slots[i].Version}, newer than {FileLayout.Version}",
                RootState.FileTooShort => $"the file has {channel.Length} bytes, but the root was written when it had {slots[i].FileLength}: it was cut short",
                RootState.CatalogDamaged => $"its catalog, at offset {slots[i].Catalog.Place << FileLayout.PageShift}, does not match its checksum, or what it refers to does not",
                RootState.ParentMismatch => "the root before it is not the one it was written after",
                _ => "it does not match its own checksum: torn, or damaged",
            };
            if (reason is not null)
            {
                var sequence = candidates[i].State == RootState.Damaged ? -1 : (long)slots[i].Sequence;
                skipped.Add(new SkippedRoot(i, FileLayout.SuperblockOffset(i), sequence, reason));
            }
        }

        return skipped;
    }
}
