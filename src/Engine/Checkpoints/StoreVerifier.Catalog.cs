using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

// The catalog: its own tree, the records in it, the maps they name, what waits to be reclaimed, and the counts of what is shared.
internal sealed partial class StoreVerifier
{
    private readonly Dictionary<ulong, MapEntry> _catalogPages = [];

    private void VerifyVersion1Catalog(CancellationToken cancellation)
    {
        if (!Version1Catalog.TryRead(channel, _root, out var catalog))
        {
            Report(VerifySubject.Catalog, -1, Offset(_root.Catalog), "the catalog does not match its checksum; no heap can be reached");
            return;
        }

        Reach(_root.Catalog, VerifySubject.Catalog, 0, level: 0, canBeShared: false);
        ReadOnlySpan<HeapRecord> heaps = catalog.Heaps;
        foreach (var heap in heaps[..(int)catalog.HeapCount])
        {
            VerifyMap(heap.MapRoot, heap.MappedPages, RecordText.Of(heap), _root.Sequence, cancellation);
        }
    }

    private void VerifyCatalog(CancellationToken cancellation)
    {
        var problemsBefore = _problemCount;
        var pages = VerifyNode(_root.Catalog, FileLayout.NodeLevels, 0, _catalogPages, cancellation);
        if (_problemCount > problemsBefore)
        {
            return; // what hangs on the damaged part is not known
        }

        if ((ulong)pages != _root.CatalogPages)
        {
            Report(VerifySubject.Catalog, -1, Offset(_root.Catalog), $"the root counts {_root.CatalogPages} pages of the catalog, its map has {pages}");
        }

        var header = ReadRecord<CatalogHeader>(CatalogLayout.HeaderAddress);
        if (header.Magic != CatalogLayout.HeaderMagic && _root.Sequence != 0)
        {
            Report(VerifySubject.Catalog, 0, Offset(_root.Catalog), "its first page is not a header");
            return;
        }

        var names = new Dictionary<uint, string>();
        var latest = new Dictionary<uint, ulong>();
        for (var slot = 0; slot < header.HeapSlots; slot++)
        {
            var heap = ReadRecord<HeapRecord>(CatalogLayout.HeapAddress(slot));
            if (heap.Id == 0)
            {
                continue;
            }

            var name = RecordText.Of(heap);
            if (!names.TryAdd(heap.Id, name) || heap.Id >= header.NextHeapId)
            {
                Report(VerifySubject.Catalog, -1, -1, $"heap record {slot} ('{name}') has the id {heap.Id}, which is another's or not given out");
            }

            latest[heap.Id] = heap.Number;
            VerifyMap(heap.MapRoot, heap.MappedPages, name, heap.Number, cancellation);
        }

        VerifyCheckpoints(header, names, latest, cancellation);
        for (uint i = 0; i < header.ReclaimCount; i++)
        {
            var record = ReadRecord<ReclaimRecord>(CatalogLayout.ReclaimEntryAddress(i));
            if (record.Level is 0 or > FileLayout.NodeLevels || record.Node.Place == 0)
            {
                Report(VerifySubject.Catalog, -1, -1, $"entry {i} of the reclaim stack cannot be: level {record.Level}, place {record.Node.Place}");
                continue;
            }

            VerifyNode(record.Node, (int)record.Level, 0, null, cancellation);
        }

        if (_problemCount == problemsBefore)
        {
            VerifyCounts(header); // where damage cut the walk short, the counts cannot agree
        }
    }

    private void VerifyCheckpoints(CatalogHeader header, Dictionary<uint, string> names, Dictionary<uint, ulong> latest, CancellationToken cancellation)
    {
        var seen = new HashSet<(uint, ulong)>();
        for (var slot = 0; slot < header.CheckpointSlots; slot++)
        {
            var checkpoint = ReadRecord<CheckpointRecord>(CatalogLayout.CheckpointAddress(slot));
            if (checkpoint.HeapId == 0)
            {
                continue;
            }

            if (!names.TryGetValue(checkpoint.HeapId, out var name) || checkpoint.Number > latest[checkpoint.HeapId] || !seen.Add((checkpoint.HeapId, checkpoint.Number)))
            {
                Report(VerifySubject.Catalog, -1, -1, $"checkpoint record {slot} (heap {checkpoint.HeapId}, number {checkpoint.Number}) is of no heap, of its future, or there twice");
                continue;
            }

            VerifyMap(checkpoint.MapRoot, checkpoint.MappedPages, name, checkpoint.Number, cancellation);
        }

        foreach (var (id, number) in latest)
        {
            if (!seen.Contains((id, number)))
            {
                Report(VerifySubject.Catalog, -1, -1, $"the latest checkpoint of heap '{names[id]}', {number}, has no record");
            }
        }
    }

    private void VerifyCounts(CatalogHeader header)
    {
        ulong shared = 0;
        var firstPage = CatalogLayout.CountsAddress >> FileLayout.PageShift;
        foreach (var (page, entry) in _catalogPages.Where(pair => pair.Key >= firstPage).OrderBy(pair => pair.Key))
        {
            if (!ReadAndCheck(entry, _page, VerifySubject.Catalog, (long)page))
            {
                continue;
            }

            for (var i = 0; i < FileLayout.PageSize / sizeof(uint); i++)
            {
                var count = DiskView.As<uint>(_page.AsSpan(i * sizeof(uint)));
                var place = ((page - firstPage) * (FileLayout.PageSize / sizeof(uint))) + (uint)i;
                _furtherReferences.Remove(place, out var found);
                shared += count == 0 ? 0u : 1u;
                if (count != found)
                {
                    Report(VerifySubject.Allocator, -1, (long)place << FileLayout.PageShift, $"{count} further references are counted to it, and {found} are there");
                }
            }
        }

        foreach (var (place, found) in _furtherReferences)
        {
            Report(VerifySubject.Allocator, -1, (long)place << FileLayout.PageShift, $"no further references are counted to it, and {found} are there");
        }

        if (shared != header.SharedPages)
        {
            Report(VerifySubject.Catalog, -1, -1, $"the catalog says that {header.SharedPages} pages are shared, and has counts of {shared}");
        }
    }

    /// <summary>A record of the catalog; zeros where the catalog has nothing.</summary>
    private T ReadRecord<T>(ulong address)
        where T : unmanaged
    {
        if (!_catalogPages.TryGetValue(address >> FileLayout.PageShift, out var entry) || !ReadAndCheck(entry, _page, VerifySubject.Catalog, (long)(address >> FileLayout.PageShift)))
        {
            return default;
        }

        return DiskView.As<T>(_page.AsSpan((int)(address & (FileLayout.PageSize - 1))));
    }
}
