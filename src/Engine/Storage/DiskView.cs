using System.IO.Hashing;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Everheap.Engine.Storage;

/// <summary>Lays the structs of DiskStructures.cs over bytes, and hashes them.</summary>
internal static class DiskView
{
    /// <summary>The struct that starts at the first of these bytes.</summary>
    public static ref T As<T>(Span<byte> bytes)
        where T : unmanaged => ref MemoryMarshal.AsRef<T>(bytes);

    /// <summary>The bytes of a struct.</summary>
    public static Span<byte> Bytes<T>(ref T structure)
        where T : unmanaged => MemoryMarshal.AsBytes(new Span<T>(ref structure));

    /// <summary>XXH3-64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Hash(ReadOnlySpan<byte> bytes) => XxHash3.HashToUInt64(bytes);

    /// <summary>The hash of a struct that carries its own: taken with that field zero, and left as it was.</summary>
    public static ulong HashWithout<T>(ref T structure, ref ulong checksum)
        where T : unmanaged
    {
        var kept = checksum;
        checksum = 0;
        var hash = Hash(Bytes(ref structure));
        checksum = kept;
        return hash;
    }
}
