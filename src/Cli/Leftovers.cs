using Everheap.Engine;

namespace Everheap.Cli;

/// <summary>What stays of programs that have ended: nothing, unless somebody wants it or uses the same file.</summary>
internal static class Leftovers
{
    /// <summary>Whether a heap stays because of its history: somebody said that checkpoints of it are to be retained.</summary>
    /// <param name="store">The store.</param>
    /// <param name="heapName">The heap.</param>
    /// <returns>Whether it stays.</returns>
    public static bool AreRetained(HeapStore store, string heapName) =>
        store.GetHeap(heapName).Retention != RetentionPolicy.LatestOnly || store.History(heapName).Any(checkpoint => checkpoint.IsHeld);

    /// <summary>Removes the heaps of programs that have ended, and the file if there is nothing else in it. Closes the store in that case.</summary>
    /// <param name="store">The store; none of these heaps is open.</param>
    /// <param name="path">Its file, as the user calls it.</param>
    /// <param name="heapNames">The heaps.</param>
    public static void Remove(HeapStore store, string path, IReadOnlyCollection<string> heapNames)
    {
        if (heapNames.Count > 0 && store.HeapNames.All(heapNames.Contains))
        {
            store.Dispose();
            File.Delete(path);
            return;
        }

        foreach (string name in heapNames)
        {
            store.DropHeap(name);
        }
    }
}
