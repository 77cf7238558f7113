using System.Globalization;
using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Operations;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Stages;

/// <summary>Opens a store from several processes at once: one that writes keeps all others out, those that only read share, and a kill gives the store free.</summary>
/// <param name="context">What the stages share.</param>
/// <param name="model">What the store holds.</param>
/// <param name="path">The store, which nobody has open.</param>
internal sealed class OpenerStage(TortureContext context, StoreModel model, string path)
{
    /// <summary>Goes through all cases.</summary>
    public void Run()
    {
        using WorkerProcess first = context.Workers.Take();
        using WorkerProcess second = context.Workers.Take();
        Race(first, second);
        KeepOut(first, second);
        Share(first, second);
        FreeByKill(first, second);
    }

    /// <summary>Two at the same moment: one gets it.</summary>
    private void Race(WorkerProcess first, WorkerProcess second)
    {
        OpenStore one = Open(isReadOnly: false);
        OpenStore other = Open(isReadOnly: false);
        first.Send(TortureWorker.ControlLane, one);
        second.Send(TortureWorker.ControlLane, other);
        Receive(first, one);
        Receive(second, other);
        if ((one.Refusal is null) == (other.Refusal is null))
        {
            throw new TortureFailure(one.Refusal is null
                ? "two processes have the store open for writing at the same time"
                : $"of two processes neither could open the store: {one.Message}; {other.Message}");
        }

        RequireLocked(one.Refusal is null ? other : one, 0);
        (one.Refusal is null ? first : second).Call(new CloseStore());
    }

    /// <summary>While one writes, nobody else gets in, and is told who it is.</summary>
    private void KeepOut(WorkerProcess holder, WorkerProcess other)
    {
        RequireOpen(holder.Call(Open(isReadOnly: false)));
        RequireLocked(other.Call(Open(isReadOnly: false)), holder.Id);
        RequireLocked(other.Call(Open(isReadOnly: true)), holder.Id);
        RecoveryCheck.Adopt(model, holder.Call(new DescribeStore()).Found);
        holder.Call(new CloseStore());
    }

    /// <summary>Readers share, and see the same; none that writes gets in.</summary>
    private void Share(WorkerProcess first, WorkerProcess second)
    {
        RequireOpen(first.Call(Open(isReadOnly: true)));
        RequireOpen(second.Call(Open(isReadOnly: true)));
        RecoveryCheck.Adopt(model, first.Call(new DescribeStore()).Found);
        RecoveryCheck.Adopt(model, second.Call(new DescribeStore()).Found);
        context.Tally.Add(Tally.Count.OpenersTogether, 2);
        first.Call(new CloseStore());
        RequireLocked(first.Call(Open(isReadOnly: false)), 0);
        second.Call(new CloseStore());
    }

    /// <summary>A process that is killed holds nothing.</summary>
    private void FreeByKill(WorkerProcess holder, WorkerProcess other)
    {
        RequireOpen(holder.Call(Open(isReadOnly: false)));
        holder.KillAndDrain();
        context.Tally.AddKill("while holding the store");
        RequireOpen(other.Call(Open(isReadOnly: false)));
        other.Call(new CloseStore());
    }

    private OpenStore Open(bool isReadOnly) => new(path, model.Salt, isReadOnly);

    private static void Receive(WorkerProcess worker, OpenStore opening)
    {
        if (!worker.TryReceive(WorkerProcess.Patience, out Reply? reply))
        {
            throw worker.Unanswered(opening.Kind.ToString());
        }

        reply.HandTo(opening);
    }

    private static void RequireOpen(OpenStore opening)
    {
        if (opening.Refusal is { } refusal)
        {
            throw new TortureFailure($"the store, which nobody has open in a way that keeps others out, was refused with {refusal}: {opening.Message}");
        }
    }

    private void RequireLocked(OpenStore opening, int holder)
    {
        if (opening.Refusal != nameof(HeapLockedException))
        {
            throw new TortureFailure(opening.Refusal is null
                ? "the store was opened, while another process has it open; does this file system know locks?"
                : $"the store, which another process has open, was refused with {opening.Refusal}: {opening.Message}");
        }

        if (holder > 0 && opening.Holder != holder)
        {
            throw new TortureFailure(string.Create(CultureInfo.InvariantCulture, $"the store says that process {opening.Holder} holds it; it is {holder}"));
        }

        context.Tally.Add(Tally.Count.OpenersRefused);
    }
}
