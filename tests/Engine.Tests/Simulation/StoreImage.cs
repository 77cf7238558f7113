using System.Runtime.CompilerServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Tests.Simulation;

/// <summary>A reader of the format of its own, for tests that damage one particular structure: it follows docs/format.md and checks nothing.</summary>
internal sealed class StoreImage
{
    private const ulong FirstHeapPage = CatalogLayout.HeapsAddress / FileLayout.PageSize;
    private const ulong HeapPages = CatalogLayout.HeapCountMax * HeapRecord.Size / FileLayout.PageSize;

    private readonly SparseImage _image;

    public StoreImage(SparseImage image)
    {
        _image = image;
        Slot = Enumerable.Range(0, FileLayout.SlotCount)
            .Where(slot => At<Superblock>(FileLayout.SuperblockOffset(slot)).Magic == FileLayout.SuperblockMagic)
            .MaxBy(slot => At<Superblock>(FileLayout.SuperblockOffset(slot)).Sequence);
        Root = At<Superblock>(FileLayout.SuperblockOffset(Slot));
    }

    /// <summary>The slot of the newest root.</summary>
    public int Slot { get; }

    public Superblock Root { get; }

    /// <summary>The heaps that the newest root's catalog knows, by name.</summary>
    public IReadOnlyDictionary<string, HeapRecord> Heaps => WalkCatalog()
        .Where(place => place.Level == 0 && place.PageNumber >= FirstHeapPage && place.PageNumber < FirstHeapPage + HeapPages)
        .SelectMany(place => Enumerable.Range(0, FileLayout.PageSize / HeapRecord.Size).Select(i => At<HeapRecord>(place.Offset + (i * HeapRecord.Size))))
        .Where(heap => heap.Id != 0)
        .ToDictionary(heap => RecordText.Of(heap));

    public long CatalogOffset => (long)Root.Catalog.Place * FileLayout.PageSize;

    public T At<T>(long offset)
        where T : unmanaged
    {
        byte[] bytes = new byte[Unsafe.SizeOf<T>()];
        _image.Read(offset, bytes);
        return DiskView.As<T>(bytes);
    }

    /// <summary>The nodes and pages of the first heap: level (0 for pages), first page number below, and offset in the file.</summary>
    public IEnumerable<(int Level, ulong PageNumber, long Offset)> Walk() => Walk(Heaps.Values.First().MapRoot, FileLayout.NodeLevels, 0);

    /// <summary>The nodes and pages of the catalog.</summary>
    public IEnumerable<(int Level, ulong PageNumber, long Offset)> WalkCatalog() => Walk(Root.Catalog, FileLayout.NodeLevels, 0);

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
