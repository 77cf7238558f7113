using Everheap.Cli.Torture.Model;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Workers;

/// <summary>Lists of pages: made in a worker from what a store serves, and read on the other side.</summary>
internal static class PageLists
{
    private const ulong EndOfPages = PersistentHeap.AddressEnd >> PersistentHeap.PageShift;

    /// <summary>Reads a page, and tells what it shows.</summary>
    /// <param name="read">How it is read.</param>
    /// <param name="salt">The store's number.</param>
    /// <param name="number">The page.</param>
    public static FoundPage Look(ReadBytes read, int salt, ulong number)
    {
        Span<byte> bytes = stackalloc byte[PersistentHeap.PageSize];
        read(number << PersistentHeap.PageShift, bytes);
        bool isWhole = PageContent.TryRead(bytes, salt, number, out PageValue value);
        return new FoundPage(number, isWhole ? PageState.Whole : PageState.Damaged, value);
    }

    /// <summary>All pages of a snapshot that hold something, without the engine's own.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="salt">The store's number.</param>
    /// <param name="count">How many there are, the engine's own included.</param>
    public static List<FoundPage> Of(HeapSnapshot snapshot, int salt, out long count)
    {
        var pages = new List<FoundPage>();
        count = 0;
        foreach (ulong number in snapshot.Pages())
        {
            count++;
            if (number < EndOfPages)
            {
                pages.Add(Look(snapshot.Read, salt, number));
            }
        }

        return pages;
    }

    /// <summary>Writes a list.</summary>
    public static void Write(BinaryWriter writer, IReadOnlyCollection<FoundPage> pages)
    {
        writer.Write(pages.Count);
        foreach (FoundPage page in pages)
        {
            writer.Write(page.Number);
            writer.Write((byte)page.State);
            writer.Write(page.Value.Body);
            writer.Write(page.Value.Patch);
        }
    }

    /// <summary>Reads a list.</summary>
    public static FoundPage[] Read(BinaryReader reader)
    {
        var pages = new FoundPage[reader.ReadInt32()];
        for (int i = 0; i < pages.Length; i++)
        {
            pages[i] = new FoundPage(reader.ReadUInt64(), (PageState)reader.ReadByte(), new PageValue(reader.ReadUInt32(), reader.ReadUInt32()));
        }

        return pages;
    }

    /// <summary>Reads from a heap or a snapshot.</summary>
    internal delegate void ReadBytes(ulong address, Span<byte> destination);
}
