using System.Globalization;
using Everheap.Engine;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Transfer;

/// <summary>What a heap file has of receives that broke off.</summary>
internal static class UnfinishedReceives
{
    /// <summary>Lists them: resume point, page records received, checkpoint, heap; a line each, separated by spaces, the heap's name last.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The exit code.</returns>
    public static int List(string path)
    {
        HeapFile.RequireExisting(path);
        using HeapStore store = HeapStore.Open(path, new HeapStoreOptions { ReadOnly = true, ResidentBytes = HeapStoreOptions.ResidentBytesMin });
        using TextWriter output = PlainOutput.Open();
        foreach (UnfinishedReceive receive in HeapTransfer.GetUnfinished(store))
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{receive.ResumePoint} {receive.Pages} {receive.CheckpointNumber} {receive.HeapName}"));
        }

        return ExitCode.Success;
    }

    /// <summary>Drops them.</summary>
    /// <param name="path">The file.</param>
    /// <param name="heapName">The heap whose receive is to be dropped; null for all.</param>
    /// <returns>The exit code.</returns>
    public static int Abandon(string path, string? heapName)
    {
        HeapFile.RequireExisting(path);
        using HeapStore store = HeapStore.Open(path, new HeapStoreOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin });
        HeapFile.ReportSkippedRoots(path, store);
        string[] names = heapName is null ? [.. HeapTransfer.GetUnfinished(store).Select(receive => receive.HeapName)] : [heapName];
        foreach (string name in names)
        {
            HeapTransfer.DropUnfinished(store, name);
        }

        while (store.Reclaim())
        {
        }

        return ExitCode.Success;
    }

    /// <summary>How to go on, as the end of a message.</summary>
    /// <param name="store">The store.</param>
    /// <param name="path">Its file.</param>
    /// <returns>The end of a message; the message itself has no full stop.</returns>
    public static string Advice(HeapStore store, string path)
    {
        IReadOnlyList<UnfinishedReceive> receives = HeapTransfer.GetUnfinished(store);
        return receives.Count switch
        {
            0 => "; nothing was kept of it",
            1 => string.Create(
                CultureInfo.InvariantCulture,
                $"; {receives[0].Pages} pages are kept in {path}; go on with: everheap send FILE --resume {receives[0].ResumePoint} (or with --to, which finds out by itself)"),
            _ => $"; what came is kept in {path}; see: everheap receive {path} --unfinished",
        };
    }
}
