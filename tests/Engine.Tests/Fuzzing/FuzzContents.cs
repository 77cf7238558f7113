using Everheap.Engine.Storage;

namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>
/// What the heaps of undamaged stores hold at each of their checkpoints: the model that whatever opens is compared with. Heaps of different stores have
/// different names, so that what got from one store into another is known for what it is.
/// </summary>
internal sealed class FuzzContents
{
    private readonly Dictionary<(string Heap, long Checkpoint), Dictionary<ulong, ulong>> _contents = [];
    private readonly Dictionary<string, HashSet<ulong>> _everWritten = [];

    /// <summary>Notes what a checkpoint holds: the checksums of its pages, by number.</summary>
    public void Add(string heap, long checkpoint, IReadOnlyDictionary<ulong, ulong> pages)
    {
        _contents[(heap, checkpoint)] = new Dictionary<ulong, ulong>(pages);
        if (!_everWritten.TryGetValue(heap, out HashSet<ulong>? written))
        {
            _everWritten[heap] = written = [];
        }

        written.UnionWith(pages.Keys);
    }

    /// <summary>What a checkpoint holds.</summary>
    public IReadOnlyDictionary<ulong, ulong> Of(string heap, long checkpoint) => _contents[(heap, checkpoint)];

    /// <summary>
    /// Compares pages with a checkpoint, in some order. A page that cannot be read is no failure, if <paramref name="isRefusal"/> says so; one that is served
    /// and is not what was written, or a checkpoint that there never was, is.
    /// </summary>
    /// <returns>Whether every page could be read.</returns>
    public bool Check(string heap, long checkpoint, Action<ulong, Span<byte>> read, Func<Exception, bool> isRefusal)
    {
        if (!_contents.TryGetValue((heap, checkpoint), out Dictionary<ulong, ulong>? pages))
        {
            throw new AssertionException($"wrong acceptance: there never was a checkpoint {checkpoint} of heap '{heap}'");
        }

        bool isWhole = true;
        byte[] content = new byte[PersistentHeap.PageSize];
        foreach (ulong page in _everWritten[heap])
        {
            try
            {
                read(page * PersistentHeap.PageSize, content);
            }
            catch (Exception exception) when (isRefusal(exception))
            {
                isWhole = false;
                continue;
            }

            bool isRight = pages.TryGetValue(page, out ulong expected) ? DiskView.Hash(content) == expected : content.AsSpan().IndexOfAnyExcept((byte)0) < 0;
            if (!isRight)
            {
                throw new AssertionException($"wrong acceptance: page {page} of heap '{heap}' is not what checkpoint {checkpoint} had there");
            }
        }

        return isWhole;
    }
}
