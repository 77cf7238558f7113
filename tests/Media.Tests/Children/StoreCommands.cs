using System.Globalization;
using Everheap.Engine;
using Everheap.Media.Tests.Histories;

namespace Everheap.Media.Tests.Children;

/// <summary>The commands of a child process. They say on standard output, line by line, how far they have got.</summary>
internal static class StoreCommands
{
    public const int Pages = 1 << 11;
    public const int PagesEach = 400;

    /// <summary>Exit code of <see cref="Open"/> when it was refused.</summary>
    public const int Refused = 3;

    /// <summary>Goes on with a history, or begins it: one checkpoint after another, each told when it has returned, until it fails.</summary>
    public static void Write(string path, int seed)
    {
        RandomHistory history = new(seed, Pages, PagesEach);
        using HeapStore store = File.Exists(path) ? HeapStore.Open(path, RandomHistory.Options) : HeapStore.Create(path, RandomHistory.Options);
        using PersistentHeap heap = store.HeapNames.Contains(RandomHistory.HeapName)
            ? store.OpenHeap(RandomHistory.HeapName)
            : store.CreateHeap(RandomHistory.HeapName);
        EndWithInput();
        try
        {
            while (true)
            {
                history.Write(heap, (long)heap.LatestCheckpointNumber + 1);
                long number = heap.Checkpoint().Number;
                Say(string.Create(CultureInfo.InvariantCulture, $"checkpoint {number}"));
            }
        }
        catch (HeapFailedException failure)
        {
            Say($"failed: {failure.Message}");
        }
    }

    /// <summary>Opens a store, says so, and holds it until its standard input ends.</summary>
    public static int Open(string path, bool readOnly)
    {
        try
        {
            using HeapStore store = HeapStore.Open(path, new HeapStoreOptions { ReadOnly = readOnly });
            Say("open");
            _ = Console.In.ReadToEnd();
            return 0;
        }
        catch (Exception refusal) when (refusal is HeapException or IOException or UnauthorizedAccessException)
        {
            Say($"{refusal.GetType().Name}: {refusal.Message}");
            return Refused;
        }
    }

    /// <summary>Reads all of a history, and checks it.</summary>
    public static void Read(string path, int seed)
    {
        using HeapStore store = HeapStore.Open(path, new HeapStoreOptions { ReadOnly = true });
        using PersistentHeap heap = store.OpenHeap(RandomHistory.HeapName);
        new RandomHistory(seed, Pages, PagesEach).AssertIs(heap, (long)heap.LatestCheckpointNumber);
        Say("read");
    }

    /// <summary>Fills a store up to the process's own limit on the length of files (ulimit -f), raises the limit, and goes on.</summary>
    public static void FillToLimit(string path, int seed, long bytes, bool goesOn)
    {
        FileSizeLimit.Set(bytes);
        FullMediumScenario scenario = new(path, seed, goesOn);
        scenario.Run(FileSizeLimit.Lift);
        Assert.That(scenario.Full, Is.InstanceOf<HeapFullException>());
        Say(string.Create(CultureInfo.InvariantCulture, $"limit: full after {scenario.CommittedBefore} checkpoints: {scenario.Full!.Message}"));
    }

    private static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }

    private static void EndWithInput() => new Thread(() =>
    {
        _ = Console.In.ReadToEnd();
        Environment.Exit(0);
    })
    {
        IsBackground = true,
    }.Start();
}
