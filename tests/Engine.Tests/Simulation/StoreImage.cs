using System.Runtime.CompilerServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Tests.Simulation;

/// <summary>A reader of the format of its own, for tests that damage one particular structure: it follows docs/format.md and checks nothing.</summary>
internal sealed class StoreImage
{
    private readonly SparseImage _image;

    public StoreImage(SparseImage image)
    {
        _image = image;
        Slot = Enumerable.Range(0, FileLayout.SlotCount)
            .Where(slot => At<Superblock>(FileLayout.SuperblockOffset(slot)).Magic == FileLayout.SuperblockMagic)
            .MaxBy(slot => At<Superblock>(FileLayout.SuperblockOffset(slot)).Sequence);
        Root = At<Superblock>(FileLayout.SuperblockOffset(Slot));
        Catalog = At<CatalogPage>((long)Root.Catalog.Place * FileLayout.PageSize);
    }

    /// <summary>The slot of the newest root.</summary>
    public int Slot { get; }

    public Superblock Root { get; }

    public CatalogPage Catalog { get; }

    public long CatalogOffset => (long)Root.Catalog.Place * FileLayout.PageSize;

    public T At<T>(long offset)
        where T : unmanaged
    {
        byte[] bytes = new byte[Unsafe.SizeOf<T>()];
        _image.Read(offset, bytes);
        return DiskView.As<T>(bytes);
    }

    /// <summary>The nodes and pages of the first heap: level (0 for pages), first page number below, and offset in the file.</summary>
    public IEnumerable<(int Level, ulong PageNumber, long Offset)> Walk() => Walk(Catalog.Heaps[0].MapRoot, FileLayout.NodeLevels, 0);

    /// <summary>The slot of a region's bitmap that the newest root refers to, as an offset.</summary>
    public long BitmapOffset(int region)
    {
        SpaceEntry directory = Root.Groups[region / FileLayout.GroupRegions];
        DirectoryEntries entries = At<DirectoryEntries>(FileLayout.DirectoryOffset(region / FileLayout.GroupRegions, directory.Slot));
        return FileLayout.BitmapOffset(region, entries[region % FileLayout.GroupRegions].Slot);
    }

    /// <summary>The slot of a group's directory that the newest root refers to, as an offset.</summary>
    public long DirectoryOffset(int group) => FileLayout.DirectoryOffset(group, Root.Groups[group].Slot);

    private IEnumerable<(int Level, ulong PageNumber, long Offset)> Walk(MapEntry entry, int level, ulong pageNumber)
    {
        if (entry.Place == 0)
        {
            yield break;
        }

        long offset = (long)entry.Place * FileLayout.PageSize;
        yield return (level, pageNumber, offset);
        if (level == 0)
        {
            yield break;
        }

        for (int i = 0; i < FileLayout.NodeEntries; i++)
        {
            ulong below = pageNumber + ((ulong)i << ((level - 1) * FileLayout.NodeShift));
            foreach ((int, ulong, long) found in Walk(At<MapEntry>(offset + (i * MapEntry.Size)), level - 1, below))
            {
                yield return found;
            }
        }
    }
}
