using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests;

/// <summary>A host that wants a store, whether it is there or not: what an interrupted creation left is no store yet, and nothing else is touched.</summary>
[TestFixture]
internal sealed class StoreCreationTests
{
    private const int RootBytes = 256;

    private TemporaryFolder _folder = null!;

    private string Path => _folder.File("test.heap");

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public void A_store_is_created_where_there_is_none_and_opened_where_there_is_one()
    {
        Guid id;
        using (HeapStore store = HeapStore.OpenOrCreate(Path))
        {
            id = store.Id;
            Use(store);
        }

        using HeapStore again = HeapStore.OpenOrCreate(Path, SimulatedStores.Smallest);
        Assert.That(again.Id, Is.EqualTo(id));
        using PersistentHeap heap = again.OpenHeap(SimulatedStores.HeapName);
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 3, version: 1);
    }

    [Test]
    public void A_store_that_nothing_was_committed_to_is_opened()
    {
        Guid id;
        using (HeapStore store = HeapStore.Create(Path))
        {
            id = store.Id;
            store.WriteNote("noted"u8);
        }

        using HeapStore again = HeapStore.OpenOrCreate(Path);
        Assert.That(again.Id, Is.EqualTo(id));
        Assert.That(again.TryReadNote(new byte[HeapStore.NoteLengthMax], out int length) ? length : 0, Is.EqualTo(5));
    }

    /// <summary>And what a crash in the middle of that leaves, too.</summary>
    [Test]
    public void A_crash_at_any_io_of_creating_leaves_what_is_opened_or_created_anew([Values] CrashFlavour flavour)
    {
        for (int seed = 1; seed <= 2; seed++)
        {
            foreach (SparseImage image in ImagesOfCrashes(null, flavour, seed))
            {
                AssertServes(image);
                foreach (SparseImage second in ImagesOfCrashes(image, flavour, seed))
                {
                    AssertServes(second);
                }
            }
        }
    }

    [Test]
    public void A_first_root_of_which_any_bytes_are_lost_is_no_store_yet()
    {
        SparseImage whole = Created();
        byte[] root = new byte[RootBytes];
        whole.Read(0, root);
        Random random = new(1);
        for (int i = 0; i < 300; i++)
        {
            // A few bytes, or all but a few.
            byte[] torn = [.. root.Select(b => random.Next(32) <= i % 32 ? (byte)0 : b)];
            SparseImage image = whole.Copy();
            image.Write(0, torn);
            if (!torn.AsSpan().SequenceEqual(root))
            {
                Assert.That(() => HeapStore.Open(new SimulatedMedium(1, image)), Throws.InstanceOf<HeapException>());
            }

            AssertServes(image);
        }
    }

    [Test]
    public void A_file_that_is_not_a_store_is_refused_and_left_as_it_is()
    {
        const int Initial = (int)FileLayout.FileLengthInitial;
        byte[] root = new byte[RootBytes];
        Created().Read(0, root);
        byte[] otherPageSize = [.. root];
        otherPageSize[13] ^= 1;
        byte[] secondCommit = [.. root];
        secondCommit[24] = 1;
        (string What, byte[] Content)[] files =
        [
            ("text", "mine\n"u8.ToArray()),
            ("zeros of some length", new byte[100]),
            ("more zeros than a new store has", new byte[2 * Initial]),
            ("one byte in many zeros", Zeros(Initial, (Initial / 2, [1]))),
            ("one byte at the end", Zeros(Initial, (Initial - 1, [1]))),
            ("one byte after the first root", Zeros(Initial, (RootBytes + 1, [1]))),
            ("a damaged first root, and a holder's record", Zeros(Initial, (0, root[..60]), ((int)FileLayout.HolderPage * PersistentHeap.PageSize, [1]))),
            ("a first root of another page size", Zeros(Initial, (0, otherPageSize))),
            ("a damaged root of a commit", Zeros(Initial, (0, secondCommit))),
            ("part of a first root, in a file that is too short for it", Zeros(Initial / 2, (0, root[..60]))),
        ];
        foreach ((string what, byte[] content) in files)
        {
            File.WriteAllBytes(Path, content);
            Assert.That(() => HeapStore.OpenOrCreate(Path), Throws.InstanceOf<HeapFormatException>().Or.InstanceOf<HeapCorruptedException>(), what);
            Assert.That(File.ReadAllBytes(Path), Is.EqualTo(content), what);
        }
    }

    [Test]
    public void A_store_whose_roots_are_damaged_is_refused_and_left_as_it_is()
    {
        using (HeapStore store = HeapStore.Create(Path))
        {
            Use(store);
        }

        using (FileStream file = File.OpenWrite(Path))
        {
            file.Write(new byte[FileLayout.SlotCount * PersistentHeap.PageSize]);
        }

        byte[] before = File.ReadAllBytes(Path);
        Assert.That(() => HeapStore.OpenOrCreate(Path), Throws.InstanceOf<HeapFormatException>());
        Assert.That(File.ReadAllBytes(Path), Is.EqualTo(before));
    }

    [Test]
    public void An_empty_file_becomes_a_store()
    {
        File.WriteAllBytes(Path, []);
        using (HeapStore store = HeapStore.OpenOrCreate(Path))
        {
            Use(store);
        }

        using HeapStore again = HeapStore.Open(Path);
        Assert.That(again.Verify().IsSound, Is.True);
    }

    [Test]
    public void Of_many_that_want_the_same_new_store_at_once_one_gets_it_and_the_others_are_told()
    {
        for (int round = 0; round < 20; round++)
        {
            string path = _folder.File($"round {round}.heap");
            int opened = 0;
            int told = 0;
            List<HeapStore> stores = [];
            Parallel.For(0, 4, _ =>
            {
                try
                {
                    HeapStore store = HeapStore.OpenOrCreate(path);
                    Interlocked.Increment(ref opened);
                    lock (stores)
                    {
                        stores.Add(store);
                    }
                }
                catch (HeapLockedException)
                {
                    Interlocked.Increment(ref told);
                }
            });
            stores.ForEach(store => store.Dispose());
            Assert.That((opened, told), Is.EqualTo((1, 3)));
            HeapStore.Open(path).Dispose();
        }
    }

    [Test]
    public void What_cannot_be_is_refused()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => HeapStore.OpenOrCreate(Path, new HeapStoreOptions { ReadOnly = true }), Throws.ArgumentException);
            Assert.That(() => HeapStore.OpenOrCreate(_folder.File(".")), Throws.InstanceOf<IOException>());
            Assert.That(() => HeapStore.OpenOrCreate(_folder.File("missing/test.heap")), Throws.InstanceOf<IOException>());
            Assert.That(File.Exists(Path), Is.False);
        });
        using HeapStore held = HeapStore.Create(Path);
        Assert.That(() => HeapStore.OpenOrCreate(Path), Throws.InstanceOf<HeapLockedException>());
    }

    /// <summary>What a crash leaves at each I/O of creating a store on a medium.</summary>
    private static IEnumerable<SparseImage> ImagesOfCrashes(SparseImage? before, CrashFlavour flavour, int seed)
    {
        for (long io = 0; ; io++)
        {
            SimulatedMedium medium = new(seed, before) { CrashAt = io };
            try
            {
                HeapStore.OpenOrCreate(medium, SimulatedStores.Smallest).Dispose();
            }
            catch (Exception crash) when (medium.HasCrashed && crash is SimulatedCrashException or HeapFailedException)
            {
            }

            yield return medium.Image(flavour, new Random(HashCode.Combine(seed, io)));
            if (!medium.HasCrashed)
            {
                yield break;
            }
        }
    }

    private static SparseImage Created()
    {
        SimulatedMedium medium = new(1);
        HeapStore.Create(medium).Dispose();
        return medium.Current();
    }

    /// <summary>A store comes of it that keeps what it is given.</summary>
    private static void AssertServes(SparseImage image)
    {
        SimulatedMedium medium = new(1, image);
        using (HeapStore store = HeapStore.OpenOrCreate(medium, SimulatedStores.Smallest))
        {
            Use(store);
        }

        medium.Reattach();
        using HeapStore again = HeapStore.Open(medium, SimulatedStores.Smallest);
        using PersistentHeap heap = again.OpenHeap(SimulatedStores.HeapName);
        SimulatedStores.AssertFilled(heap, SimulatedStores.Address, 3, version: 1);
        Assert.That(again.Verify().Problems, Is.Empty);
    }

    private static void Use(HeapStore store)
    {
        using PersistentHeap heap = store.CreateHeap(SimulatedStores.HeapName);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 3, version: 1);
        heap.Checkpoint();
    }

    private static byte[] Zeros(int length, params ReadOnlySpan<(int At, byte[] Bytes)> but)
    {
        byte[] content = new byte[length];
        foreach ((int at, byte[] bytes) in but)
        {
            bytes.CopyTo(content, at);
        }

        return content;
    }
}
