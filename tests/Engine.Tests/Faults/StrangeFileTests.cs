using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Faults;

/// <summary>Files that are not stores, or no longer whole ones: a clear error, soon, and nothing changed.</summary>
[TestFixture]
internal sealed class StrangeFileTests
{
    private const int TimeoutMilliseconds = 20_000;

    private static readonly SparseImage Sound = SimulatedStores.Image();

    private static readonly long[] Lengths =
        [0, 1, 8, 511, 4095, 4096, 4097, 8192, 12_287, 12_288, 16_384, 65_536, 524_288, (1 << 20) - 1];

    [TestCaseSource(nameof(Lengths))]
    [CancelAfter(TimeoutMilliseconds)]
    public void A_truncated_store_is_refused_with_a_clear_error(long length)
    {
        SparseImage cut = Sound.Copy();
        cut.Resize(length);
        AssertRefused(cut);
    }

    [TestCaseSource(nameof(Lengths))]
    [CancelAfter(TimeoutMilliseconds)]
    public void Garbage_of_any_length_is_refused(long length)
    {
        SparseImage garbage = new();
        garbage.Resize(length);
        byte[] bytes = new byte[Math.Min(length, 256 << 10)];
        new Random((int)length).NextBytes(bytes);
        garbage.Write(0, bytes);
        garbage.DropBytesPastTheEnd();
        AssertRefused(garbage);
    }

    [Test]
    [CancelAfter(TimeoutMilliseconds)]
    public void A_file_of_zeros_is_refused()
    {
        SparseImage zeros = new();
        zeros.Resize(8 << 20);
        AssertRefused(zeros);
    }

    [Test]
    [CancelAfter(TimeoutMilliseconds)]
    public void An_extended_store_opens_with_all_it_had()
    {
        SparseImage extended = Sound.Copy();
        extended.Resize(Sound.Length + 12_345_678);
        byte[] junk = new byte[10_000];
        new Random(1).NextBytes(junk);
        extended.Write(Sound.Length + 100, junk);
        SimulatedMedium medium = new(1, extended);
        using HeapStore store = HeapStore.Open(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 40, version: 3);
        Assert.That(store.Verify().IsSound, Is.True);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 1000, version: 4);
        heap.Checkpoint();
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 1000, version: 4);
        SimulatedStores.Fill(heap, SimulatedStores.Address + (64UL << 20), 400, version: 5);
        Assert.That(ReadZero(heap, SimulatedStores.Address + (128UL << 20)), Is.True, "junk past the end is nobody's content");
    }

    [Test]
    [CancelAfter(TimeoutMilliseconds)]
    public void A_root_of_a_newer_version_is_refused_as_such()
    {
        SparseImage newer = Sound.Copy();
        int slot = new StoreImage(Sound).Slot;
        byte[] page = new byte[FileLayout.PageSize];
        newer.Read(FileLayout.SuperblockOffset(slot), page);
        ref Superblock root = ref DiskView.As<Superblock>(page);
        root.Version = FileLayout.Version + 1;
        root.Checksum = DiskView.HashWithout(ref root, ref root.Checksum);
        newer.Write(FileLayout.SuperblockOffset(slot), page);
        HeapFormatException refused = Assert.Throws<HeapFormatException>(() => Open(newer))!;
        Assert.That(refused.Message, Does.Contain("newer version"));
    }

    [Test]
    public void Random_bytes_over_any_page_of_a_store_never_do_worse_than_an_error()
    {
        Random random = new(7);
        byte[] junk = new byte[FileLayout.PageSize];
        foreach (long offset in Sound.OccupiedOffsets())
        {
            SparseImage damaged = Sound.Copy();
            random.NextBytes(junk);
            damaged.Write(offset, junk);
            try
            {
                using HeapStore store = HeapStore.Open(new SimulatedMedium(1, damaged), SimulatedStores.Smallest);
                store.Verify();
                using PersistentHeap heap = store.OpenHeap(SimulatedStores.HeapName);
                int version = (int)heap.LatestCheckpointNumber;
                SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 40, version);
                SimulatedStores.Fill(heap, SimulatedStores.Address, 40, version + 1);
                heap.Checkpoint();
            }
            catch (HeapException)
            {
            }
        }
    }

    private static bool ReadZero(PersistentHeap heap, ulong address)
    {
        byte[] bytes = new byte[PersistentHeap.PageSize];
        heap.Read(address, bytes);
        return bytes.AsSpan().IndexOfAnyExcept((byte)0) < 0;
    }

    private static HeapStore Open(SparseImage image) => HeapStore.Open(new SimulatedMedium(1, image), SimulatedStores.Smallest);

    private static void AssertRefused(SparseImage image)
    {
        SimulatedMedium medium = new(1, image);
        HeapException refused = Assert.Catch<HeapException>(() => HeapStore.Open(medium, SimulatedStores.Smallest))!;
        Assert.Multiple(() =>
        {
            Assert.That(refused, Is.InstanceOf<HeapFormatException>().Or.InstanceOf<HeapCorruptedException>());
            Assert.That(refused.Message, Does.Contain("simulated medium"), "the message names the file");
            Assert.That(medium.IoCount, Is.Zero, "nothing is written to a file that is refused");
        });
    }
}
