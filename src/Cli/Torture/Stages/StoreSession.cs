using System.Diagnostics;
using System.Globalization;
using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Operations;
using Everheap.Cli.Torture.Workers;
using Everheap.Cli.Torture.Workload;

namespace Everheap.Cli.Torture.Stages;

/// <summary>A store through its lives: worked on, killed, opened, checked, and again.</summary>
internal sealed class StoreSession : IDisposable
{
    /// <summary>Threads that work on it at once.</summary>
    private const int LaneCount = 3;

    /// <summary>Older checkpoints that are read whole after each kill.</summary>
    private const int InspectionsMax = 3;

    /// <summary>Lives that are told of when something does not hold.</summary>
    private const int StoryLengthMax = 6;

    private readonly TortureContext _context;
    private readonly Random _random;
    private readonly Queue<string> _story = new();
    private readonly Lane[] _lanes;
    private WorkerProcess? _worker;

    /// <summary>Begins with a store that is yet to be made.</summary>
    /// <param name="context">What the stages share.</param>
    /// <param name="seed">What everything is drawn from.</param>
    /// <param name="path">Where the file is to be.</param>
    public StoreSession(TortureContext context, int seed, string path)
    {
        _context = context;
        _random = new Random(seed);
        _lanes = [.. Enumerable.Range(1, LaneCount).Select(number => new Lane((byte)number, new Random(HashCode(seed, number))))];
        FilePath = path;
        Model = new StoreModel(seed);
        Limits = new WorkloadLimits(context.Options.FileBytesMax);
        Planner = new LanePlanner(Model, Limits);
    }

    /// <summary>The store's file.</summary>
    public string FilePath { get; }

    /// <summary>What is known of the store.</summary>
    public StoreModel Model { get; }

    /// <summary>How much the store may hold.</summary>
    public WorkloadLimits Limits { get; }

    /// <summary>Draws what is done.</summary>
    public LanePlanner Planner { get; }

    /// <summary>About how long it takes from asking a worker to open the store until it has.</summary>
    public TimeSpan OpeningTime { get; private set; } = TimeSpan.FromMilliseconds(10);

    /// <summary>What became of it lately, life by life, in words.</summary>
    public string Story => string.Join('\n', _story);

    /// <summary>Makes the store, again and again if the worker is killed meanwhile.</summary>
    public void Create()
    {
        bool isKilled = _random.Next(3) == 0;
        if (isKilled)
        {
            WorkerProcess worker = TakeWorker();
            worker.Send(TortureWorker.ControlLane, new CreateStore(FilePath, Model.Salt));
            Wait(OpeningTime * (1.5 * _random.NextDouble()));
            Reply[] replies = [.. EndWorker()];
            _context.Tally.AddKill("while creating");
            if (replies.Length > 0)
            {
                return; // It was made before the kill came.
            }

            CheckHalfMade();
        }

        TakeWorker().Call(new CreateStore(FilePath, Model.Salt));
        EndWorker();
    }

    /// <summary>One life: opens the store and checks it, works on it, and is killed.</summary>
    /// <param name="moment">When it is killed.</param>
    public void Live(KillPlan moment)
    {
        if (moment.Aim is KillAim.Opening or KillAim.Checking)
        {
            KillInOpening(moment);
            return;
        }

        Recover();
        FullDisk? full = FullDisk.Draw(_random);
        var life = new StoreLife(_context, this, _worker!, _lanes, moment, full);
        string? killed = life.Run();
        if (killed is null)
        {
            _context.Tally.Add(Tally.Count.CleanEnds);
            EndWorker();
        }
        else
        {
            life.TakeLastReplies(EndWorker());
            _context.Tally.AddKill(killed);
        }

        Tell(string.Create(
            CultureInfo.InvariantCulture,
            $"{life.Operations} operations, {(killed is null ? "ended well" : "killed " + moment)}{(full is null ? "" : ", the disk full for a while")}, not acknowledged: {InFlight()}"));

        Model.Abandon();
    }

    /// <summary>Checks the store as the last kill left it, and leaves it closed.</summary>
    public void Check()
    {
        Recover();
        EndWorker();
        Model.Abandon();
    }

    /// <summary>Opens the store, and checks all of it against what is known.</summary>
    /// <exception cref="TortureFailure">Something is not as it should be.</exception>
    public void Recover()
    {
        WorkerProcess worker = TakeWorker();
        long start = Stopwatch.GetTimestamp();
        OpenStore opening = worker.Call(new OpenStore(FilePath, Model.Salt));
        if (opening.Refusal is { } refusal)
        {
            throw new TortureFailure($"the store could not be opened: {refusal}: {opening.Message}");
        }

        OpeningTime = ((OpeningTime * 7) + Stopwatch.GetElapsedTime(start)) / 8;
        _context.Tally.AddRecovery(opening.Time);
        worker.Call(new LimitFileSize(Limits.FileBytesMax));
        StoreDescription found = worker.Call(new DescribeStore()).Found;
        _context.Tally.Add(Tally.Count.PagesCompared, RecoveryCheck.Adopt(Model, found));
        AddWalk(found.Verification);

        (HeapTrack Heap, long Number)[] checkpoints = Checkpoints();
        _random.Shuffle(checkpoints);
        Inspect(checkpoints.Take(InspectionsMax));
        if (Model.Heaps.Count > 0)
        {
            worker.Call(new CheckRanges(Model.Heaps[_random.Next(Model.Heaps.Count)]));
        }
    }

    /// <summary>
    /// The end of the store: everything that it holds is compared; then all of it is dropped, and nothing may be left.
    /// </summary>
    /// <exception cref="TortureFailure">Something is not as it should be.</exception>
    public void Finish()
    {
        Recover();
        Inspect(Checkpoints());
        WorkerProcess worker = _worker!;
        foreach (HeapTrack heap in Model.Heaps.ToArray())
        {
            worker.Call(new CheckRanges(heap));
            worker.Call(new DropHeap(Model, heap));
        }

        worker.Call(new DropUnfinished(Model));
        while (worker.Call(new Reclaim(int.MaxValue)).IsLeft)
        {
        }

        StoreDescription found = worker.Call(new DescribeStore()).Found;
        RecoveryCheck.Adopt(Model, found);
        AddWalk(found.Verification);
        if (found.Verification.Pages > 0)
        {
            throw new TortureFailure($"{found.Verification.Pages} pages are left after everything was dropped");
        }

        worker.Call(new CompactStore());
        worker.Call(new CloseStore());
        EndWorker();
    }

    /// <summary>Adds up what a walk found in order.</summary>
    public void AddWalk(FoundVerification walk)
    {
        _context.Tally.Add(Tally.Count.Walks);
        _context.Tally.Add(Tally.Count.PagesWalked, walk.Pages);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _worker?.Dispose();
        _worker = null;
    }

    /// <summary>Waits, to some millionths of a second where it is short.</summary>
    public static void Wait(TimeSpan time)
    {
        long start = Stopwatch.GetTimestamp();
        if (time > TimeSpan.FromMilliseconds(4))
        {
            Thread.Sleep(time - TimeSpan.FromMilliseconds(2));
        }

        while (Stopwatch.GetElapsedTime(start) < time)
        {
            Thread.SpinWait(20);
        }
    }

    private static int HashCode(int seed, int number) => unchecked((seed * 397) ^ (number * 7919));

    private void KillInOpening(KillPlan moment)
    {
        WorkerProcess worker = TakeWorker();
        if (moment.Aim == KillAim.Opening)
        {
            worker.Send(TortureWorker.ControlLane, new OpenStore(FilePath, Model.Salt));
        }
        else
        {
            worker.Call(new OpenStore(FilePath, Model.Salt));
            worker.Send(TortureWorker.ControlLane, new DescribeStore());
        }

        Wait(moment.Delay);
        EndWorker();
        _context.Tally.AddKill(moment.Name);
        Tell($"killed {moment}");
    }

    private string InFlight() => string.Join(", ", _lanes.Select(lane => lane.InFlight).OfType<Operation>().DefaultIfEmpty<object>("nothing"));

    private void Tell(string life)
    {
        _story.Enqueue(life);
        if (_story.Count > StoryLengthMax)
        {
            _story.Dequeue();
        }
    }

    /// <summary>What a kill left of a store that was being made: a store, or nothing that anybody takes for one.</summary>
    private void CheckHalfMade()
    {
        if (!File.Exists(FilePath))
        {
            return;
        }

        OpenStore opening = TakeWorker().Call(new OpenStore(FilePath, Model.Salt));
        EndWorker();
        if (opening.Refusal is not null and not nameof(Engine.HeapFormatException) and not nameof(Engine.HeapCorruptedException))
        {
            throw new TortureFailure($"a store that was killed while it was made was refused with {opening.Refusal}: {opening.Message}");
        }

        // Whatever it is, a program that starts again gets its store there.
        TakeWorker().Call(new CreateStore(FilePath, Model.Salt));
        EndWorker();
        File.Delete(FilePath);
    }

    /// <summary>All older checkpoints that are surely there.</summary>
    private (HeapTrack Heap, long Number)[] Checkpoints() =>
    [
        .. from heap in Model.Heaps
           from checkpoint in heap.Durable!.Checkpoints
           where checkpoint.Key != heap.Durable!.Latest && !checkpoint.Value.MayBeGone
           select (heap, checkpoint.Key),
    ];

    private void Inspect(IEnumerable<(HeapTrack Heap, long Number)> checkpoints)
    {
        foreach ((HeapTrack heap, long number) in checkpoints)
        {
            _context.Tally.Add(Tally.Count.PagesCompared, _worker!.Call(new InspectCheckpoint(heap, number)).Count);
        }
    }

    private WorkerProcess TakeWorker()
    {
        _worker?.Dispose();
        return _worker = _context.Workers.Take();
    }

    /// <summary>Kills the worker.</summary>
    /// <returns>What it still had to say.</returns>
    private IReadOnlyList<Reply> EndWorker()
    {
        WorkerProcess worker = _worker!;
        _worker = null;
        using (worker)
        {
            return worker.KillAndDrain();
        }
    }
}
