using System.Numerics;
using System.Runtime.InteropServices;

namespace Everheap.Engine.Storage;

/// <summary>
/// The bitmaps of one region of the file, as far as it has been touched. See <see cref="SpaceAllocator"/> for what each means.
/// </summary>
/// <remarks>Bitmaps that are all zero most of the time exist only while they are not. One managed object stands for 32,768 pages.</remarks>
internal sealed unsafe class Region : IDisposable
{
    private const int Words = FileLayout.BitmapWords;
    private const ulong ReservedPages = (1UL << FileLayout.RegionReservedPages) - 1;

    public Region(int index)
    {
        Index = index;
        Taken = NewBitmap();
        Kept = NewBitmap();
        Kept[0] = ReservedPages;
        Taken[0] = Kept[0];
        FreeCount = FileLayout.RegionPages - FileLayout.RegionReservedPages;
    }

    public int Index { get; }

    /// <summary>Pages that cannot be given out: the union of all below, and of what epochs that no root has yet were given.</summary>
    public ulong* Taken { get; private set; }

    /// <summary>Pages in use by the root being written, or by the last one written if none is: what the bitmap on disk will say.</summary>
    public ulong* Kept { get; private set; }

    /// <summary>Pages that the root being written no longer uses, but the last durable one does; null if none.</summary>
    public ulong* HeldNew { get; private set; }

    /// <summary>Pages that the last durable root no longer uses, but the one before it does; null if none.</summary>
    public ulong* HeldOld { get; private set; }

    /// <summary>Zero bits of <see cref="Taken"/>.</summary>
    public int FreeCount { get; set; }

    /// <summary>Epochs that took something here or gave it back, and are not committed yet.</summary>
    public int Users { get; set; }

    /// <summary>Whether the allocator's list of regions whose <see cref="Kept"/> is to be written has this one.</summary>
    public bool IsChanged { get; set; }

    /// <summary>Whether the allocator's list of regions with something in <see cref="HeldNew"/> or <see cref="HeldOld"/> has this one.</summary>
    public bool IsHeld { get; set; }

    /// <summary>Whether there is nothing here that the disk does not say.</summary>
    public bool IsIdle => Users == 0 && !IsChanged && !IsHeld;

    public static bool Test(ulong* bitmap, int bit) => bitmap != null && (bitmap[bit >> 6] & (1UL << (bit & 63))) != 0;

    public static void Set(ulong* bitmap, int bit) => bitmap[bit >> 6] |= 1UL << (bit & 63);

    public static void Clear(ulong* bitmap, int bit) => bitmap[bit >> 6] &= ~(1UL << (bit & 63));

    public static int Count(ulong* bitmap)
    {
        var count = 0;
        for (var i = 0; i < Words; i++)
        {
            count += BitOperations.PopCount(bitmap[i]);
        }

        return count;
    }

    /// <summary>Takes over what the disk says, at loading. False if it would give out reserved pages: roots are among them.</summary>
    public bool TryLoadKept()
    {
        new ReadOnlySpan<ulong>(Kept, Words).CopyTo(new Span<ulong>(Taken, Words));
        FreeCount = FileLayout.RegionPages - Count(Kept);
        return (Kept[0] & ReservedPages) == ReservedPages;
    }

    /// <summary>Takes everything to be in use: what the disk says is not known.</summary>
    /// <param name="pages">How many pages of the region the file has.</param>
    public void TakeAll(int pages)
    {
        for (var bit = 0; bit < pages; bit++)
        {
            Set(Kept, bit);
            Set(Taken, bit);
        }

        FreeCount = FileLayout.RegionPages - pages;
    }

    /// <summary>Holds, at loading, what the root before the opened one uses and the opened one does not. Returns how many pages that is.</summary>
    public int HoldFor(ulong* previous)
    {
        var count = 0;
        for (var i = 0; i < Words; i++)
        {
            var held = previous[i] & ~Kept[i];
            if (held != 0)
            {
                HeldOld = HeldOld != null ? HeldOld : NewBitmap();
                HeldOld[i] = held;
                Taken[i] |= held;
                count += BitOperations.PopCount(held);
            }
        }

        FreeCount -= count;
        return count;
    }

    /// <summary>
    /// The first run of free pages from a bit on, below a limit: as long as wanted, or at least <paramref name="least"/> long.
    /// </summary>
    /// <returns>The first bit, or -1 if there is none.</returns>
    public int FindRun(int from, int limit, int wanted, int least, out int length)
    {
        var position = from;
        while (position < limit)
        {
            var free = ~Taken[position >> 6] >> (position & 63);
            if (free == 0)
            {
                position = ((position >> 6) + 1) << 6;
                continue;
            }

            position += BitOperations.TrailingZeroCount(free);
            var stop = Math.Min(limit, position + wanted);
            var end = position;
            while (end < stop)
            {
                var used = Taken[end >> 6] >> (end & 63);
                if (used != 0)
                {
                    end += BitOperations.TrailingZeroCount(used);
                    break;
                }

                end = ((end >> 6) + 1) << 6;
            }

            length = Math.Min(end, stop) - position;
            if (length >= least)
            {
                return position;
            }

            position += Math.Max(length, 1);
        }

        length = 0;
        return -1;
    }

    /// <summary>Takes over what an epoch took and gave back. Returns by how much that changes the number of pages kept.</summary>
    public int Apply(SpaceDelta.Part part)
    {
        var before = Count(Kept);
        if (part.Fresh != null)
        {
            for (var i = 0; i < Words; i++)
            {
                Kept[i] |= part.Fresh[i];
            }
        }

        if (part.Dropped != null)
        {
            HeldNew = HeldNew != null ? HeldNew : NewBitmap();
            for (var i = 0; i < Words; i++)
            {
                Kept[i] &= ~part.Dropped[i];
                HeldNew[i] |= part.Dropped[i];
            }
        }

        return Count(Kept) - before;
    }

    /// <summary>Makes what an epoch took, and will never be committed, free again. Returns how many pages that is.</summary>
    public int Abandon(SpaceDelta.Part part)
    {
        var count = 0;
        if (part.Fresh != null)
        {
            for (var i = 0; i < Words; i++)
            {
                Taken[i] &= ~part.Fresh[i];
                count += BitOperations.PopCount(part.Fresh[i]);
            }

            FreeCount += count;
        }

        return count;
    }

    /// <summary>The root is durable: what the one before its predecessor needed alone can be given out. Returns how many pages that is.</summary>
    public int Release()
    {
        var count = 0;
        if (HeldOld != null)
        {
            for (var i = 0; i < Words; i++)
            {
                Taken[i] &= ~HeldOld[i];
                count += BitOperations.PopCount(HeldOld[i]);
            }

            HeldOld = FreeBitmap(HeldOld);
            FreeCount += count;
        }

        HeldOld = HeldNew;
        HeldNew = null;
        return count;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Taken = FreeBitmap(Taken);
        Kept = FreeBitmap(Kept);
        HeldNew = FreeBitmap(HeldNew);
        HeldOld = FreeBitmap(HeldOld);
    }

    public static ulong* NewBitmap() => (ulong*)NativeMemory.AllocZeroed(FileLayout.PageSize);

    private static ulong* FreeBitmap(ulong* bitmap)
    {
        NativeMemory.Free(bitmap);
        return null;
    }
}
