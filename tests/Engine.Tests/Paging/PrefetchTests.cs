using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Paging;

/// <summary>Which pages were used last, and having them at hand when the heap is opened again.</summary>
[TestFixture]
internal sealed unsafe class PrefetchTests
{
    private const ulong PageSize = PersistentHeap.PageSize;
    private const ulong Start = SimulatedStores.Address;
    private const int Pages = 3000;

    /// <summary>Between two pages that are looked at: they are in leaves of their own, some in nodes of their own.</summary>
    private const ulong Stride = 300 * PageSize;

    [Test]
    public void What_is_read_was_prefetched_and_little_else()
    {
        using var medium = new PrefetchedMedium(new SimulatedMedium(1, Image()));
        using HeapStore store = HeapStore.Open(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        HeapRange[] wanted = [new(Start + (100 * Stride), PageSize), new(Start, 40 * Stride), new(Start + (200 * Stride) + 7, 1)];

        heap.Prefetch(wanted);
        heap.Prefetching.Wait();

        long[] inPages = Places(heap, medium, [.. Enumerable.Range(0, 40), 100, 200]);
        Assert.Multiple(() =>
        {
            Assert.That(inPages.Where(offset => !medium.IsPrefetched(offset)), Is.Empty);
            Assert.That(heap.Statistics.Evictions, Is.Zero, "nothing becomes resident for it");
            Assert.That(Places(heap, medium, [.. Enumerable.Range(300, 500)]).Count(medium.IsPrefetched), Is.LessThan(100));
        });
    }

    [Test]
    public void What_was_never_written_costs_nothing()
    {
        using var medium = new PrefetchedMedium(new SimulatedMedium(1, Image()));
        using HeapStore store = HeapStore.Open(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        using PersistentHeap empty = store.CreateHeap("empty");

        heap.Prefetch([new HeapRange(1UL << 46, 1UL << 44)]);
        heap.Prefetching.Wait();
        empty.Prefetch([new HeapRange(0, 1UL << 40)]);
        empty.Prefetching.Wait();

        Assert.That(medium.PrefetchedBytes, Is.LessThanOrEqualTo(256 * (long)PageSize), "the children of the root at most");
    }

    [Test]
    public void Ranges_past_the_end_are_refused()
    {
        using HeapStore store = HeapStore.Create(new SimulatedMedium(1), SimulatedStores.Smallest);
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);

        Assert.That(() => heap.Prefetch([new HeapRange(PersistentHeap.AddressSpaceBytes - 1, 2)]), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => heap.RecentRanges(0), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Closing_the_heap_ends_it()
    {
        using var medium = new PrefetchedMedium(new SimulatedMedium(1, Image()));
        using HeapStore store = HeapStore.Open(medium, SimulatedStores.Smallest);
        PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        medium.Hold();
        heap.Prefetch([.. Enumerable.Range(0, Pages).Select(page => new HeapRange(Start + ((ulong)page * Stride), PageSize))]);
        Task closing = Task.Run(heap.Dispose);
        SpinWait.SpinUntil(() => heap.IsClosing);
        medium.Release();
        closing.Wait();

        Assert.That(medium.Prefetches, Is.LessThan(100));
    }

    [Test]
    public void Damage_is_told_to_whoever_reads_there()
    {
        SparseImage image = Image();
        using var intact = new PrefetchedMedium(new SimulatedMedium(1, image));
        using (HeapStore store = HeapStore.Open(intact, SimulatedStores.Smallest))
        {
            using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
            intact.Forget();
            heap.Read(Start + (5 * Stride), new byte[1]);
        }

        // Of what the first access reads, the page's leaf comes right before the page.
        long leaf = intact.Reads[^2];
        using var medium = new SimulatedMedium(1, image);
        byte[] page = new byte[PageSize];
        medium.Read(leaf, page);
        page[17] ^= 1;
        medium.Write(leaf, page);
        var lines = new List<string>();
        using HeapStore damaged = HeapStore.Open(medium, new HeapStoreOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin, Logger = new ListLogger(lines) });
        using PersistentHeap opened = damaged.OpenHeap(SimulatedStores.HeapName);

        opened.Prefetch([new HeapRange(Start + (5 * Stride), PageSize)]);
        opened.Prefetching.Wait();

        Assert.Multiple(() =>
        {
            Assert.That(lines.Count(line => line.Contains("not prefetched", StringComparison.Ordinal)), Is.EqualTo(1));
            Assert.That(() => opened.Read(Start + (5 * Stride), new byte[1]), Throws.TypeOf<HeapCorruptedException>());
        });
    }

    [Test]
    public void It_is_the_checkpoint_that_is_prefetched_while_the_heap_goes_on()
    {
        using var medium = new PrefetchedMedium(new SimulatedMedium(1, Image()));
        using HeapStore store = HeapStore.Open(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        medium.Hold();
        heap.Prefetch([new HeapRange(Start, Pages * Stride)]);
        for (int version = 2; version < 6; version++)
        {
            for (int page = 0; page < Pages; page += 3)
            {
                SimulatedStores.Fill(heap, Start + ((ulong)page * Stride), 1, version);
            }

            heap.Checkpoint();
        }

        medium.Release();
        heap.Prefetching.Wait();

        Assert.That(heap.Prefetching.IsCompletedSuccessfully);
        Assert.That(store.Verify().Problems, Is.Empty);
    }

    [Test]
    public void Pages_that_were_used_are_known_and_those_that_changed_come_first()
    {
        using HeapStore store = HeapStore.Open(new SimulatedMedium(1, Image()), new HeapStoreOptions { ResidentBytes = 64 << 20 });
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        int[] used = [.. Enumerable.Range(0, 90).Select(number => number * 7)];
        foreach (int page in used)
        {
            heap.Read(Start + ((ulong)page * Stride), new byte[1]);
        }

        SimulatedStores.Fill(heap, Start + (700 * Stride), 1, version: 2);
        HashSet<ulong> all = [.. used.Select(page => Start + ((ulong)page * Stride)), Start + (700 * Stride)];

        Assert.Multiple(() =>
        {
            Assert.That(Addresses(heap.RecentRanges(1000)).Where(all.Contains), Is.EquivalentTo(all));
            Assert.That(Addresses(heap.RecentRanges(1000)), Has.Count.LessThan(all.Count + 8), "and few of the engine's own");
            Assert.That(Addresses(heap.RecentRanges(50)), Has.Count.EqualTo(50).And.Contain(Start + (700 * Stride)));
            Assert.That(Addresses(heap.RecentRanges(1)), Has.Count.EqualTo(1));
        });
    }

    [Test]
    public void Of_a_pinned_range_what_has_changed_is_known_until_the_call_after_the_next()
    {
        using HeapStore store = HeapStore.Open(new SimulatedMedium(1, Image()), new HeapStoreOptions { ResidentBytes = 64 << 20 });
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        using PinnedRange range = heap.PinRange(Start, 900 * PageSize);
        range.WriteSpan(3 * PageSize, 1)[0] = 1;
        heap.Checkpoint();
        range.WriteSpan(5 * PageSize, 1)[0] = 1;

        List<int>[] found = [.. Enumerable.Range(0, 4).Select(_ => InRange(heap.RecentRanges(1000)))];
        heap.Checkpoint();
        found = [.. found, InRange(heap.RecentRanges(1000))];

        Assert.That(found, Is.EqualTo(new List<int>[] { [3, 5], [3, 5], [5], [5], [5] }));
    }

    private static SparseImage Image()
    {
        var medium = new SimulatedMedium(1);
        using (HeapStore store = HeapStore.Create(medium, SimulatedStores.Smallest))
        {
            using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
            for (int page = 0; page < Pages; page++)
            {
                SimulatedStores.Fill(heap, Start + ((ulong)page * Stride), 1, version: 1);
            }

            heap.Checkpoint();
        }

        return medium.Current();
    }

    private static List<ulong> Addresses(IEnumerable<HeapRange> ranges) => [.. ranges.Select(range => range.Address)];

    private static List<int> InRange(IEnumerable<HeapRange> ranges) =>
        [.. ranges.Where(range => range.Address - Start < 900 * PageSize).Select(range => (int)((range.Address - Start) / PageSize)).Order()];

    // Where what is read of some pages lies: the pages, and the leaves above them.
    private static long[] Places(PersistentHeap heap, PrefetchedMedium medium, int[] pages)
    {
        var places = new List<long>();
        foreach (int page in pages)
        {
            medium.Forget();
            heap.Read(Start + ((ulong)page * Stride), new byte[1]);
            places.Add(medium.Reads[^1]);
        }

        return [.. places];
    }

    /// <summary>Notes what is read, and what it is told to prefetch.</summary>
    private sealed class PrefetchedMedium(IStorageMedium inner) : IStorageMedium
    {
        private readonly Lock _gate = new();
        private readonly ManualResetEventSlim _isFree = new(true);
        private readonly HashSet<long> _prefetched = [];

        public List<long> Reads { get; } = [];

        public int Prefetches { get; private set; }

        public long PrefetchedBytes => _prefetched.Count * (long)PageSize;

        public string Name => inner.Name;

        public bool IsReadOnly => inner.IsReadOnly;

        public long Length => inner.Length;

        public bool IsPrefetched(long offset) => _prefetched.Contains(offset);

        public void Hold() => _isFree.Reset();

        public void Release() => _isFree.Set();

        public void Forget()
        {
            lock (_gate)
            {
                Reads.Clear();
            }
        }

        public void Read(long offset, Span<byte> destination)
        {
            lock (_gate)
            {
                Reads.Add(offset);
            }

            inner.Read(offset, destination);
        }

        public void Prefetch(long offset, long length)
        {
            _isFree.Wait();
            Prefetches++;
            for (long at = offset; at < offset + length; at += (long)PageSize)
            {
                _prefetched.Add(at);
            }
        }

        public void Write(long offset, ReadOnlySpan<byte> source) => inner.Write(offset, source);

        public void Resize(long length) => inner.Resize(length);

        public void Flush() => inner.Flush();

        public void Dispose()
        {
            _isFree.Dispose();
            inner.Dispose();
        }
    }
}
