using System.Globalization;
using Everheap.Engine;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Transfer;

/// <summary>Which checkpoint to send, and what it is based on: by name and numbers, or by where an earlier transfer broke off.</summary>
/// <param name="HeapName">The heap; null for the only one.</param>
/// <param name="Checkpoint">The checkpoint; null for the latest.</param>
/// <param name="From">The one it is based on; null to send it whole.</param>
/// <param name="ResumeFrom">Where an earlier transfer broke off, instead of all these.</param>
internal sealed record CheckpointSelection(string? HeapName, long? Checkpoint, long? From, TransferResumePoint? ResumeFrom)
{
    /// <summary>Refuses what does not go together.</summary>
    /// <exception cref="CommandException">It does not.</exception>
    public void Check()
    {
        if (ResumeFrom is not null && (HeapName is not null || Checkpoint is not null || From is not null))
        {
            throw new CommandException(ExitCode.Usage, "--resume says by itself which checkpoint to send: leave out --heap, --checkpoint and --from; see: everheap send --help");
        }
    }

    /// <summary>Opens the checkpoints.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="store">The store.</param>
    /// <returns>The base, the checkpoint, and where to start.</returns>
    /// <exception cref="CommandException">There are none such.</exception>
    /// <exception cref="HeapException">A checkpoint is not there, or not retained.</exception>
    public (HeapSnapshot? From, HeapSnapshot To, TransferResumePoint? ResumeFrom) Open(string path, HeapStore store)
    {
        if (ResumeFrom is { } point)
        {
            HeapSnapshot? origin = point.FromContentId == Guid.Empty ? null : Find(path, store, point.FromContentId);
            return (origin, Find(path, store, point.ToContentId), point);
        }

        string name = HeapName ?? OnlyHeap(path, store);
        HeapSnapshot? from = From is { } number ? store.OpenSnapshot(name, number) : null;
        return (from, store.OpenSnapshot(name, Checkpoint), null);
    }

    private static HeapSnapshot Find(string path, HeapStore store, Guid contentId)
    {
        foreach (HeapInfo heap in store.Heaps)
        {
            CheckpointInfo? found = store.History(heap.Name).LastOrDefault(checkpoint => checkpoint.IsRetained && checkpoint.ContentId == contentId);
            if (found is not null)
            {
                return store.OpenSnapshot(heap.Name, found.Number);
            }
        }

        throw new CommandException(
            ExitCode.File, $"{path}: a checkpoint that the resume point is about is not here, or no longer retained; send another from the start ('everheap log {path}' lists what there is)");
    }

    private static string OnlyHeap(string path, HeapStore store)
    {
        IReadOnlyList<HeapInfo> heaps = store.Heaps;
        return heaps.Count switch
        {
            1 => heaps[0].Name,
            0 => throw new CommandException(ExitCode.File, $"{path} holds no heap that has a checkpoint"),
            _ => throw new CommandException(
                ExitCode.Usage,
                string.Create(CultureInfo.InvariantCulture, $"{path} holds {heaps.Count} heaps ({string.Join(", ", heaps.Take(10).Select(heap => heap.Name))}); name one with --heap; see: everheap send --help")),
        };
    }
}
