using System.Runtime.InteropServices;
using Everheap.Engine;

namespace Everheap.Media.Tests.Histories;

/// <summary>
/// A history of a heap that follows from a seed alone: which pages its n-th checkpoint has changed, and to what. So whoever knows the seed and the number
/// of a checkpoint knows the content, in another process and after any crash: it is the model that stores are compared with.
/// </summary>
/// <param name="seed">The seed.</param>
/// <param name="pages">The pages that are written to, from <see cref="FirstPage"/> on.</param>
/// <param name="pagesEach">How many of them each checkpoint changes, at most.</param>
internal sealed class RandomHistory(int seed, int pages, int pagesEach)
{
    public const string HeapName = "history";

    private const ulong FirstPage = 1UL << 18;

    /// <summary>The budget of stores with such a history: much smaller than the history, so that pages are evicted between checkpoints, too.</summary>
    public static HeapStoreOptions Options => new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin };

    /// <summary>Writes what the checkpoint of this number has changed since the one before it. May be done again after a failure half-way.</summary>
    public void Write(PersistentHeap heap, long number)
    {
        byte[] content = new byte[PersistentHeap.PageSize];
        foreach (ulong page in Changed(number))
        {
            Fill(content, page, number);
            heap.Write(page * PersistentHeap.PageSize, content);
        }
    }

    /// <summary>Compares a whole heap with what the checkpoint of this number has to hold.</summary>
    public void AssertIs(PersistentHeap heap, long number)
    {
        Dictionary<ulong, long> lastChange = [];
        for (long earlier = 1; earlier <= number; earlier++)
        {
            foreach (ulong page in Changed(earlier))
            {
                lastChange[page] = earlier;
            }
        }

        byte[] found = new byte[PersistentHeap.PageSize];
        byte[] expected = new byte[PersistentHeap.PageSize];
        for (ulong page = FirstPage; page < FirstPage + (ulong)pages; page++)
        {
            heap.Read(page * PersistentHeap.PageSize, found);
            expected.AsSpan().Clear();
            if (lastChange.TryGetValue(page, out long change))
            {
                Fill(expected, page, change);
            }

            if (!found.AsSpan().SequenceEqual(expected))
            {
                throw new AssertionException($"Page {page} is not what checkpoint {number} has to hold (last changed by {change}; seed {seed}).");
            }
        }
    }

    private IEnumerable<ulong> Changed(long number)
    {
        Random random = new(unchecked((int)(((long)seed * 1_000_003) + number)));
        for (int i = random.Next(1, pagesEach + 1); i > 0; i--)
        {
            yield return FirstPage + (ulong)random.Next(pages);
        }
    }

    /// <summary>Bytes that hardly repeat, made in a moment (splitmix64).</summary>
    private void Fill(Span<byte> content, ulong page, long number)
    {
        ulong state = ((ulong)(uint)seed << 32) ^ (page * 0x9E3779B97F4A7C15) ^ ((ulong)number * 0xD1B54A32D192ED03);
        foreach (ref ulong word in MemoryMarshal.Cast<byte, ulong>(content))
        {
            state += 0x9E3779B97F4A7C15;
            ulong mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            word = mixed ^ (mixed >> 31);
        }
    }
}
