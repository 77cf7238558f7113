using System.Runtime.CompilerServices;

namespace Everheap.Engine.Storage;

/// <summary>Recognizes what a crash in the middle of <see cref="HeapStore.Create(string, HeapStoreOptions?)"/> leaves: a file that never held a root.</summary>
/// <remarks>
/// Creating sets the length, flushes, and writes one thing: root 0. So what a crash leaves is shorter than that and zero throughout, or has that length and is zero but for some
/// bytes of root 0. Of those most are known. What any commit, any note or the holder's record wrote is not zero, and none of them is written before root 0 is durable: a file that has any of it, or
/// anything that a root 0 does not have in its place, is not taken for one.
/// </remarks>
internal static class UnfinishedCreation
{
    private const int ChunkBytes = 64 << 10;

    /// <summary>Whether the medium is empty, or holds an unfinished creation. Reads the first page of a store that has a root, and at most <see cref="FileLayout.FileLengthInitial"/>.</summary>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    public static bool IsOn(StoreChannel channel)
    {
        var length = channel.Length;
        if (length > FileLayout.FileLengthInitial || length % FileLayout.PageSize != 0)
        {
            return false;
        }

        var chunk = new byte[ChunkBytes];
        for (long offset = 0; offset < length; offset += chunk.Length)
        {
            var bytes = chunk.AsSpan(0, (int)Math.Min(chunk.Length, length - offset));
            channel.Read(offset, bytes);
            if (offset == 0 && length == FileLayout.FileLengthInitial && IsTornFirstRoot(bytes[..FileLayout.PageSize]))
            {
                bytes = bytes[FileLayout.PageSize..];
            }

            if (bytes.IndexOfAnyExcept((byte)0) >= 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether each byte is what a root 0 may have there, or zero, and it is not whole.</summary>
    private static bool IsTornFirstRoot(ReadOnlySpan<byte> page)
    {
        var root = Unsafe.ReadUnaligned<Superblock>(in page[0]);
        if (root.Checksum == DiskView.HashWithout(ref root, ref root.Checksum) || root.Version > FileLayout.Version)
        {
            return false;
        }

        // What may be anything is made equal; the version may be any that there was.
        var whole = new Superblock
        {
            Magic = FileLayout.SuperblockMagic,
            Version = root.Version,
            PageSize = FileLayout.PageSize,
            Checksum = root.Checksum,
            FileLength = (ulong)FileLayout.FileLengthInitial,
            StoreId = root.StoreId,
            TimeTicks = root.TimeTicks,
        };
        var expected = DiskView.Bytes(ref whole);
        for (var i = 0; i < page.Length; i++)
        {
            if (page[i] != 0 && page[i] != expected[i])
            {
                return false;
            }
        }

        return true;
    }
}
