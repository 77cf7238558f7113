using System.Globalization;
using Everheap.Engine;

namespace Everheap.Cli;

/// <summary><c>everheap verify --repair-to LAST_GOOD</c>: goes back behind what <c>verify</c> found.</summary>
internal static class RepairAction
{
    /// <summary>The one thing that can be repaired to.</summary>
    public const string LastGood = "LAST_GOOD";

    /// <summary>Repairs a heap file, and says on standard output what became of each heap.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The exit code: 0 if everything in the file is sound now.</returns>
    public static int Run(string path)
    {
        using TextWriter output = PlainOutput.Open();
        bool isHopeless;
        using (HeapStore store = HeapFile.OpenForWriting(path))
        {
            if (store.Verify().IsSound)
            {
                output.WriteLine($"{path}: sound; nothing to repair");
                return ExitCode.Success;
            }

            isHopeless = store.Examine().Any(repair => repair.Damaged.Count > 0 && repair.NewestValid is null);
        }

        // A heap without a valid checkpoint of its own may have one in the commit before the last, which is kept for this.
        if (isHopeless && TryGoBackACommit(path, output))
        {
            return ExitCode.Success;
        }

        using (HeapStore store = HeapFile.OpenForWriting(path))
        {
            foreach (HeapRepair repair in store.Repair().Where(repair => repair.Damaged.Count > 0))
            {
                output.WriteLine(Describe(store, repair));
            }

            VerifyReport report = store.Verify();
            if (report.IsSound)
            {
                output.WriteLine($"{path}: sound now");
                return ExitCode.Success;
            }
        }

        Failure.Line($"{path}: what is left cannot be repaired; 'everheap verify {path}' lists it. Restore the file from a copy");
        return ExitCode.ProblemsFound;
    }

    private static bool TryGoBackACommit(string path, TextWriter output)
    {
        try
        {
            using HeapStore store = HeapStore.OpenPrevious(path, new HeapStoreOptions { BackgroundReclaim = false });
            if (!store.Verify().IsSound)
            {
                return false;
            }

            store.Reclaim(); // a commit, which takes the damaged one's place
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{path}: gone back a commit, to before the damage: {string.Join(", ", store.Heaps.Select(heap => $"heap '{heap.Name}' at checkpoint {heap.LatestCheckpoint}"))}"));
            return true;
        }
        catch (HeapCorruptedException)
        {
            return false; // There is none before it that can be opened.
        }
    }

    private static string Describe(HeapStore store, HeapRepair repair)
    {
        string damaged = string.Join(", ", repair.Damaged);
        return repair.NewestValid is long valid
            ? string.Create(CultureInfo.InvariantCulture, $"heap '{repair.HeapName}': damaged in {damaged}; is as of checkpoint {valid}, as checkpoint {store.GetHeap(repair.HeapName).LatestCheckpoint}")
            : $"heap '{repair.HeapName}': damaged in {damaged}; there is no checkpoint without damage, so it stays as it is";
    }
}
