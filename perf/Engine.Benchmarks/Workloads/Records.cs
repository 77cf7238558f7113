using System.Runtime.InteropServices;

namespace Everheap.Engine.Benchmarks.Workloads;

/// <summary>
/// The values that every peer stores: they cannot be compressed, change with every write, and can be checked when they are read.
/// </summary>
internal static class Records
{
    public const int ValueBytes = 256;

    /// <summary>The value of a key, as of its so-many-th writing.</summary>
    public static void Fill(Span<byte> value, long key, long version)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(value);
        words[0] = (ulong)key;
        words[1] = (ulong)version;
        ulong state = Mix((ulong)key ^ Mix((ulong)version));
        for (int i = 2; i < words.Length; i++)
        {
            state += 0x9E3779B97F4A7C15;
            words[i] = Mix(state);
        }
    }

    /// <summary>Whether this is a value of the key, whole.</summary>
    public static bool IsValue(ReadOnlySpan<byte> value, long key)
    {
        Span<byte> expected = stackalloc byte[ValueBytes];
        Fill(expected, key, VersionOf(value));
        return value.SequenceEqual(expected);
    }

    /// <summary>Which writing of its key this claims to be.</summary>
    public static long VersionOf(ReadOnlySpan<byte> value) => MemoryMarshal.Cast<byte, long>(value)[1];

    /// <summary>Whether this claims to be a value of the key: cheap enough to check at every read.</summary>
    public static bool BelongsTo(ReadOnlySpan<byte> value, long key) => MemoryMarshal.Read<long>(value) == key;

    /// <summary>SplitMix64's finalizer (Steele, Lea, Flood, 2014).</summary>
    public static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
