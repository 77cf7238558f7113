using System.Buffers.Binary;
using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>Changes stores at random, as accidents do, or as somebody does who knows the format and repairs every checksum.</summary>
internal sealed class StoreMutator(Random random)
{
    private const int EntryBytes = 16;
    private const int RecordBytes = 256;
    private const long LengthMax = 1L << 44;

    private readonly Mutator _mutator = new(random);

    /// <summary>As accidents do: bits, pages and lengths. Checksums are left as they are.</summary>
    public SparseImage Damage(FuzzStore store, FuzzStore donor)
    {
        SparseImage image = store.Image.Copy();
        for (int times = _mutator.Few(); times > 0; times--)
        {
            switch (random.Next(9))
            {
                case 0:
                    image.Flip((AnyPage(store) * FileLayout.PageSize) + random.Next(FileLayout.PageSize), random.Next(8));
                    break;
                case 1:
                    image.Flip((Structure(store) * FileLayout.PageSize) + random.Next(FileLayout.PageSize), random.Next(8));
                    break;
                case 2:
                    MutateBytes(image, store, donor);
                    break;
                case 3:
                    Swap(image, AnyPage(store), AnyPage(store));
                    break;
                case 4:
                    CopyPages(store.Image, AnyPage(store), image, AnyPage(store));
                    break;
                case 5:
                    long from = AnyPage(donor);
                    CopyPages(donor.Image, from, image, random.Next(2) == 0 ? from : AnyPage(store));
                    break;
                case 6:
                    // The roots of another store, or only some of them.
                    long root = random.Next(FileLayout.SlotCount);
                    CopyPages(donor.Image, root, image, random.Next(4) == 0 ? random.Next(FileLayout.SlotCount) : root);
                    break;
                case 7:
                    image.Resize(random.Next(2) == 0 ? random.NextInt64(image.Length + 1) : (random.NextInt64(image.Length + 1) & -FileLayout.PageSize));
                    break;
                default:
                    image.Resize(random.Next(4) == 0 ? Math.Min(LengthMax, image.Length << random.Next(1, 25)) : image.Length + random.Next(1 << 24));
                    break;
            }
        }

        image.DropBytesPastTheEnd();
        return image;
    }

    /// <summary>As somebody does who knows the format: fields, entries and records take other values, and all checksums match.</summary>
    public SparseImage Forge(FuzzStore store)
    {
        SparseImage image = store.Image.Copy();
        byte[] page = new byte[FileLayout.PageSize];
        for (int times = _mutator.Few(); times > 0; times--)
        {
            long target = random.Next(10) == 0 ? AnyPage(store) : LiveStructure(store);
            image.Read(target * FileLayout.PageSize, page);
            ForgePage(page, image, store);
            image.Write(target * FileLayout.PageSize, page);
            store.Checksums.Repair(image, target);
        }

        if (random.Next(8) == 0)
        {
            // Room for references that lead far beyond what was there.
            image.Resize(Math.Min(LengthMax, image.Length << random.Next(1, 25)));
        }

        return image;
    }

    private void ForgePage(byte[] page, SparseImage image, FuzzStore store)
    {
        switch (random.Next(8))
        {
            case 0:
                page[random.Next(page.Length)] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
            case 2:
                MutateUsedNumber(page);
                break;
            case 3:
                // Somewhere else, or somewhere that is not there.
                BinaryPrimitives.WriteUInt64LittleEndian(
                    UsedWord(page),
                    random.Next(3) == 0 ? (ulong)(image.Length / FileLayout.PageSize) + (ulong)random.Next(-2, 3) : (ulong)AnyPage(store));
                break;
            case 4:
                MoveWithin(page, EntryBytes);
                break;
            case 5:
                MoveWithin(page, RecordBytes);
                break;
            case 6:
                byte[] other = new byte[FileLayout.PageSize];
                image.Read(LiveStructure(store) * FileLayout.PageSize, other);
                int size = random.Next(3) == 0 ? FileLayout.PageSize : random.Next(2) == 0 ? EntryBytes : RecordBytes;
                other.AsSpan(Slot(size), size).CopyTo(page.AsSpan(Slot(size)));
                break;
            default:
                _mutator.MutateInPlace(page);
                break;
        }
    }

    /// <summary>A number that means something, most likely: zeros are mostly unused room.</summary>
    private void MutateUsedNumber(Span<byte> page)
    {
        Span<byte> word = UsedWord(page);
        _mutator.MutateNumber(word, aligned: true);
    }

    private Span<byte> UsedWord(Span<byte> page)
    {
        int at = Slot(sizeof(ulong));
        for (int tries = 0; tries < 64 && BinaryPrimitives.ReadUInt64LittleEndian(page[at..]) == 0; tries++)
        {
            at = Slot(sizeof(ulong));
        }

        return page.Slice(at, sizeof(ulong));
    }

    private void MoveWithin(byte[] page, int size)
    {
        int from = Slot(size);
        int to = Slot(size);
        byte[] kept = page[to..(to + size)];
        page.AsSpan(from, size).CopyTo(page.AsSpan(to));
        if (random.Next(2) == 0)
        {
            kept.CopyTo(page.AsSpan(from));
        }
    }

    private int Slot(int size) => random.Next(FileLayout.PageSize / size) * size;

    private void MutateBytes(SparseImage image, FuzzStore store, FuzzStore donor)
    {
        byte[] bytes = new byte[FileLayout.PageSize * random.Next(1, 5)];
        byte[] donated = new byte[bytes.Length];
        long at = AnyPage(store) * FileLayout.PageSize;
        image.Read(at, bytes);
        donor.Image.Read(AnyPage(donor) * FileLayout.PageSize, donated);
        image.Write(at, _mutator.MutateInPlace(bytes, donated));
    }

    private static void Swap(SparseImage image, long one, long other)
    {
        byte[] first = new byte[FileLayout.PageSize];
        byte[] second = new byte[FileLayout.PageSize];
        image.Read(one * FileLayout.PageSize, first);
        image.Read(other * FileLayout.PageSize, second);
        image.Write(one * FileLayout.PageSize, second);
        image.Write(other * FileLayout.PageSize, first);
    }

    private void CopyPages(SparseImage source, long from, SparseImage target, long to)
    {
        byte[] bytes = new byte[FileLayout.PageSize * (1 << random.Next(6))];
        source.Read(from * FileLayout.PageSize, bytes);
        target.Write(to * FileLayout.PageSize, bytes);
    }

    private long AnyPage(FuzzStore store) => store.Checksums.Pages[random.Next(store.Checksums.Pages.Count)];

    private long LiveStructure(FuzzStore store) => store.Checksums.LiveStructures[random.Next(store.Checksums.LiveStructures.Count)];

    private long Structure(FuzzStore store) => store.Checksums.Structures[random.Next(store.Checksums.Structures.Count)];
}
