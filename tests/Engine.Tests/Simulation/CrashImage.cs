namespace Everheap.Engine.Tests.Simulation;

/// <summary>Builds what a disk holds after a crash, from what was durable and what was still unflushed.</summary>
internal static class CrashImage
{
    private const int SectorSize = 512;
    private const int TornPageSize = 4096;

    public static SparseImage Build(SparseImage durable, IReadOnlyList<UnflushedIo> unflushed, CrashFlavour flavour, Random random)
    {
        IEnumerable<UnflushedIo> survivors = flavour switch
        {
            CrashFlavour.LoseAll => [],
            CrashFlavour.KeepAll => unflushed,
            CrashFlavour.KeepPrefix => unflushed.Take(random.Next(unflushed.Count + 1)),
            CrashFlavour.KeepOnlyLast => unflushed.TakeLast(1),
            CrashFlavour.LoseOne => AllButOne(unflushed, random),
            CrashFlavour.AnySubset => Subset(unflushed, random),
            CrashFlavour.AnySubsetReordered => Shuffled(Subset(unflushed, random), random),
            CrashFlavour.TornSectors => Subset(Pieces(unflushed, SectorSize), random),
            CrashFlavour.TornPages => Shuffled(Subset(Pieces(unflushed, TornPageSize), random), random),
            CrashFlavour.TornLast => LastTorn(unflushed, random),
            _ => throw new ArgumentOutOfRangeException(nameof(flavour)),
        };
        SparseImage image = durable.Copy();
        foreach (UnflushedIo io in survivors)
        {
            io.ApplyTo(image);
        }

        image.DropBytesPastTheEnd();
        return image;
    }

    private static List<UnflushedIo> Subset(IEnumerable<UnflushedIo> all, Random random)
    {
        // The chance itself is drawn, so that nearly all and nearly nothing are as common as half.
        double chance = random.NextDouble();
        return [.. all.Where(_ => random.NextDouble() < chance)];
    }

    private static UnflushedIo[] Shuffled(List<UnflushedIo> list, Random random)
    {
        UnflushedIo[] array = [.. list];
        random.Shuffle(array);
        return array;
    }

    private static IEnumerable<UnflushedIo> AllButOne(IReadOnlyList<UnflushedIo> all, Random random)
    {
        int lost = all.Count == 0 ? -1 : random.Next(all.Count);
        return all.Where((_, index) => index != lost);
    }

    private static IEnumerable<UnflushedIo> LastTorn(IReadOnlyList<UnflushedIo> all, Random random)
    {
        if (all.Count == 0)
        {
            return [];
        }

        List<UnflushedIo> last = [.. Pieces([all[^1]], SectorSize)];
        return all.Take(all.Count - 1).Concat(last.Take(random.Next(last.Count + 1)));
    }

    /// <summary>Cuts writes at multiples of a size of the file, the way a disk would; resizes stay whole.</summary>
    private static IEnumerable<UnflushedIo> Pieces(IEnumerable<UnflushedIo> all, int size)
    {
        foreach (UnflushedIo io in all)
        {
            if (io.Bytes is null)
            {
                yield return io;
                continue;
            }

            for (int start = 0; start < io.Bytes.Length;)
            {
                int end = (int)Math.Min(io.Bytes.Length, ((((io.Offset + start) / size) + 1) * size) - io.Offset);
                yield return new UnflushedIo(io.Offset + start, io.Bytes[start..end]);
                start = end;
            }
        }
    }
}
