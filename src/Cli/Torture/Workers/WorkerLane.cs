using System.Collections.Concurrent;
using Everheap.Cli.Torture.Operations;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Workers;

/// <summary>
/// A thread of a worker, and the heaps that it alone drives. It answers each request before it begins the next, so that of what it does at most one thing is unknown after a kill.
/// </summary>
internal sealed class WorkerLane
{
    private static readonly long[] BudgetBytes = [1L << 20, 2L << 20, 4L << 20];

    private readonly BlockingCollection<byte[]> _requests = [];
    private readonly Dictionary<string, PersistentHeap> _heaps = [];
    private readonly Dictionary<string, HeapSnapshot> _snapshots = [];
    private readonly Dictionary<string, PendingCheckpoint> _pending = [];

    /// <summary>Starts the thread.</summary>
    /// <param name="session">What the lanes share.</param>
    /// <param name="number">Which lane.</param>
    public WorkerLane(WorkerSession session, byte number)
    {
        Session = session;
        Number = number;
        session.Add(this);
        new Thread(Run) { IsBackground = true, Name = $"Lane {number}" }.Start();
    }

    /// <summary>What the lanes share.</summary>
    public WorkerSession Session { get; }

    /// <summary>Which lane.</summary>
    public byte Number { get; }

    /// <summary>The checkpoint of each heap that was begun and not awaited.</summary>
    public IDictionary<string, PendingCheckpoint> Pending => _pending;

    /// <summary>Open snapshots by heap.</summary>
    public IDictionary<string, HeapSnapshot> Snapshots => _snapshots;

    /// <summary>Takes a request.</summary>
    public void Post(byte[] request) => _requests.Add(request);

    /// <summary>A heap's budget: small, and not the same for all, so that frames run out.</summary>
    /// <param name="name">The heap.</param>
    public static HeapOptions OptionsOf(string name) => new() { ResidentBytes = BudgetBytes[(uint)name.Sum(c => c) % (uint)BudgetBytes.Length] };

    /// <summary>An open heap; opens it if it is not.</summary>
    public PersistentHeap Heap(string name)
    {
        if (!_heaps.TryGetValue(name, out PersistentHeap? heap))
        {
            heap = Session.Store.OpenHeap(name, OptionsOf(name));
            _heaps.Add(name, heap);
        }

        return heap;
    }

    /// <summary>An open heap that was just made.</summary>
    public void Opened(PersistentHeap heap) => _heaps.Add(heap.Name, heap);

    /// <summary>Whether the heap is open.</summary>
    public bool IsOpen(string name) => _heaps.ContainsKey(name);

    /// <summary>Closes a heap.</summary>
    /// <returns>The number of its latest checkpoint.</returns>
    public long Close(string name)
    {
        if (!_heaps.Remove(name, out PersistentHeap? heap))
        {
            throw new InvalidOperationException($"The heap '{name}' is not open.");
        }

        heap.Dispose();
        _pending.Remove(name);
        return (long)heap.LatestCheckpointNumber;
    }

    /// <summary>The store was closed, and with it whatever this lane had open.</summary>
    public void Forget()
    {
        _heaps.Clear();
        _snapshots.Clear();
        _pending.Clear();
    }

    /// <summary>Says unasked that a checkpoint is durable.</summary>
    /// <param name="heapName">Its heap.</param>
    /// <param name="number">Its number.</param>
    public void ReportCompleted(string heapName, long number) => Reply(OperationKind.CheckpointCompleted, Outcome.Done, reply =>
    {
        reply.Write(heapName);
        reply.Write(number);
    });

    private void Run()
    {
        foreach (byte[] request in _requests.GetConsumingEnumerable())
        {
            using var reader = new BinaryReader(new MemoryStream(request));
            reader.ReadByte();
            Carry((OperationKind)reader.ReadByte(), reader);
        }
    }

    private void Carry(OperationKind kind, BinaryReader request)
    {
        var content = new MemoryStream();
        var writer = new BinaryWriter(content);
        Outcome outcome;
        try
        {
            Operation.ExecutionOf(kind)(this, request, writer);
            outcome = Outcome.Done;
        }
        catch (HeapFullException)
        {
            outcome = Outcome.Full;
        }
#pragma warning disable CA1031 // Whatever it is, it is the finding that the other side looks for.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            outcome = Outcome.Failed;
            content.SetLength(0);
            writer.Write($"{failure.GetType().Name}: {failure.Message}");
            writer.Write(failure.ToString());
        }

        Reply(kind, outcome, reply => reply.Write(content.GetBuffer(), 0, (int)content.Length));
    }

    private void Reply(OperationKind kind, Outcome outcome, Action<BinaryWriter> content)
    {
        using var frame = new MemoryStream();
        using var writer = new BinaryWriter(frame);
        writer.Write(Number);
        writer.Write((byte)kind);
        writer.Write((byte)outcome);
        content(writer);
        writer.Flush();
        Session.Reply(frame);
    }
}
