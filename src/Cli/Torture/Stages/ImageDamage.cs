using Everheap.Engine;

namespace Everheap.Cli.Torture.Stages;

/// <summary>Ways in which a file may come back from a disk that did not keep what it was given, or from people.</summary>
internal static class ImageDamage
{
    private const int HeaderBytes = 16 * PersistentHeap.PageSize;
    private const long ExtensionMax = 4L << 20;

    private static readonly (string Name, Action<FileStream, string, Random> Apply)[] Kinds =
    [
        ("untouched", (_, _, _) => { }),
        ("cut short", (file, _, random) => file.SetLength(random.NextInt64(file.Length))),
        ("cut short near its end", (file, _, random) => file.SetLength(Math.Max(0, file.Length - random.NextInt64(ExtensionMax)))),
        ("cut to almost nothing", (file, _, random) => file.SetLength(random.Next(2 * PersistentHeap.PageSize))),
        ("longer by zeros", (file, _, random) => file.SetLength(file.Length + random.NextInt64(1, ExtensionMax))),
        ("longer by garbage", (file, _, random) => Put(file, file.Length, Garbage(random, random.Next(1, 64 << 10)))),
        ("one bit flipped", (file, _, random) => Flip(file, random, random.NextInt64(file.Length))),
        ("one bit flipped at the start", (file, _, random) => Flip(file, random, random.Next(HeaderBytes))),
        ("many bits flipped", (file, _, random) => Times(random.Next(2, 200), () => Flip(file, random, random.NextInt64(file.Length)))),
        ("pages zeroed", (file, _, random) => Times(random.Next(1, 40), () => Put(file, PageAt(file, random), new byte[PersistentHeap.PageSize]))),
        ("pages of garbage", (file, _, random) => Times(random.Next(1, 40), () => Put(file, PageAt(file, random), Garbage(random, PersistentHeap.PageSize)))),
        ("sectors of garbage", (file, _, random) => Times(random.Next(1, 40), () => Put(file, PageAt(file, random) + (512 * random.Next(8)), Garbage(random, 512)))),
        ("pages in each other's places", (file, _, random) => Times(random.Next(1, 20), () => Swap(file, random))),
        ("writes lost", (file, older, random) => LoseWrites(file, older, random)),
        ("the start lost", (file, older, _) => CopyFrom(older, file, 0, HeaderBytes)),
        ("garbage at the start", (file, _, random) => Put(file, 0, Garbage(random, random.Next(1, HeaderBytes)))),
        ("garbage all over", (file, _, random) => Put(file, 0, Garbage(random, (int)Math.Min(file.Length, 1 << 20)))),
    ];

    /// <summary>Damages a file in one way.</summary>
    /// <param name="path">The file, a copy.</param>
    /// <param name="olderPath">An older state of the same file.</param>
    /// <param name="random">Where from.</param>
    /// <returns>What was done, in words; <see cref="IsNone"/> tells whether that was nothing.</returns>
    public static string Apply(string path, string olderPath, Random random)
    {
        (string name, Action<FileStream, string, Random> apply) = Kinds[random.Next(Kinds.Length)];
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        apply(file, olderPath, random);
        return name;
    }

    /// <summary>Whether nothing was done, so that all must be there and sound.</summary>
    public static bool IsNone(string name) => name == Kinds[0].Name;

    private static void Times(int count, Action action)
    {
        for (int i = 0; i < count; i++)
        {
            action();
        }
    }

    private static long PageAt(FileStream file, Random random) => random.NextInt64(file.Length / PersistentHeap.PageSize) * PersistentHeap.PageSize;

    private static byte[] Garbage(Random random, int length)
    {
        byte[] bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    private static void Put(FileStream file, long offset, ReadOnlySpan<byte> bytes) => RandomAccess.Write(file.SafeFileHandle, bytes, offset);

    private static void Flip(FileStream file, Random random, long offset)
    {
        Span<byte> one = stackalloc byte[1];
        RandomAccess.Read(file.SafeFileHandle, one, offset);
        one[0] ^= (byte)(1 << random.Next(8));
        Put(file, offset, one);
    }

    private static void Swap(FileStream file, Random random)
    {
        (long first, long second) = (PageAt(file, random), PageAt(file, random));
        byte[] one = new byte[PersistentHeap.PageSize];
        byte[] other = new byte[PersistentHeap.PageSize];
        RandomAccess.Read(file.SafeFileHandle, one, first);
        RandomAccess.Read(file.SafeFileHandle, other, second);
        Put(file, first, other);
        Put(file, second, one);
    }

    /// <summary>Some of what was written since the older state did not arrive.</summary>
    private static void LoseWrites(FileStream file, string olderPath, Random random)
    {
        long length = Math.Min(file.Length, new FileInfo(olderPath).Length);
        Times(random.Next(1, 60), () =>
        {
            long offset = random.NextInt64(length / PersistentHeap.PageSize) * PersistentHeap.PageSize;
            CopyFrom(olderPath, file, offset, PersistentHeap.PageSize * random.Next(1, 8));
        });
    }

    private static void CopyFrom(string path, FileStream file, long offset, int length)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle older = File.OpenHandle(path);
        byte[] bytes = new byte[length];
        int read = RandomAccess.Read(older, bytes, offset);
        Put(file, offset, bytes.AsSpan(0, read));
    }
}
