using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// Where code that was compiled in a hurry stores its variables before it leaves (<see cref="CompiledCode.SaveSpilled"/>): locals by their numbers, then the operand stack's slots by their depths, one for each kind of
/// value that a depth may have.
/// </summary>
/// <param name="locals">How many locals the function has.</param>
internal readonly struct SpillPlaces(int locals)
{
    /// <summary>Bytes of a place: any value fits.</summary>
    private const int PlaceBytes = 16;

    /// <summary>Places for each depth of the operand stack: its variables are of different types.</summary>
    private const int PlacesPerDepth = 5;

    private const int LeftBits = 2;
    private const int AddressingBits = 2;

    /// <summary>A site's number, and how it is left (<see cref="LeftState"/>), in one argument.</summary>
    public static int Pack(int site, int left) => (site << LeftBits) | left;

    /// <summary>What <see cref="Pack"/> has put together.</summary>
    public static (int Site, int Left) Unpack(int packed) => (packed >> LeftBits, packed & ((1 << LeftBits) - 1));

    /// <summary>What the places of a function depend on, and by what its sites are numbered, in one argument.</summary>
    public static int PackShape(int locals, Addressing addressing) => (locals << AddressingBits) | (int)addressing;

    /// <summary>What <see cref="PackShape"/> has put together.</summary>
    public static (SpillPlaces Places, Addressing Addressing) UnpackShape(int shape) =>
        (new SpillPlaces(shape >> AddressingBits), (Addressing)(shape & ((1 << AddressingBits) - 1)));

    /// <summary>Bytes of all places where the operand stack has slots up to a depth.</summary>
    /// <exception cref="OverflowException">They are more than 2 GiB.</exception>
    public int BytesFor(int depths) => checked((locals + (depths * PlacesPerDepth)) * PlaceBytes);

    /// <summary>Where a local lies.</summary>
    public static int OffsetOfLocal(int local) => local * PlaceBytes;

    /// <summary>Where a slot lies.</summary>
    public int OffsetOfSlot(int depth, ValType type) => (locals + (depth * PlacesPerDepth) + KindOf(type)) * PlaceBytes;

    /// <summary>Where one of a site's values lies.</summary>
    public int OffsetOf(SiteValue value) => (value.IsStack ? OffsetOfSlot(value.Index, value.Type) : OffsetOfLocal(value.Index)) + (value.IsHighHalf ? sizeof(long) : 0);

    // As its variable's type is.
    private static int KindOf(ValType type) => type switch
    {
        ValType.I32 => 0,
        ValType.F32 => 1,
        ValType.F64 => 2,
        ValType.V128 => 3,
        _ => 4,
    };
}
