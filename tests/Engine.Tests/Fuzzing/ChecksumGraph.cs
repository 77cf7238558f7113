using System.Buffers.Binary;
using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>
/// Which word of which page of a store is the checksum of which other page. So a page can be changed and everything above it made to match again,
/// up to the roots, without knowing what any of the pages means: the format may grow, and this still holds.
/// </summary>
/// <remarks>
/// Rests on few rules of the format: checksums are XXH3-64 of whole pages in aligned words; a reference to a place is the word before its checksum;
/// records that check themselves have their checksum in their second or third word; the roots are first in the file, and have a number in their fourth word.
/// </remarks>
internal sealed class ChecksumGraph
{
    private const int WordBytes = sizeof(ulong);
    private const int Words = FileLayout.PageSize / WordBytes;

    private const int RootNumberWord = 3;

    private static readonly int[] SelfCheckedSizes = [FileLayout.PageSize, 512];
    private static readonly int[] SelfChecksumWords = [1, 2];

    private readonly Dictionary<long, List<(long Page, int Word)>> _referrers = [];
    private readonly Dictionary<long, (int Size, int Word)> _selfChecked = [];
    private readonly byte[] _page = new byte[FileLayout.PageSize];

    public ChecksumGraph(SparseImage image)
    {
        Pages = [.. image.OccupiedOffsets().Select(offset => offset / FileLayout.PageSize)];
        Dictionary<ulong, List<long>> byName = [];
        foreach (long page in Pages)
        {
            image.Read(page * FileLayout.PageSize, _page);
            if (FindSelfChecksum() is { } self)
            {
                _selfChecked[page] = self;
            }

            ulong name = Name(page);
            if (name != 0)
            {
                byName.TryAdd(name, []);
                byName[name].Add(page);
            }
        }

        HashSet<long> structures = [.. _selfChecked.Keys];
        Dictionary<long, List<long>> below = [];
        foreach (long page in Pages)
        {
            image.Read(page * FileLayout.PageSize, _page);
            below[page] = [];
            if (_page.AsSpan().Count((byte)0) > FileLayout.PageSize / 4)
            {
                structures.Add(page);
            }

            for (int word = 0; word < Words; word++)
            {
                if (byName.TryGetValue(Word(word), out List<long>? named))
                {
                    // Pages of the same content have the same checksum; mostly the place says which is meant.
                    List<long> exact = word == 0 ? [] : named.FindAll(candidate => (ulong)candidate == Word(word - 1));
                    foreach (long target in exact.Count > 0 ? exact : named)
                    {
                        if (target != page)
                        {
                            Referrers(target).Add((page, word));
                            below[page].Add(target);
                            structures.Add(page);
                        }
                    }
                }
            }
        }

        HashSet<long> live = [];
        Reach(NewestRoot(image), below, live);
        Structures = [.. structures.Order()];
        LiveStructures = [.. structures.Intersect(live).Order()];
    }

    /// <summary>The pages that hold something.</summary>
    public IReadOnlyList<long> Pages { get; }

    /// <summary>Those of them that are more than content, by the looks of it: they refer to others, check themselves, or are mostly zeros.</summary>
    public IReadOnlyList<long> Structures { get; }

    /// <summary>Those of these that the newest root reaches, with it.</summary>
    public IReadOnlyList<long> LiveStructures { get; }

    /// <summary>Makes every checksum above a changed page match again.</summary>
    public void Repair(SparseImage image, long page)
    {
        image.Read(page * FileLayout.PageSize, _page);
        if (_selfChecked.TryGetValue(page, out (int Size, int Word) self))
        {
            SetWord(self.Word, 0);
            SetWord(self.Word, DiskView.Hash(_page.AsSpan(0, self.Size)));
            image.Write(page * FileLayout.PageSize, _page);
        }

        ulong name = Name(page);
        if (!_referrers.TryGetValue(page, out List<(long Page, int Word)>? referrers))
        {
            return;
        }

        byte[] bytes = new byte[WordBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, name);
        foreach ((long referrer, int word) in referrers)
        {
            image.Write((referrer * FileLayout.PageSize) + (word * WordBytes), bytes);
        }

        foreach (long referrer in referrers.Select(reference => reference.Page).Distinct())
        {
            Repair(image, referrer);
        }
    }

    private long NewestRoot(SparseImage image) => Pages.Where(page => page < FileLayout.SlotCount).MaxBy(page =>
    {
        image.Read(page * FileLayout.PageSize, _page);
        return Word(RootNumberWord);
    });

    private static void Reach(long page, Dictionary<long, List<long>> below, HashSet<long> reached)
    {
        if (reached.Add(page))
        {
            // Older roots are named by newer ones, but not part of what these are.
            foreach (long target in below[page].Where(target => target >= FileLayout.SlotCount))
            {
                Reach(target, below, reached);
            }
        }
    }

    private List<(long Page, int Word)> Referrers(long page)
    {
        if (!_referrers.TryGetValue(page, out List<(long Page, int Word)>? referrers))
        {
            _referrers[page] = referrers = [];
        }

        return referrers;
    }

    /// <summary>What others know the page by that is in the buffer: its own checksum if all of it is under that one, else the checksum of the page.</summary>
    private ulong Name(long page) =>
        _selfChecked.TryGetValue(page, out (int Size, int Word) self) && self.Size == FileLayout.PageSize ? Word(self.Word) : DiskView.Hash(_page);

    private (int Size, int Word)? FindSelfChecksum()
    {
        foreach (int size in SelfCheckedSizes)
        {
            foreach (int word in SelfChecksumWords)
            {
                ulong given = Word(word);
                SetWord(word, 0);
                ulong expected = DiskView.Hash(_page.AsSpan(0, size));
                SetWord(word, given);
                if (given == expected)
                {
                    return (size, word);
                }
            }
        }

        return null;
    }

    private ulong Word(int index) => BinaryPrimitives.ReadUInt64LittleEndian(_page.AsSpan(index * WordBytes));

    private void SetWord(int index, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_page.AsSpan(index * WordBytes), value);
}
