using Everheap.Cli.Torture;
using Everheap.Cli.Torture.Model;

namespace Everheap.Crash.Tests.Torture;

/// <summary>What may be found after a kill, and what may not.</summary>
[TestFixture]
internal sealed class RecoveryCheckTests
{
    private static readonly HeapContent One = HeapContent.Empty.Write(5, 1, isPatch: false);
    private static readonly HeapContent Two = One.Write(6, 2, isPatch: false);

    private StoreModel _model = null!;
    private HeapTrack _heap = null!;

    [SetUp]
    public void MakeModel()
    {
        _model = new StoreModel(1);
        _heap = _model.NewHeap("a");
        _heap.Adopt(HeapModel.First(_heap.Name, One));
    }

    [Test]
    public void What_was_acknowledged_is_accepted()
    {
        Assert.That(RecoveryCheck.Adopt(_model, Found(Heap(1, One))), Is.EqualTo(1));
        Assert.That(_heap.Durable!.Latest, Is.EqualTo(1));
    }

    [Test]
    public void What_was_begun_after_it_is_accepted_and_gone_on_from()
    {
        _heap.Doubt(_heap.Newest!.Advance(Two));
        RecoveryCheck.Adopt(_model, Found(Heap(2, Two)));
        Assert.That(_heap.Durable!.Latest, Is.EqualTo(2));
        Assert.That(() => RecoveryCheck.Adopt(_model, Found(Heap(1, One))), Throws.TypeOf<TortureFailure>());
    }

    [Test]
    public void What_was_begun_need_not_be_there()
    {
        _heap.Doubt(_heap.Newest!.Advance(Two));
        RecoveryCheck.Adopt(_model, Found(Heap(1, One)));
        Assert.That(_heap.Candidates, Has.Count.EqualTo(1));
    }

    [Test]
    public void A_checkpoint_with_another_content_is_refused()
    {
        _heap.Doubt(_heap.Newest!.Advance(Two));
        Refuses(Found(Heap(2, One)), "page 6 is missing");
        Refuses(Found(Heap(2, Two.Write(7, 3, isPatch: false))), "page 7 should not be there");
        Refuses(Found(Heap(2, Two.Write(6, 3, isPatch: true))), "page 6 should hold write 2; it holds write 2 with its middle from write 3");
    }

    [Test]
    public void A_page_of_bytes_that_nobody_wrote_is_refused()
    {
        FoundHeap heap = Heap(1, One) with { Pages = [new FoundPage(5, PageState.Damaged, PageValue.Whole(1))] };
        Refuses(Found(heap), "bytes that nobody wrote");
    }

    [Test]
    public void A_heap_that_is_missing_or_too_many_is_refused()
    {
        Refuses(Found(), "it is not there");
        Refuses(Found(Heap(1, One), Heap(1, One) with { Name = "b1" }), "heap 'b1' was found, which should be gone");
    }

    [Test]
    public void A_retained_checkpoint_that_is_missing_or_too_many_is_refused()
    {
        _heap.Adopt(HeapModel.First(_heap.Name, One).WithRetention(3, keepsAll: false).Advance(Two));
        FoundHeap heap = Heap(2, Two) with { KeepLast = 3 };
        FoundCheckpoint first = new(1, null, IsHeld: false);
        Refuses(Found(heap), "checkpoint 1 should be retained");
        Refuses(Found(heap with { Checkpoints = [new(0, null, false), first, .. heap.Checkpoints] }), "checkpoint 0 is retained");
        Refuses(Found(heap with { Checkpoints = [first with { Name = "x", IsHeld = true }, .. heap.Checkpoints] }), "held as 'x'");
        RecoveryCheck.Adopt(_model, Found(heap with { Checkpoints = [first, .. heap.Checkpoints] }));
    }

    [Test]
    public void A_checkpoint_that_a_snapshot_kept_may_be_there_or_not([Values] bool isThere)
    {
        HeapModel pinned = HeapModel.First(_heap.Name, One).Pin(1).Advance(Two);
        Assert.That(pinned.Checkpoints, Has.Count.EqualTo(2));
        _heap.Adopt(pinned.Unpin(1));
        FoundHeap heap = Heap(2, Two);
        RecoveryCheck.Adopt(_model, Found(isThere ? heap with { Checkpoints = [new(1, null, false), .. heap.Checkpoints] } : heap));
        Assert.That(_heap.Durable!.Advance(One).Checkpoints, Has.Count.EqualTo(1));
    }

    [Test]
    public void Space_that_nothing_reaches_is_refused()
    {
        StoreDescription found = Found(Heap(1, One));
        Refuses(found with { Verification = found.Verification with { AllocatedPages = 41 } }, "41 pages are allocated, and 40 reachable");
        Refuses(found with { Verification = found.Verification with { ProblemCount = 2, FirstProblem = "a page" } }, "2 problems, the first: a page");
    }

    [Test]
    public void A_count_of_pages_that_is_wrong_is_refused() => Refuses(Found(Heap(1, One) with { MappedPages = 2 }), "2 mapped pages");

    [Test]
    public void A_note_is_the_last_one_or_one_begun_after_it()
    {
        _model.EndNote(_model.BeginNote());
        Refuses(Found(Heap(1, One)), "the note 0 was found; acknowledged was 1");
        _model.BeginNote();
        Refuses(Found(Heap(1, One)) with { Note = 3 }, "the note 3");
        RecoveryCheck.Adopt(_model, Found(Heap(1, One)) with { Note = 2 });
    }

    [Test]
    public void What_is_told_late_settles_the_checkpoint_alone()
    {
        HeapModel next = _heap.Newest!.Advance(Two);
        _heap.Doubt(next);
        _heap.Doubt(next.WithRetention(4, keepsAll: false));
        _heap.Settle(2);
        Assert.That(_heap.Durable, Is.EqualTo(next));
        Assert.That(_heap.Candidates, Has.Count.EqualTo(2));
    }

    private void Refuses(StoreDescription found, string complaint) =>
        Assert.That(() => RecoveryCheck.Adopt(_model, found), Throws.TypeOf<TortureFailure>().With.Message.Contains(complaint));

    private static StoreDescription Found(params FoundHeap[] heaps) => new(heaps, [], 0, new FoundVerification(heaps.Length, 40, 40, 0, null));

    private FoundHeap Heap(long latest, HeapContent content) => new(
        _heap.Name,
        latest,
        KeepLast: 1,
        KeepsAll: false,
        OriginName: null,
        OriginCheckpoint: 0,
        MappedPages: content.Pages.Count,
        CountedPages: content.Pages.Count,
        [new FoundCheckpoint(latest, null, IsHeld: false)],
        [.. content.Pages.Select(pair => new FoundPage(pair.Key, PageState.Whole, pair.Value))]);
}
