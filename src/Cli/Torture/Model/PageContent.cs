using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Model;

/// <summary>
/// The bytes of a page as a function of store, page and <see cref="PageValue"/>: whoever knows the numbers knows every byte, and a page that is torn, stale, of
/// another place or of another store shows.
/// </summary>
internal static class PageContent
{
    /// <summary>Where the part begins that is written alone; in bytes.</summary>
    public const int PatchOffset = 1488;

    /// <summary>The bytes of that part.</summary>
    public const int PatchLength = 1112;

    private const ulong Golden = 0x9E3779B97F4A7C15;
    private const ulong BodySalt = 0x42_4F_44_59;
    private const ulong PatchSalt = 0x50_41_54_43;

    /// <summary>Makes a page's bytes.</summary>
    /// <param name="page">The page, <see cref="PersistentHeap.PageSize"/> bytes.</param>
    /// <param name="salt">The store's number.</param>
    /// <param name="number">The page's number.</param>
    /// <param name="value">What it shows.</param>
    public static void Fill(Span<byte> page, int salt, ulong number, PageValue value)
    {
        Generate(page, salt, number, value.Body, BodySalt);
        FillPatch(page.Slice(PatchOffset, PatchLength), salt, number, value.Patch);
    }

    /// <summary>Makes the bytes of the part that is written alone.</summary>
    /// <param name="patch">The part, <see cref="PatchLength"/> bytes.</param>
    /// <param name="salt">The store's number.</param>
    /// <param name="number">The page's number.</param>
    /// <param name="write">The write.</param>
    public static void FillPatch(Span<byte> patch, int salt, ulong number, uint write) => Generate(patch, salt, number, write, PatchSalt);

    /// <summary>Finds which writes a page shows.</summary>
    /// <param name="page">The page.</param>
    /// <param name="salt">The store's number.</param>
    /// <param name="number">The page's number.</param>
    /// <param name="value">The writes that it claims to show.</param>
    /// <returns>Whether every byte is theirs.</returns>
    public static bool TryRead(ReadOnlySpan<byte> page, int salt, ulong number, out PageValue value)
    {
        value = new PageValue(BinaryPrimitives.ReadUInt32LittleEndian(page), BinaryPrimitives.ReadUInt32LittleEndian(page[PatchOffset..]));
        Span<byte> expected = stackalloc byte[PersistentHeap.PageSize];
        Fill(expected, salt, number, value);
        return page.SequenceEqual(expected);
    }

    /// <summary>The write's number, then what a generator makes of it.</summary>
    private static void Generate(Span<byte> bytes, int salt, ulong number, uint write, ulong part)
    {
        if (write == 0)
        {
            bytes.Clear();
            return;
        }

        ulong state = Mix((((ulong)(uint)salt << 32) | write) ^ Mix((number * Golden) + part));
        foreach (ref ulong word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            state += Golden;
            word = Mix(state);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(bytes, write);
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
