using System.Globalization;

namespace Everheap.Cli.Torture.Model;

/// <summary>
/// Judges what was found after a kill: every heap is at the state that was acknowledged last, or at one that was begun after it, and whole; and the file holds that and nothing else.
/// </summary>
internal static class RecoveryCheck
{
    /// <summary>Compares, and goes on from what was found.</summary>
    /// <param name="model">What is known.</param>
    /// <param name="found">What was found.</param>
    /// <returns>How many pages were compared.</returns>
    /// <exception cref="TortureFailure">Something is not as it may be.</exception>
    public static long Adopt(StoreModel model, StoreDescription found)
    {
        Check(found.Verification);
        if (!model.MayBeNote(found.Note))
        {
            throw new TortureFailure(string.Create(CultureInfo.InvariantCulture, $"the note {found.Note} was found; acknowledged was {model.Note}"));
        }

        foreach (FoundHeap heap in found.Heaps)
        {
            if (!model.Heaps.Exists(track => track.Name == heap.Name))
            {
                throw new TortureFailure($"heap '{heap.Name}' was found, which should be gone");
            }
        }

        if (found.Unfinished.FirstOrDefault(name => !model.Transfers.ContainsKey(name)) is { } stray)
        {
            throw new TortureFailure($"something received in part for heap '{stray}' was found, which nobody began to receive");
        }

        Dictionary<string, FoundHeap> byName = found.Heaps.ToDictionary(heap => heap.Name);
        long pages = 0;
        foreach (HeapTrack track in model.Heaps.ToArray())
        {
            FoundHeap? heap = byName.GetValueOrDefault(track.Name);
            HeapModel? state = Match(track, heap, byName.ContainsKey);
            if (heap is null || state is null)
            {
                track.Adopt(null);
                model.Forget(track);
                continue;
            }

            pages += heap.Pages.Count;
            model.Transfers.Remove(track.Name);
            track.Adopt(state.Settled(heap.Checkpoints.Select(checkpoint => checkpoint.Number)));
        }

        model.AdoptNote(found.Note);
        return pages;
    }

    /// <summary>What the store's own walk says.</summary>
    /// <exception cref="TortureFailure">It found problems, or space that is in use by nothing.</exception>
    public static void Check(FoundVerification found)
    {
        if (found.ProblemCount > 0)
        {
            throw new TortureFailure(string.Create(CultureInfo.InvariantCulture, $"verification found {found.ProblemCount} problems, the first: {found.FirstProblem}"));
        }

        if (found.AllocatedPages != found.ReachablePages)
        {
            throw new TortureFailure(string.Create(
                CultureInfo.InvariantCulture, $"{found.AllocatedPages} pages are allocated, and {found.ReachablePages} reachable"));
        }
    }

    private static HeapModel? Match(HeapTrack track, FoundHeap? found, Func<string, bool> exists)
    {
        var differences = new List<string>();
        foreach (HeapModel? candidate in track.Candidates.Reverse())
        {
            string? difference = Difference(candidate, found, exists);
            if (difference is null)
            {
                return candidate;
            }

            differences.Add(difference);
        }

        string which = differences.Count == 1 ? "as acknowledged" : $"at one of the {differences.Count} states that it may be in";
        throw new TortureFailure($"heap '{track.Name}' is not {which}: {string.Join("; or ", differences)}");
    }

    private static string? Difference(HeapModel? expected, FoundHeap? found, Func<string, bool> exists)
    {
        if (expected is null || found is null)
        {
            return expected is null && found is null ? null : expected is null ? "it should not be there" : "it is not there";
        }

        CultureInfo culture = CultureInfo.InvariantCulture;
        if (found.Latest != expected.Latest)
        {
            return string.Create(culture, $"it is at checkpoint {found.Latest}, and should be at {expected.Latest}");
        }

        if (found.KeepLast != expected.KeepLast || found.KeepsAll != expected.KeepsAll)
        {
            return string.Create(culture, $"it keeps {Policy(found.KeepLast, found.KeepsAll)}, and should keep {Policy(expected.KeepLast, expected.KeepsAll)}");
        }

        string? origin = expected.OriginName is { } name && exists(name) ? name : null;
        if (!expected.IsOriginOpen && (found.OriginName != origin || found.OriginCheckpoint != expected.OriginCheckpoint))
        {
            return string.Create(
                culture, $"it says that it was forked from {found.OriginName ?? "none"} {found.OriginCheckpoint}, and was from {origin ?? "none"} {expected.OriginCheckpoint}");
        }

        if (found.MappedPages != found.CountedPages)
        {
            return string.Create(culture, $"it says {found.MappedPages} mapped pages, and has {found.CountedPages}");
        }

        return Difference(expected, found.Checkpoints) ?? expected.Content.Difference(found.Pages) switch
        {
            { } difference => string.Create(culture, $"at checkpoint {found.Latest}, {difference}"),
            null => null,
        };
    }

    private static string? Difference(HeapModel expected, IReadOnlyList<FoundCheckpoint> found)
    {
        foreach (FoundCheckpoint checkpoint in found)
        {
            if (!expected.Checkpoints.TryGetValue(checkpoint.Number, out CheckpointModel? model))
            {
                return string.Create(CultureInfo.InvariantCulture, $"checkpoint {checkpoint.Number} is retained, and should not be");
            }

            if (model.Name != checkpoint.Name || model.IsHeld != checkpoint.IsHeld)
            {
                return string.Create(
                    CultureInfo.InvariantCulture,
                    $"checkpoint {checkpoint.Number} is {Holding(checkpoint.Name, checkpoint.IsHeld)}, and should be {Holding(model.Name, model.IsHeld)}");
            }
        }

        HashSet<long> numbers = [.. found.Select(checkpoint => checkpoint.Number)];
        foreach ((long number, CheckpointModel model) in expected.Checkpoints)
        {
            if (!model.MayBeGone && !numbers.Contains(number))
            {
                return string.Create(CultureInfo.InvariantCulture, $"checkpoint {number} should be retained, and is not");
            }
        }

        return null;
    }

    private static string Policy(int keepLast, bool keepsAll) =>
        keepsAll ? "all" : string.Create(CultureInfo.InvariantCulture, $"the last {keepLast}");

    private static string Holding(string? name, bool isHeld) => (isHeld ? "held" : "not held") + (name is null ? "" : $" as '{name}'");
}
