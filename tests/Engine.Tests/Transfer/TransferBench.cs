using System.IO.Pipelines;
using Everheap.Engine.Tests.Simulation;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.Transfer;

/// <summary>Two stores on simulated media, and streams between them as arrays of bytes.</summary>
internal sealed class TransferBench : IDisposable
{
    public const string HeapName = "origin";

    private readonly List<HeapStore> _stores = [];

    public TransferBench()
    {
        Source = Create(new SimulatedMedium(1));
        TargetMedium = new SimulatedMedium(2);
        Target = Create(TargetMedium);
    }

    /// <summary>Small budgets, and nothing going on by itself.</summary>
    public static HeapStoreOptions Options => new() { ResidentBytes = HeapStoreOptions.ResidentBytesMin, BackgroundReclaim = false };

    public HeapStore Source { get; }

    public HeapStore Target { get; private set; }

    public SimulatedMedium TargetMedium { get; private set; }

    public HeapStore Create(SimulatedMedium medium)
    {
        HeapStore store = HeapStore.Create(medium, Options);
        _stores.Add(store);
        return store;
    }

    /// <summary>Closes the target, and opens it again.</summary>
    public void ReopenTarget()
    {
        Target.Dispose();
        TargetMedium.Reattach();
        Target = HeapStore.Open(TargetMedium, Options);
        _stores.Add(Target);
    }

    /// <summary>A checkpoint of a heap in the source, whole or as what differs from another of it, as a stream.</summary>
    public byte[] Send(long? to = null, long? from = null, string heapName = HeapName, TransferResumePoint? resumeFrom = null) =>
        Send(Source, heapName, to, heapName, from, resumeFrom);

    public static byte[] Send(HeapStore store, string heapName, long? to, string fromHeapName, long? from, TransferResumePoint? resumeFrom = null)
    {
        using HeapSnapshot? before = from is { } number ? store.OpenSnapshot(fromHeapName, number) : null;
        using HeapSnapshot after = store.OpenSnapshot(heapName, to);
        MemoryStream stream = new();
        PipeWriter writer = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        TransferProgress sent = HeapTransfer.SendAsync(before, after, writer, new SendOptions { ResumeFrom = resumeFrom }).GetAwaiter().GetResult();
        writer.Complete();
        Assert.That(sent.Bytes, Is.EqualTo(stream.Length));
        return stream.ToArray();
    }

    /// <summary>Receives a stream in the target.</summary>
    public ReceivedCheckpoint Receive(byte[] stream, string? heapName = null, long saveIntervalBytes = ReceiveOptions.SaveIntervalBytesDefault) =>
        Receive(Target, stream, heapName, saveIntervalBytes);

    public static ReceivedCheckpoint Receive(HeapStore store, byte[] stream, string? heapName = null, long saveIntervalBytes = ReceiveOptions.SaveIntervalBytesDefault)
    {
        PipeReader reader = PipeReader.Create(new MemoryStream(stream, writable: false));
        try
        {
            ReceiveOptions options = new() { HeapName = heapName, SaveIntervalBytes = saveIntervalBytes };
            return HeapTransfer.ReceiveAsync(store, reader, options).GetAwaiter().GetResult();
        }
        finally
        {
            reader.Complete();
        }
    }

    /// <summary>Where in a stream its blocks start, the end record's included; first the header's end.</summary>
    public static List<int> BlockStarts(byte[] stream)
    {
        List<int> starts = [];
        for (int at = StreamHeader.Size; at < stream.Length; at += BlockHeader.Size + BitConverter.ToInt32(stream, at + 4))
        {
            starts.Add(at);
        }

        return starts;
    }

    /// <summary>Fails unless two checkpoints have the same pages with the same content.</summary>
    public static void AssertSame(HeapStore expectedStore, string expectedHeap, long? expectedNumber, HeapStore store, string heap, long? number = null)
    {
        using HeapSnapshot expected = expectedStore.OpenSnapshot(expectedHeap, expectedNumber);
        using HeapSnapshot found = store.OpenSnapshot(heap, number);
        Assert.That(found.Checkpoint.ContentId, Is.EqualTo(expected.Checkpoint.ContentId));
        Assert.That(found.MappedPages, Is.EqualTo(expected.MappedPages));
        Assert.That(found.Pages(), Is.EqualTo(expected.Pages()));
        byte[] expectedBytes = new byte[PersistentHeap.PageSize];
        byte[] foundBytes = new byte[PersistentHeap.PageSize];
        foreach (ulong page in expected.Pages())
        {
            expected.ReadAnywhere(page * PersistentHeap.PageSize, expectedBytes);
            found.ReadAnywhere(page * PersistentHeap.PageSize, foundBytes);
            if (!foundBytes.AsSpan().SequenceEqual(expectedBytes))
            {
                throw new AssertionException($"Page {page} differs.");
            }
        }
    }

    public void AssertTargetSound()
    {
        VerifyReport report = Target.Verify();
        Assert.That(report.Problems, Is.Empty);
        Assert.That(report.AllocatedPages, Is.EqualTo(report.ReachablePages));
    }

    public void Dispose()
    {
        foreach (HeapStore store in _stores)
        {
            store.Dispose();
        }
    }
}
