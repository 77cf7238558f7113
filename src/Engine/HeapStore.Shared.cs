using System.Diagnostics;
using Everheap.Engine.Storage;

namespace Everheap.Engine;

/// <content>Reading a store while another process writes it, past that process's lock.</content>
/// <remarks>
/// <para>
/// Why this is safe. Everything below a root is reached by references that carry checksums, so what is read is what the root says, or is refused. The pages of
/// a retained checkpoint are not written over while it is retained. The records that say where it is are read when the store is opened, and
/// stay in place for two commits after the root that reaches them; if the writer is faster than that, a checksum does not match, and opening starts again.
/// </para>
/// <para>
/// What can happen meanwhile: the checkpoint is dropped, or moved by a compaction, its places are given out again, and a page does not match any more. That is told from damage by asking the
/// newest root whether the checkpoint is still there, and at the same place (<see cref="Explain"/>). A file that is cut short meanwhile is the same case: nothing is mapped.
/// </para>
/// </remarks>
public sealed partial class HeapStore
{
    /// <summary>How long opening goes on trying to get ahead of a writer.</summary>
    private static readonly TimeSpan SharedOpenPatience = TimeSpan.FromSeconds(2);

    /// <summary>Whether the store is read past the lock of a process that may be writing.</summary>
    internal bool IsShared => _options.Shared;

    /// <summary>
    /// Opens the store in a file for reading, also while another process writes it. What there is to see is the store as of this moment: its heaps, their history, and
    /// snapshots of those checkpoints that the writer retains. The writer is not held up, and does not know of it.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How; null for the defaults. Always for reading only.</param>
    /// <remarks>
    /// A snapshot pins nothing in the other process: when that drops the checkpoint, reading the snapshot fails with a <see cref="HeapException"/> that says so;
    /// what was read until then is right, as every page is checked. The latest checkpoint, if it is not retained, goes with the next one. On the machine that the
    /// writer runs on; where a writer keeps all others out (outside Linux), as <see cref="Open(string, HeapStoreOptions?)"/> for reading only.
    /// </remarks>
    /// <exception cref="HeapLockedException">The system keeps readers out.</exception>
    /// <exception cref="HeapFormatException">Not a store, or of a newer version.</exception>
    /// <exception cref="HeapCorruptedException">No root can be opened.</exception>
    /// <exception cref="IOException">The file is missing or cannot be read.</exception>
    public static HeapStore OpenShared(string path, HeapStoreOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options = Checked(options);
        var shared = new HeapStoreOptions
        {
            ReadOnly = true,
            Shared = true,
            ResidentBytes = options.ResidentBytes,
            TimeProvider = options.TimeProvider,
            Logger = options.Logger,
        };
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            var medium = FileMedium.OpenUnlocked(path);
            try
            {
                return Open(medium, shared);
            }
            catch (Exception failure) when (MayBeDropped(failure) && Stopwatch.GetElapsedTime(start) < SharedOpenPatience)
            {
                // The writer was faster, most likely: what this root reaches has been written over while it was read.
                medium.Dispose();
            }
            catch
            {
                medium.Dispose();
                throw;
            }

            Thread.Yield();
        }
    }

    /// <summary>Whether a failure to read may come from the checkpoint's being dropped by another process.</summary>
    internal static bool MayBeDropped(Exception failure) => failure is HeapCorruptedException or EndOfStreamException;

    /// <summary>What to say of a page of a snapshot that cannot be read: whether the checkpoint is gone meanwhile, or damaged.</summary>
    /// <param name="failure">The failure to read.</param>
    /// <param name="snapshots">The snapshots that were read.</param>
    /// <returns>The exception to throw.</returns>
    internal Exception Explain(Exception failure, params ReadOnlySpan<HeapSnapshot> snapshots)
    {
        using var now = OpenShared(Path, new HeapStoreOptions { TimeProvider = _options.TimeProvider });
        foreach (var snapshot in snapshots)
        {
            if (!now.StillHas(snapshot))
            {
                return new HeapException(
                    $"{Path}: checkpoint {snapshot.CheckpointNumber} of heap '{snapshot.HeapName}' was dropped, or moved by a compaction, by the process that writes the store, while it was being read. "
                    + "Let that process retain it for longer, or take a newer one.",
                    failure);
            }
        }

        return failure;
    }

    /// <summary>Enumerates what is read from a store that another process may be writing, so that a failure says what is the matter.</summary>
    internal IEnumerable<T> Watched<T>(IEnumerable<T> source, params HeapSnapshot[] snapshots) => IsShared ? WatchedShared(source, snapshots) : source;

    private IEnumerable<T> WatchedShared<T>(IEnumerable<T> source, HeapSnapshot[] snapshots)
    {
        using var items = source.GetEnumerator();
        while (true)
        {
            bool hasMore;
            try
            {
                hasMore = items.MoveNext();
            }
            catch (Exception failure) when (MayBeDropped(failure))
            {
                throw Explain(failure, snapshots);
            }

            if (!hasMore)
            {
                yield break;
            }

            yield return items.Current;
        }
    }

    private bool StillHas(HeapSnapshot snapshot)
    {
        var heap = _catalog.Find(snapshot.HeapName);
        return heap?.Find((ulong)snapshot.CheckpointNumber) is { } checkpoint
            && heap.MapOf(checkpoint) is { } map
            && map.Root.Place == snapshot.MapRoot.Place
            && map.Root.Checksum == snapshot.MapRoot.Checksum;
    }

    private void ThrowIfShared(string what)
    {
        if (IsShared)
        {
            throw new HeapException($"{Path}: opened while another process may be writing it, so it cannot be {what}. Wait for that process to end.");
        }
    }
}
