using System.IO.Pipelines;
using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Simulation;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.Transfer;

/// <summary>
/// Damaged streams by the thousand (by the million with EVERHEAP_TORTURE=long): each is refused with one of the documented exceptions and changes nothing that is visible, or
/// is taken for what it says; none crashes, hangs, or is taken for the original without being it.
/// </summary>
[TestFixture]
internal sealed class MutatedStreamTests
{
    private const int Inputs = 1_500;
    private const int InputsLong = 1_000_000;
    private const int VerifyEvery = 500;
    private const int PagesOfHeaps = 12;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private static int[] Seeds => [TestSeeds.Take(1)[0]];

    [TestCaseSource(nameof(Seeds))]
    public void Damaged_streams_are_refused_or_are_what_they_say_and_never_crash_or_hang(int seed)
    {
        Random random = new(seed);
        using TransferBench bench = new();
        (byte[] whole, byte[] difference) = MakeStreams(bench);
        StreamMutator ofWhole = new(random, difference);
        StreamMutator ofDifference = new(random, whole);
        bench.Receive(whole, "base");
        Guid baseId = bench.Target.History("base")[^1].ContentId;
        int inputs = TestSeeds.IsLong ? InputsLong : Inputs;
        int taken = 0;
        Dictionary<Type, int> refusals = [];
        for (int i = 0; i < inputs; i++)
        {
            bool isWhole = random.Next(2) == 0;
            byte[] original = isWhole ? whole : difference;
            byte[] stream = (isWhole ? ofWhole : ofDifference).Mutate(original, out bool isSealed);
            string name = isWhole ? "new" : "base";
            string when = $"seed {seed}, input {i}";
            string before = Describe(bench.Target);
            Exception? refusal = Receive(bench.Target, stream, name, when);
            if (refusal is null)
            {
                taken++;
                AssertIsWhatItSays(bench, stream, original, name, when);
                bench.Target.DropHeap(name);
                if (!isWhole)
                {
                    Assert.That(Receive(bench.Target, whole, "base", when), Is.Null);
                }
            }
            else
            {
                refusals[refusal.GetType()] = refusals.GetValueOrDefault(refusal.GetType()) + 1;
                Assert.That(Describe(bench.Target), Is.EqualTo(before), when);
            }

            // What blocks left whose checksums were made to match may not be mixed with what the original says.
            foreach (UnfinishedReceive unfinished in HeapTransfer.GetUnfinished(bench.Target).Where(_ => isSealed || random.Next(4) != 0))
            {
                HeapTransfer.DropUnfinished(bench.Target, unfinished.HeapName);
            }

            TestSeeds.NoteProgress(i);
            if (i % VerifyEvery == 0)
            {
                bench.AssertTargetSound();
                Assert.That(bench.Target.History("base")[^1].ContentId, Is.EqualTo(baseId), when);
            }
        }

        bench.AssertTargetSound();
        TestContext.Out.WriteLine($"seed {seed}: {inputs} inputs, {taken} taken, {string.Join(", ", refusals.Select(pair => $"{pair.Value} {pair.Key.Name}"))}");
        Assert.Multiple(() =>
        {
            Assert.That(taken, Is.Positive, "some only say something else");
            Assert.That(refusals.GetValueOrDefault(typeof(HeapTransferException)), Is.GreaterThan(inputs / 3));
            Assert.That(refusals.Keys, Is.SubsetOf(new[] { typeof(HeapTransferException), typeof(HeapException) }));
        });
    }

    private static (byte[] Whole, byte[] Difference) MakeStreams(TransferBench bench)
    {
        using PersistentHeap heap = bench.Source.CreateHeap("base");
        SimulatedStores.Fill(heap, SimulatedStores.Address, PagesOfHeaps, version: 1);
        heap.Write(0, new byte[PersistentHeap.PageSize]);
        heap.Checkpoint();
        bench.Source.Retain("base", 1);
        SimulatedStores.Fill(heap, SimulatedStores.Address + 8192, 2, version: 2);
        heap.Clear(SimulatedStores.Address + 16384, 8192);
        heap.Checkpoint();
        return (bench.Send(to: 1, heapName: "base"), bench.Send(to: 2, from: 1, heapName: "base"));
    }

    private static Exception? Receive(HeapStore store, byte[] stream, string name, string when)
    {
        PipeReader reader = PipeReader.Create(new MemoryStream(stream));
        Task<ReceivedCheckpoint> receiving = HeapTransfer.ReceiveAsync(store, reader, new ReceiveOptions { HeapName = name });
        Task.WaitAny([receiving], Patience);
        Assert.That(receiving.IsCompleted, Is.True, $"{when}: a receive hangs");
        reader.Complete();
        Exception? refusal = receiving.Exception?.InnerException;
        return refusal is null or HeapException ? refusal : throw new AssertionException($"{when}: {refusal}", refusal);
    }

    /// <summary>A stream that was taken either is the original, and something after it, or says itself, with checksums that match, that it is something else.</summary>
    private static void AssertIsWhatItSays(TransferBench bench, byte[] stream, byte[] original, string name, string when)
    {
        if (stream.AsSpan().StartsWith(original))
        {
            TransferBench.AssertSame(bench.Source, "base", name == "new" ? 1 : 2, bench.Target, name);
            return;
        }

        byte[] resealed = [.. stream];
        StreamMutator.Seal(resealed);
        Assert.That(stream, Is.EqualTo(resealed), $"{when}: taken, though its checksums do not match");
    }

    private static string Describe(HeapStore store) =>
        string.Join("\n", store.Heaps.Select(heap => $"{heap}: {string.Join(", ", store.History(heap.Name).Select(c => $"{c.Number} {c.ContentId} {c.IsRetained}"))}"));
}
