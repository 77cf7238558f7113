using Everheap.Engine;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>Finds the sites of a function by number, as the code has them that made a record.</summary>
/// <param name="instance">The instance's number.</param>
/// <param name="function">The function's index.</param>
internal delegate Site[] SitesFinder(int instance, int function);

/// <summary>
/// The part of the call stack that lies in the heap: outermost frame first, growing upwards. A capture appends the frames that were running;
/// the driver takes the topmost off again when it goes on there. Frames below stay where they are, so that a capture costs what has run
/// since the last one, not the depth of the stack.
/// </summary>
internal sealed unsafe class CapturedStack(PersistentHeap heap, ulong address, ulong bytes, ulong bytesMax)
{
    /// <summary>Heap address space for the stack: the most that recursion may use before it is exhausted.</summary>
    public const ulong BytesMax = 256UL << 20;

    private const int StagingBytes = 64 << 10;

    private readonly CapturedFrames _frames = new(heap.Read, address);

    /// <summary>Where the stack begins in the heap.</summary>
    public ulong Address { get; } = address;

    /// <summary>How many bytes of frames it holds.</summary>
    public ulong Bytes { get; private set; } = bytes;

    /// <summary>Appends saved records, which lie innermost first, so that the innermost frame ends on top.</summary>
    /// <returns>False if the stack would grow beyond its limit; nothing is appended then.</returns>
    public bool TryAppend(byte* records, byte* end, SitesFinder sitesOf)
    {
        var starts = new List<nint>();
        ulong added = 0;
        for (byte* record = records; record < end; record += ((SavedRecord*)record)->Bytes)
        {
            starts.Add((nint)record);
            added += (ulong)FrameBytesOf((SavedRecord*)record, sitesOf);
        }

        if (Bytes + added > bytesMax)
        {
            return false;
        }

        var staging = new byte[(int)Math.Min(added, StagingBytes)];
        int staged = 0;
        for (int index = starts.Count - 1; index >= 0; index--)
        {
            var record = (SavedRecord*)starts[index];
            int size = FrameBytesOf(record, sitesOf);
            if (staged + size > staging.Length)
            {
                Flush(staging.AsSpan(0, staged));
                staged = 0;
                if (size > staging.Length)
                {
                    staging = new byte[size];
                }
            }

            WriteFrame(staging.AsSpan(staged, size), record, sitesOf(record->Instance, record->Function)[record->Site]);
            staged += size;
        }

        Flush(staging.AsSpan(0, staged));
        return true;
    }

    /// <summary>Appends a frame that stands before a function's first instruction.</summary>
    /// <param name="instance">Its instance's number.</param>
    /// <param name="function">The function.</param>
    /// <param name="entry">Its entry.</param>
    /// <param name="arguments">Its arguments, by units of 8 bytes: two for a vector.</param>
    public void PushEntry(int instance, int function, Site entry, ReadOnlySpan<ulong> arguments)
    {
        var frame = new byte[CapturedFrame.SizeOf(arguments.Length, 0)];
        CapturedFrame.WriteHead(frame, instance, function, entry, false, 0);
        for (int index = 0; index < arguments.Length; index++)
        {
            CapturedFrame.WriteValue(frame, index, entry.Values[index], false, arguments[index]);
        }

        Flush(frame);
    }

    /// <summary>Takes the topmost frame off.</summary>
    /// <param name="frame">The frame; valid until the next call.</param>
    /// <returns>False if there is none.</returns>
    /// <exception cref="HeapFormatException">What lies there is not a frame.</exception>
    public bool TryPop(out ReadOnlySpan<byte> frame)
    {
        ulong top = Bytes;
        if (!_frames.TryReadBelow(ref top, out frame))
        {
            return false;
        }

        Bytes = top;
        return true;
    }

    /// <summary>Reads the topmost frame, and leaves it where it is.</summary>
    /// <param name="frame">The frame; valid until the next call.</param>
    /// <returns>False if there is none.</returns>
    /// <exception cref="HeapFormatException">What lies there is not a frame.</exception>
    public bool TryPeek(out ReadOnlySpan<byte> frame)
    {
        ulong top = Bytes;
        return _frames.TryReadBelow(ref top, out frame);
    }

    /// <summary>Takes off all frames above a height.</summary>
    /// <param name="bytes">The height, in bytes: what <see cref="Bytes"/> was before they came.</param>
    public void Truncate(ulong bytes) => Bytes = Math.Min(Bytes, bytes);

    /// <summary>Takes frames up again that were popped, and have not been overwritten since.</summary>
    /// <param name="bytes">Where the stack ended before.</param>
    public void Reinstate(ulong bytes) => Bytes = bytes;

    /// <summary>Appends a frame that says where a function was, and holds no values.</summary>
    public void PushTrace(int instance, int function, int offset)
    {
        var frame = new byte[CapturedFrame.SizeOf(0, 0)];
        CapturedFrame.WriteHead(frame, instance, function, new Site(SiteKind.Call, offset, [], [], HasHandler: false, null), false, 0);
        Flush(frame);
    }

    /// <summary>Collects the values of a type that frames hold.</summary>
    /// <param name="type">The type.</param>
    /// <param name="values">Gets their bits.</param>
    public void AddValues(ValType type, HashSet<ulong> values)
    {
        for (ulong top = Bytes; _frames.TryReadBelow(ref top, out ReadOnlySpan<byte> frame);)
        {
            int count = CapturedFrame.ValueCountOf(frame) + CapturedFrame.ResultCountOf(frame);
            for (int position = 0; position < count; position++)
            {
                (SiteValue value, ulong bits) = CapturedFrame.ReadValue(frame, position);
                if (value.Type == type)
                {
                    values.Add(bits);
                }
            }
        }
    }

    private static int FrameBytesOf(SavedRecord* record, SitesFinder sitesOf)
    {
        Site site = sitesOf(record->Instance, record->Function)[record->Site];
        return CapturedFrame.SizeOf(site.Values.Length, record->CalleeReturned != 0 ? ValTypes.UnitsOf(site.Results) : 0);
    }

    private static void WriteFrame(Span<byte> frame, SavedRecord* record, Site site)
    {
        bool hasReturned = record->CalleeReturned != 0;
        var bits = (ulong*)((byte*)record + SavedRecord.HeadBytes);
        SiteValue[] results = hasReturned ? site.ResultUnits : [];
        CapturedFrame.WriteHead(frame, record->Instance, record->Function, site, hasReturned, results.Length);
        for (int index = 0; index < site.Values.Length; index++)
        {
            CapturedFrame.WriteValue(frame, index, site.Values[index], false, bits[index]);
        }

        for (int index = 0; index < results.Length; index++)
        {
            int position = site.Values.Length + index;
            CapturedFrame.WriteValue(frame, position, results[index], true, bits[position]);
        }
    }

    private void Flush(ReadOnlySpan<byte> frames)
    {
        heap.Write(Address + Bytes, frames);
        Bytes += (ulong)frames.Length;
    }
}
