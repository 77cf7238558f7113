using System.Text;

namespace Everheap.Engine.Storage;

/// <summary>The catalog of heaps and checkpoints: one page, rewritten by every checkpoint, reached from the root.</summary>
internal static class Catalog
{
    /// <summary>A catalog of nothing.</summary>
    public static CatalogPage NewPage() => new() { Magic = FileLayout.CatalogMagic };

    /// <summary>Whether the catalog that a root names is what was written there.</summary>
    public static bool IsIntact(StoreChannel channel, in Superblock root) => TryRead(channel, root, out _);

    /// <summary>Reads the catalog that a root names.</summary>
    public static bool TryRead(StoreChannel channel, in Superblock root, out CatalogPage page)
    {
        page = default;
        var place = root.Catalog.Place;
        if (place == 0 || place >= root.FileLength >> FileLayout.PageShift)
        {
            return false;
        }

        var bytes = DiskView.Bytes(ref page);
        channel.Read((long)(place << FileLayout.PageShift), bytes);
        return DiskView.Hash(bytes) == root.Catalog.Checksum
            && page.Magic == FileLayout.CatalogMagic
            && page.Sequence == root.Sequence
            && page.HeapCount <= FileLayout.CatalogHeapsMax
            && page.HistoryCount <= FileLayout.HistoryLengthMax;
    }

    /// <summary>The name of a heap.</summary>
    public static string Name(HeapRecord heap)
    {
        Span<byte> bytes = heap.Name;
        return Encoding.UTF8.GetString(bytes[..(int)Math.Min(heap.NameLength, (uint)bytes.Length)]);
    }

    /// <summary>A record for a new heap.</summary>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    public static HeapRecord NewHeap(uint id, string name)
    {
        var length = Encoding.UTF8.GetByteCount(name);
        if (length is 0 or > FileLayout.HeapNameBytesMax)
        {
            throw new ArgumentException($"A heap's name has 1 to {FileLayout.HeapNameBytesMax} bytes in UTF-8; this one has {length}.", nameof(name));
        }

        var heap = new HeapRecord { Id = id, NameLength = (uint)length, CreatedTicks = DateTime.UtcNow.Ticks };
        Encoding.UTF8.GetBytes(name, heap.Name);
        return heap;
    }

    /// <summary>Adds a checkpoint to the history, and forgets the oldest if there is no room.</summary>
    public static void AddToHistory(ref CatalogPage page, in CheckpointRecord record)
    {
        Span<CheckpointRecord> history = page.History;
        if (page.HistoryCount == FileLayout.HistoryLengthMax)
        {
            history[1..].CopyTo(history);
            page.HistoryCount--;
        }

        history[(int)page.HistoryCount++] = record;
    }

    /// <summary>The history, oldest first.</summary>
    public static IReadOnlyList<CheckpointInfo> History(CatalogPage page)
    {
        ReadOnlySpan<CheckpointRecord> history = page.History;
        var list = new List<CheckpointInfo>();
        foreach (var record in history[..(int)page.HistoryCount])
        {
            list.Add(ToInfo(record));
        }

        return list;
    }

    /// <summary>A record as the public API tells of it.</summary>
    public static CheckpointInfo ToInfo(in CheckpointRecord record) => new(
        (long)record.Number,
        ToTime(record.TimeTicks),
        (long)record.Pages,
        (long)record.Bytes,
        TimeSpan.FromTicks(record.PauseTicks),
        TimeSpan.FromTicks(record.DurationTicks));

    /// <summary>A time from disk; nonsense is brought into range instead of being an exception of its own.</summary>
    public static DateTimeOffset ToTime(long ticks) => new(Math.Clamp(ticks, 0, DateTime.MaxValue.Ticks), TimeSpan.Zero);
}
