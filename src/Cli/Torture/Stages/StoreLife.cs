using System.Diagnostics;
using Everheap.Cli.Torture.Operations;
using Everheap.Cli.Torture.Workers;
using Everheap.Cli.Torture.Workload;

namespace Everheap.Cli.Torture.Stages;

/// <summary>
/// What a worker does between the check after opening and its end: several lanes at once, each asked for one thing after the other; at some time the disk may become full for a while.
/// </summary>
internal sealed class StoreLife
{
    /// <summary>After so many operations the moment that was waited for does not come any more.</summary>
    private const int OperationsMax = 180;

    /// <summary>By so much the file can grow at once, at least: with less room left, it may be refused.</summary>
    private const long GrowthBytes = 2L << 20;

    /// <summary>How long to wait for an answer before looking at the clock again.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(2);

    private readonly TortureContext _context;
    private readonly StoreSession _session;
    private readonly WorkerProcess _worker;
    private readonly Lane[] _lanes;
    private readonly KillPlan _moment;
    private readonly Stopwatch _lived = Stopwatch.StartNew();
    private readonly Stopwatch _sinceSent = Stopwatch.StartNew();
    private FullDisk? _full;
    private int _operations;
    private int _quietUntil;
    private long _bytesWritten;
    private string? _killed;
    private bool _wasFull;

    /// <summary>A life to come.</summary>
    /// <param name="context">What the stages share.</param>
    /// <param name="session">Its store.</param>
    /// <param name="worker">The worker, which has the store open.</param>
    /// <param name="lanes">The lanes.</param>
    /// <param name="moment">When it is to be killed.</param>
    /// <param name="full">When the disk becomes full; null: not.</param>
    public StoreLife(TortureContext context, StoreSession session, WorkerProcess worker, Lane[] lanes, KillPlan moment, FullDisk? full)
    {
        _context = context;
        _session = session;
        _worker = worker;
        _lanes = lanes;
        _moment = moment;
        _full = full;
    }

    /// <summary>Operations asked for so far.</summary>
    public int Operations => _operations;

    /// <summary>Goes on until the worker is to be killed.</summary>
    /// <returns>At which moment it is to be killed, now; null: the store was closed, and it may end.</returns>
    public string? Run()
    {
        _session.Planner.IsFull = false;
        foreach (Lane lane in _lanes)
        {
            lane.InFlight = null;
            Ask(lane);
        }

        WorkUntilKilled();
        if (_killed is not null || _moment.Aim is not (KillAim.None or KillAim.Closing))
        {
            return _killed ?? "at any time";
        }

        Quieten();
        var closing = new CloseStore(_session.Model);
        if (_moment.Aim == KillAim.None)
        {
            _worker.Call(closing);
            return null;
        }

        _worker.Send(TortureWorker.ControlLane, closing);
        StoreSession.Wait(_moment.Delay);
        return _moment.Name;
    }

    /// <summary>Hears what the worker had said before it was killed.</summary>
    /// <param name="replies">The answers.</param>
    public void TakeLastReplies(IReadOnlyList<Reply> replies)
    {
        foreach (Reply reply in replies)
        {
            if (reply.Lane != TortureWorker.ControlLane)
            {
                Take(reply);
            }
        }

        _context.Tally.Add(Tally.Count.BytesWritten, _bytesWritten);
        _session.Planner.IsFull = false;
    }

    private void WorkUntilKilled()
    {
        long fileLength = FileLength();
        while (_killed is null && _operations < OperationsMax)
        {
            bool isGrowthAwaited = _moment.Aim == KillAim.Growth && _operations >= _moment.AfterOperations;
            if (_worker.TryReceive(isGrowthAwaited ? TimeSpan.Zero : Interval, out Reply? reply))
            {
                Hear(reply);
            }
            else if (_worker.HasEnded || _sinceSent.Elapsed > WorkerProcess.Patience)
            {
                throw _worker.Unanswered(string.Join(" and ", _lanes.Select(lane => lane.InFlight?.Kind.ToString())));
            }

            if (_moment.Aim == KillAim.AnyTime && _lived.Elapsed >= _moment.Delay)
            {
                _killed = _moment.Name;
            }
            else if (isGrowthAwaited && FileLength() > fileLength)
            {
                StoreSession.Wait(_moment.Delay);
                _killed = _moment.Name;
            }
            else if (_moment.Aim is KillAim.None or KillAim.Closing && _operations >= _moment.AfterOperations)
            {
                return;
            }
        }
    }

    /// <summary>Takes an answer, and asks for the next thing.</summary>
    private void Hear(Reply reply)
    {
        Take(reply);
        if (reply.Kind == OperationKind.CheckpointCompleted)
        {
            return;
        }

        if (_full is { } full && _operations >= full.AfterOperations)
        {
            ChangeRoom(full);
        }

        foreach (Lane lane in _lanes.Where(lane => lane.InFlight is null))
        {
            if (_killed is null)
            {
                Ask(lane);
            }
        }
    }

    /// <summary>Makes the disk full, or gives it room again, with nothing going on meanwhile.</summary>
    private void ChangeRoom(FullDisk full)
    {
        if (!_session.Planner.IsFull)
        {
            Quieten();
            _worker.Call(new LimitFileSize(FileLength() + full.RoomBytes));
            _session.Planner.IsFull = true;
            _quietUntil = _operations + full.Operations;
        }
        else if (_operations >= _quietUntil)
        {
            Quieten();
            _worker.Call(new LimitFileSize(_session.Limits.FileBytesMax));
            _session.Planner.IsFull = false;
            _full = null;
            _wasFull = true;
        }
    }

    /// <summary>Lets every lane end what it does, background checkpoints included.</summary>
    private void Quieten()
    {
        while (true)
        {
            foreach (Lane lane in _lanes.Where(lane => lane.InFlight is null))
            {
                if (_session.Planner.Quieten(lane) is { } operation)
                {
                    Send(lane, operation);
                }
            }

            if (Array.TrueForAll(_lanes, lane => lane.InFlight is null))
            {
                return;
            }

            if (!_worker.TryReceive(WorkerProcess.Patience, out Reply? reply))
            {
                throw _worker.Unanswered("what was asked for");
            }

            Take(reply);
        }
    }

    private void Ask(Lane lane)
    {
        bool isAwaited = _moment.Aim == KillAim.Operation && _operations >= _moment.AfterOperations;
        Operation operation = _session.Planner.Next(lane, isAwaited ? _moment.Target : null);
        Send(lane, operation);
        _operations++;
        if (isAwaited && operation.Kind == _moment.Target)
        {
            StoreSession.Wait(_moment.Delay);
            _killed = _moment.Name;
        }
    }

    private void Send(Lane lane, Operation operation)
    {
        lane.InFlight = operation;
        _sinceSent.Restart();
        _worker.Send(lane.Number, operation);
    }

    private void Take(Reply reply)
    {
        if (reply.Kind == OperationKind.CheckpointCompleted)
        {
            string name = reply.Content.ReadString();
            _session.Model.Heaps.Find(heap => heap.Name == name)?.Settle(reply.Content.ReadInt64());
            _context.Tally.Add(Tally.Count.Checkpoints);
            return;
        }

        Lane lane = _lanes[reply.Lane - 1];
        Operation operation = lane.InFlight ?? throw new TortureFailure($"{reply.Kind} was answered, and not asked for");
        lane.InFlight = null;
        reply.HandTo(operation);
        Count(operation, reply.Outcome);
    }

    private void Count(Operation operation, Outcome outcome)
    {
        _context.Tally.Add(Tally.Count.Operations);
        if (outcome == Outcome.Full)
        {
            _context.Tally.Add(Tally.Count.FullRefusals);
            if (!_session.Planner.IsFull && FileLength() + GrowthBytes < _session.Limits.FileBytesMax)
            {
                throw new TortureFailure($"{operation.Kind} was refused for want of room, and there is room");
            }

            return;
        }

        switch (operation)
        {
            case MakeCheckpoint checkpoint:
                _context.Tally.Add(Tally.Count.Checkpoints);
                Look(checkpoint.Space);
                break;
            case AwaitCheckpoint checkpoint:
                Look(checkpoint.Space);
                break;
            case ReadPages read:
                _context.Tally.Add(Tally.Count.PagesCompared, read.Count);
                break;
            case InspectCheckpoint inspection:
                _context.Tally.Add(Tally.Count.PagesCompared, inspection.Count);
                break;
            case ReleaseSnapshot inspection:
                _context.Tally.Add(Tally.Count.PagesCompared, inspection.Count);
                break;
            case ReceiveCheckpoint receive:
                _context.Tally.Add(receive.IsResumed ? Tally.Count.TransfersResumed : Tally.Count.Transfers);
                break;
            case VerifyStore walk:
                _session.AddWalk(walk.Found);
                break;
        }
    }

    private void Look(SpaceReport space)
    {
        _bytesWritten = Math.Max(_bytesWritten, space.BytesWritten);
        _session.Planner.IsCrowded = space.UsedBytes > _session.Limits.CrowdedBytes;
        if (_wasFull)
        {
            _wasFull = false;
            _context.Tally.Add(Tally.Count.FullGoneOn);
        }
    }

    private long FileLength() => new FileInfo(_session.FilePath).Length;
}
