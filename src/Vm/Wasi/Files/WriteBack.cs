using Everheap.Vm.Wasi.State;

namespace Everheap.Vm.Wasi.Files;

/// <summary>
/// What a file on the host lacks to be the file in the heap. It describes a difference, not a history: applying it twice, or again after a
/// part of it, gives the same file.
/// </summary>
internal sealed class WriteBack
{
    private const long NoCut = long.MaxValue;

    /// <summary>Whether the host has no such file yet: what is under its name is to be replaced.</summary>
    public bool IsNew { get; set; }

    /// <summary>Whether the length changed.</summary>
    public bool IsResized { get; private set; }

    /// <summary>The shortest that the file was meanwhile: what the host has past it is to become zero before anything is written.</summary>
    public long Cut { get; private set; } = NoCut;

    /// <summary>Whether the program set the file's times and did not write since.</summary>
    public bool HasTimes { get; set; }

    /// <summary>The bytes that changed.</summary>
    public RangeSet Ranges { get; private set; } = new();

    /// <summary>Whether there is nothing to do.</summary>
    public bool IsEmpty => !IsNew && !IsResized && Cut == NoCut && !HasTimes && Ranges.IsEmpty;

    /// <summary>A whole file of some length.</summary>
    /// <param name="length">In bytes.</param>
    /// <returns>The difference to no file.</returns>
    public static WriteBack Whole(long length)
    {
        var whole = new WriteBack { IsNew = true, IsResized = true };
        whole.Ranges.Add(0, length);
        return whole;
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="reader">The state.</param>
    /// <returns>The difference.</returns>
    public static WriteBack Read(ref StateReader reader) => new()
    {
        IsNew = reader.Bool(),
        IsResized = reader.Bool(),
        Cut = reader.I64(),
        HasTimes = reader.Bool(),
        Ranges = RangeSet.Read(ref reader),
    };

    /// <summary>Writes the difference.</summary>
    /// <param name="writer">The state.</param>
    public void Write(StateWriter writer)
    {
        writer.Bool(IsNew);
        writer.Bool(IsResized);
        writer.I64(Cut);
        writer.Bool(HasTimes);
        Ranges.Write(writer);
    }

    /// <summary>Bytes were written.</summary>
    /// <param name="offset">Where.</param>
    /// <param name="count">How many.</param>
    /// <param name="isLonger">Whether the file grew.</param>
    public void Written(long offset, long count, bool isLonger)
    {
        Ranges.Add(offset, offset + count);
        IsResized |= isLonger;
        HasTimes = false;
    }

    /// <summary>The length was set.</summary>
    /// <param name="length">In bytes.</param>
    public void Resized(long length)
    {
        IsResized = true;
        Cut = Math.Min(Cut, length);
        HasTimes = false;
    }

    /// <summary>Adds an earlier difference, which did not get to the host after all or may not have.</summary>
    /// <param name="earlier">The earlier difference.</param>
    public void Add(WriteBack earlier)
    {
        IsNew |= earlier.IsNew;
        IsResized |= earlier.IsResized;
        Cut = Math.Min(Cut, earlier.Cut);
        HasTimes |= earlier.HasTimes;
        Ranges.Add(earlier.Ranges);
    }

    /// <summary>Takes out a part of the difference, to be applied first.</summary>
    /// <param name="bytesMax">The most bytes of content.</param>
    /// <returns>The part.</returns>
    public WriteBack Take(long bytesMax)
    {
        var taken = new WriteBack { IsNew = IsNew, IsResized = IsResized, Cut = Cut, Ranges = Ranges.Take(bytesMax) };
        IsNew = false;
        IsResized = false;
        Cut = NoCut;
        if (Ranges.IsEmpty)
        {
            taken.HasTimes = HasTimes;
            HasTimes = false;
        }

        return taken;
    }
}
