using System.Diagnostics;
using System.Text;
using Everheap.Engine;

namespace Everheap.Vm.Execution;

/// <summary>
/// Which pages a machine used last, written beside it now and then, so that they are at hand when it is taken up again. Only a hint: it is of some earlier moment than the checkpoint that has it.
/// The record, in a range of its own: for each run of pages, in order, how many pages lie between it and the one before, and how many it has, both as numbers of 7 bits a byte, the low ones first.
/// </summary>
/// <param name="heap">The machine's heap.</param>
internal sealed class RecentPages(PersistentHeap heap)
{
    /// <summary>Pages that are written down at most: 128 MiB.</summary>
    private const int PagesMax = 32_768;

    /// <summary>Fewer are at hand soon enough anyway: 1 MiB.</summary>
    private const int PagesMin = 256;

    /// <summary>Pages in between that are taken along.</summary>
    private const ulong GapMax = 4;

    /// <summary>Bytes of the record at most; of what is longer, the end is left out.</summary>
    private const int BytesMax = 64 << 10;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private byte[] _written = [];
    private Task<byte[]>? _next;
    private long _askedAt;

    /// <summary>
    /// Writes the pages down, if it is time. What takes long, sorting them, is done beside the program: what is written was looked at one call before.
    /// </summary>
    /// <param name="header">Says where the record is.</param>
    /// <param name="isLast">Whether the machine stops here: then it is time, and it is waited for.</param>
    public void Save(MachineHeader header, bool isLast)
    {
        if (_next is { IsCompleted: true } ready && !isLast)
        {
            _next = null;
            Write(header, ready.Result);
        }

        if (isLast || (_next is null && (_askedAt == 0 || Stopwatch.GetElapsedTime(_askedAt) >= Interval)))
        {
            _askedAt = Stopwatch.GetTimestamp();
            IReadOnlyList<HeapRange> ranges = heap.RecentRanges(PagesMax);
            if (ranges.Count < PagesMin)
            {
                return;
            }

            if (isLast)
            {
                Write(header, Encode(ranges));
            }
            else
            {
                _next = Task.Run(() => Encode(ranges));
            }
        }
    }

    /// <summary>Has what a heap says was used last brought near.</summary>
    /// <param name="heap">The machine's heap, just opened.</param>
    /// <param name="header">Says where the record is.</param>
    /// <param name="first">What is needed before that: it will be read from the start to the end.</param>
    public static void Prefetch(PersistentHeap heap, MachineHeader header, IEnumerable<HeapRange> first)
    {
        byte[] record = [];
        if (header.RecentPagesAddress <= PersistentHeap.AddressEnd - BytesMax)
        {
            record = new byte[Math.Min(header.RecentPagesLength, BytesMax)];
            heap.Read(header.RecentPagesAddress, record);
        }

        HeapRange[] ranges = [.. first.Concat(Decode(record)).Where(range =>
            range.Address <= PersistentHeap.AddressSpaceBytes && range.Length <= PersistentHeap.AddressSpaceBytes - range.Address)];
        if (ranges.Sum(range => (double)range.Length) >= (double)PagesMin * PersistentHeap.PageSize)
        {
            heap.Prefetch(ranges);
        }
    }

    /// <summary>The record of some pages.</summary>
    internal static byte[] Encode(IEnumerable<HeapRange> ranges)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        ulong behind = 0;
        long length = 0;
        foreach ((ulong first, ulong end) in Merge(ranges))
        {
            writer.Write7BitEncodedInt64((long)(first - behind));
            writer.Write7BitEncodedInt64((long)(end - first));
            if (stream.Length > BytesMax)
            {
                break;
            }

            length = stream.Length;
            behind = end;
        }

        return stream.ToArray()[..(int)length];
    }

    /// <summary>The ranges of a record; of one that makes no sense, those up to there.</summary>
    internal static List<HeapRange> Decode(byte[] record)
    {
        const ulong EndPage = PersistentHeap.AddressSpaceBytes >> PersistentHeap.PageShift;
        using var reader = new BinaryReader(new MemoryStream(record, writable: false), Encoding.UTF8);
        var ranges = new List<HeapRange>();
        ulong page = 0;
        try
        {
            while (reader.BaseStream.Position < record.Length)
            {
                var gap = (ulong)reader.Read7BitEncodedInt64();
                var count = (ulong)reader.Read7BitEncodedInt64();
                if (gap > EndPage - page || count > EndPage - page - gap)
                {
                    break;
                }

                ranges.Add(new HeapRange((page + gap) << PersistentHeap.PageShift, count << PersistentHeap.PageShift));
                page += gap + count;
            }
        }
        catch (Exception exception) when (exception is EndOfStreamException or FormatException)
        {
            // It ends within a run.
        }

        return ranges;
    }

    private static IEnumerable<(ulong First, ulong End)> Merge(IEnumerable<HeapRange> ranges)
    {
        (ulong First, ulong End)? open = null;
        foreach (HeapRange range in ranges.OrderBy(range => range.Address))
        {
            ulong first = range.Address >> PersistentHeap.PageShift;
            ulong end = first + (range.Length >> PersistentHeap.PageShift);
            if (open is var (start, last) && first <= last + GapMax)
            {
                open = (start, Math.Max(last, end));
                continue;
            }

            if (open is { } run)
            {
                yield return run;
            }

            open = (first, end);
        }

        if (open is { } rest)
        {
            yield return rest;
        }
    }

    private void Write(MachineHeader header, byte[] record)
    {
        if (record.AsSpan().SequenceEqual(_written))
        {
            return;
        }

        if (header.RecentPagesAddress == 0)
        {
            header.RecentPagesAddress = heap.Allocate(BytesMax);
        }

        heap.Write(header.RecentPagesAddress, record);
        header.RecentPagesLength = (ulong)record.Length;
        _written = record;
    }
}
