using System.Text;

namespace Everheap.Engine.Storage;

/// <summary>Names of heaps and checkpoints, and times, as they are on disk.</summary>
internal static class RecordText
{
    /// <summary>The text of a name.</summary>
    public static string Decode(HeapRecord.NameBytes name, uint length)
    {
        Span<byte> bytes = name;
        return Encoding.UTF8.GetString(bytes[..(int)Math.Min(length, (uint)bytes.Length)]);
    }

    /// <summary>The name of a heap.</summary>
    public static string Of(in HeapRecord heap) => Decode(heap.Name, heap.NameLength);

    /// <summary>A name as it goes into a record.</summary>
    /// <exception cref="ArgumentException">It is empty or too long.</exception>
    public static HeapRecord.NameBytes Encode(string name, out uint length)
    {
        var count = Encoding.UTF8.GetByteCount(name);
        if (count is 0 or > FileLayout.HeapNameBytesMax)
        {
            throw new ArgumentException($"A name has 1 to {FileLayout.HeapNameBytesMax} bytes in UTF-8; this one has {count}.", nameof(name));
        }

        HeapRecord.NameBytes bytes = default;
        Encoding.UTF8.GetBytes(name, bytes);
        length = (uint)count;
        return bytes;
    }

    /// <summary>A time from disk; nonsense is brought into range instead of being an exception of its own.</summary>
    public static DateTimeOffset ToTime(long ticks) => new(Math.Clamp(ticks, 0, DateTime.MaxValue.Ticks), TimeSpan.Zero);
}
