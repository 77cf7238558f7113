using Everheap.Cli.Torture;
using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Operations;
using Everheap.Cli.Torture.Stages;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Crash.Tests.Torture;

/// <summary>
/// Whether the torture finds what is wrong: real workers work on a real store and are killed, then somebody meddles with the file before the torture looks at it.
/// </summary>
[TestFixture]
internal sealed class StoreSessionTests
{
    private const int RootsEnd = 16 * PersistentHeap.PageSize;

    private TortureWorkbench _bench = null!;

    [SetUp]
    public void MakeBench() => _bench = new TortureWorkbench();

    [TearDown]
    public void RemoveBench() => _bench.Dispose();

    [Test]
    public void A_store_that_nobody_meddled_with_is_as_acknowledged()
    {
        using StoreSession session = _bench.KilledStore(seed: 11, lives: 3);
        session.Check();
        session.Finish();
        Assert.That(_bench.Context.Tally[Tally.Count.Operations], Is.GreaterThan(60));
        Assert.That(_bench.Context.Tally[Tally.Count.PagesCompared], Is.GreaterThan(100));
        Assert.That(_bench.Context.Tally.KillCount, Is.GreaterThanOrEqualTo(3));
    }

    [Test]
    public void A_byte_that_changed_in_every_page_is_reported()
    {
        using StoreSession session = _bench.KilledStore(seed: 12, lives: 1);
        byte[] bytes = File.ReadAllBytes(session.FilePath);
        for (int offset = RootsEnd + 100; offset < bytes.Length; offset += PersistentHeap.PageSize)
        {
            bytes[offset] ^= 1;
        }

        File.WriteAllBytes(session.FilePath, bytes);
        Assert.That(session.Check, Throws.TypeOf<TortureFailure>());
    }

    [Test]
    public void A_bit_that_changed_in_one_page_is_reported()
    {
        using StoreSession session = _bench.KilledStore(seed: 13, lives: 2);
        session.Check();
        long place = FindPage(session);
        byte[] bytes = File.ReadAllBytes(session.FilePath);
        bytes[place + 2000] ^= 0x10;
        File.WriteAllBytes(session.FilePath, bytes);
        Assert.That(session.Check, Throws.TypeOf<TortureFailure>());
    }

    [Test]
    public void A_store_that_went_back_behind_what_was_acknowledged_is_reported_though_it_is_sound()
    {
        using StoreSession session = _bench.KilledStore(seed: 14, lives: 1);
        session.Check();
        byte[] before = File.ReadAllBytes(session.FilePath);
        session.Live(TortureWorkbench.AtAnyTime(after: 80));
        File.WriteAllBytes(session.FilePath, before);
        using (HeapStore store = HeapStore.Open(session.FilePath, new HeapStoreOptions { ReadOnly = true }))
        {
            Assert.That(store.Verify().IsSound);
        }

        Assert.That(session.Check, Throws.TypeOf<TortureFailure>());
    }

    [Test]
    public void A_change_that_nobody_acknowledged_or_began_is_reported()
    {
        using StoreSession session = _bench.KilledStore(seed: 15, lives: 1);
        session.Check();
        using (HeapStore store = HeapStore.Open(session.FilePath))
        {
            HeapInfo info = store.Heaps.MaxBy(heap => heap.MappedPages)!;
            using PersistentHeap heap = store.OpenHeap(info.Name);
            heap.Write(0, [1]);
            heap.Checkpoint();
        }

        Assert.That(session.Check, Throws.TypeOf<TortureFailure>().With.Message.Contains("is not as acknowledged: it is at checkpoint"));
    }

    [Test]
    public void A_heap_that_is_gone_is_reported()
    {
        using StoreSession session = _bench.KilledStore(seed: 16, lives: 1);
        session.Check();
        using (HeapStore store = HeapStore.Open(session.FilePath))
        {
            store.DropHeap(store.Heaps[0].Name);
        }

        Assert.That(session.Check, Throws.TypeOf<TortureFailure>().With.Message.Contains("it is not there"));
    }

    [Test]
    public void A_store_that_cannot_be_opened_is_reported()
    {
        using StoreSession session = _bench.KilledStore(seed: 17, lives: 1);
        using (FileStream file = File.OpenWrite(session.FilePath))
        {
            file.SetLength(RootsEnd);
        }

        Assert.That(session.Check, Throws.TypeOf<TortureFailure>().With.Message.Contains("could not be opened: HeapCorruptedException"));
    }

    [Test]
    public void A_worker_that_ends_by_itself_is_reported()
    {
        using WorkerProcess worker = _bench.Context.Workers.Take();
        worker.Kill();
        Assert.That(
            () => worker.Call(new OpenStore(_bench["store.heap"], 1)),
            Throws.TypeOf<TortureFailure>().With.Message.Contains("ended by itself"));
    }

    [Test]
    public void What_the_engine_does_not_document_is_reported_with_its_trace()
    {
        using WorkerProcess worker = _bench.Context.Workers.Take();
        Assert.That(
            () => worker.Call(new DescribeStore()),
            Throws.TypeOf<TortureFailure>().With.Message.Contains("InvalidOperationException").And.Message.Contains("   at "));
    }

    [Test]
    public void Damaged_files_are_judged_and_several_openers_kept_apart()
    {
        using StoreSession session = _bench.KilledStore(seed: 18, lives: 1);
        session.Check();
        File.Copy(session.FilePath, _bench["older.heap"]);
        session.Live(TortureWorkbench.AtAnyTime(after: 40));
        session.Check();
        new ImageStage(_bench.Context, session.Model, new Random(18)).Run(session.FilePath, _bench["older.heap"], _bench["image.heap"]);
        new OpenerStage(_bench.Context, session.Model, session.FilePath).Run();
        Assert.That(_bench.Context.Tally.Images.Values.Sum(), Is.EqualTo(16));
        Assert.That(_bench.Context.Tally[Tally.Count.OpenersRefused], Is.GreaterThanOrEqualTo(4));
    }

    [Test]
    public void A_damaged_file_that_serves_what_never_was_is_reported()
    {
        using StoreSession session = _bench.KilledStore(seed: 19, lives: 1);
        session.Check();
        using (HeapStore store = HeapStore.Open(session.FilePath))
        {
            HeapInfo info = store.Heaps.MaxBy(heap => heap.MappedPages)!;
            using PersistentHeap heap = store.OpenHeap(info.Name);
            heap.Write(0, [1]);
            heap.Checkpoint();
        }

        using WorkerProcess worker = _bench.Context.Workers.Take();
        InspectImage image = worker.Call(new InspectImage(session.FilePath, session.Model.Salt, ImageUse.Read));
        var stage = new ImageStage(_bench.Context, session.Model, new Random(1));
        Assert.That(() => stage.Judge(image, isUntouched: false), Throws.TypeOf<TortureFailure>().With.Message.Contains("which never was"));
    }

    [Test]
    public void A_store_that_is_refused_without_damage_is_reported()
    {
        using StoreSession session = _bench.KilledStore(seed: 20, lives: 1);
        session.Check();
        File.WriteAllText(_bench["text.heap"], "this is not a store");
        using WorkerProcess worker = _bench.Context.Workers.Take();
        InspectImage image = worker.Call(new InspectImage(_bench["text.heap"], session.Model.Salt, ImageUse.Read));
        var stage = new ImageStage(_bench.Context, session.Model, new Random(1));
        Assert.That(stage.Judge(image, isUntouched: false), Is.EqualTo("refused"));
        Assert.That(() => stage.Judge(image, isUntouched: true), Throws.TypeOf<TortureFailure>().With.Message.Contains("HeapFormatException"));
    }

    /// <summary>Where a page of some heap's latest checkpoint is in the file.</summary>
    private static long FindPage(StoreSession session)
    {
        byte[] file = File.ReadAllBytes(session.FilePath);
        byte[] page = new byte[PersistentHeap.PageSize];
        foreach (HeapTrack heap in session.Model.Heaps)
        {
            foreach ((ulong number, PageValue value) in heap.Durable!.Content.Pages)
            {
                PageContent.Fill(page, session.Model.Salt, number, value);
                for (int offset = RootsEnd; offset < file.Length; offset += PersistentHeap.PageSize)
                {
                    if (file.AsSpan(offset, PersistentHeap.PageSize).SequenceEqual(page))
                    {
                        return offset;
                    }
                }
            }
        }

        throw new InvalidOperationException("No heap has a page.");
    }
}
