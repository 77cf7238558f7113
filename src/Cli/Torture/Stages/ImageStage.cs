using System.Globalization;
using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Operations;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Stages;

/// <summary>
/// Damages copies of a store, and judges what becomes of them: refused in words, or opened, and then serving what was once durable and nothing else, and telling of the damage.
/// </summary>
/// <param name="context">What the stages share.</param>
/// <param name="model">What the undamaged store holds.</param>
/// <param name="random">Where from.</param>
internal sealed class ImageStage(TortureContext context, StoreModel model, Random random)
{
    /// <summary>How many images there are in a round.</summary>
    private const int ImagesPerRound = 16;

    /// <summary>What a worker may need for any file, its budget included.</summary>
    private const long PeakResidentBytesMax = 320L << 20;

    /// <summary>Makes images, and judges each.</summary>
    /// <param name="storePath">The undamaged store, which nobody has open.</param>
    /// <param name="olderPath">An older state of it.</param>
    /// <param name="imagePath">Where the damaged copies are made; the last one stays.</param>
    public void Run(string storePath, string olderPath, string imagePath)
    {
        using WorkerProcess worker = context.Workers.Take();
        for (int i = 0; i < ImagesPerRound && !context.IsOver; i++)
        {
            File.Copy(storePath, imagePath, overwrite: true);
            string damage = ImageDamage.Apply(imagePath, olderPath, random);
            ImageUse use = random.Next(4) switch { 0 => ImageUse.Change, 1 => ImageUse.Repair, _ => ImageUse.Read };
            var inspection = new InspectImage(imagePath, model.Salt, use);
            try
            {
                worker.Call(inspection);
                context.Tally.AddImage(Judge(inspection, ImageDamage.IsNone(damage)));
            }
            catch (TortureFailure failure)
            {
                throw new TortureFailure($"a store, {damage}, opened for {use}: {failure.Message}")
                {
                    IsInterruption = failure.IsInterruption,
                };
            }
        }

        if (worker.PeakResidentBytes > PeakResidentBytesMax)
        {
            throw new TortureFailure(string.Create(
                CultureInfo.InvariantCulture, $"looking at damaged stores took {worker.PeakResidentBytes >> 20} MiB of memory, of {PeakResidentBytesMax >> 20} at most"));
        }
    }

    /// <summary>Judges what an image serves.</summary>
    /// <param name="image">What was found.</param>
    /// <param name="isUntouched">Whether nothing was damaged.</param>
    /// <returns>What became of it, in words.</returns>
    /// <exception cref="TortureFailure">It is not as it should be.</exception>
    public string Judge(InspectImage image, bool isUntouched)
    {
        if (image.Refusal is { } refusal)
        {
            return !isUntouched && refusal is nameof(HeapFormatException) or nameof(HeapCorruptedException)
                ? "refused"
                : throw new TortureFailure($"it was refused with {refusal}: {image.Message}");
        }

        bool isWhole = IsWhole(image.Served, (heap, number) => model.KnownContents(heap, number));
        bool isSound = image.Served.IsSound;
        if (isSound && !isWhole)
        {
            throw new TortureFailure("pages were refused, and the walk over everything found nothing");
        }

        if (isUntouched)
        {
            RequireAll(image);
            return "untouched: all there";
        }

        if (image.Repaired is { } repaired)
        {
            return JudgeRepair(image, repaired);
        }

        return (isSound, image.SkippedRoots > 0) switch
        {
            (true, false) => "opened whole",
            (true, true) => "opened whole, a damaged root told",
            _ => "opened, the damage told",
        };
    }

    /// <summary>After a repair everything is in order, and what a heap is, it was once.</summary>
    private string JudgeRepair(InspectImage image, ServedStore repaired)
    {
        bool isWhole = IsWhole(repaired, (heap, number) =>
            model.KnownContents(heap, number).Concat(model.KnownContents(heap, image.NewestValid.GetValueOrDefault(heap))));
        if (image.NewestValid.Values.Contains(0))
        {
            return "repaired as far as anything was left";
        }

        return isWhole && repaired.IsSound
            ? "repaired"
            : throw new TortureFailure($"it was repaired, and is not sound; the first problem: {repaired.Verification?.FirstProblem}");
    }

    private static bool IsWhole(ServedStore served, Func<string, long, IEnumerable<HeapContent>> known) =>
        served.Checkpoints.Aggregate(true, (isWhole, checkpoint) => IsWhole(checkpoint, known(checkpoint.HeapName, checkpoint.Number)) && isWhole);

    /// <summary>Whether all pages of a checkpoint were served. Those that were are right.</summary>
    private static bool IsWhole(ServedCheckpoint checkpoint, IEnumerable<HeapContent> known)
    {
        string? difference = $"checkpoint {checkpoint.Number} of heap '{checkpoint.HeapName}' was served, which never was";
        foreach (HeapContent content in known)
        {
            difference = Difference(checkpoint, content);
            if (difference is null)
            {
                return checkpoint.IsComplete && checkpoint.Pages.All(page => page.State == PageState.Whole);
            }
        }

        throw new TortureFailure(difference!);
    }

    private static string? Difference(ServedCheckpoint checkpoint, HeapContent content)
    {
        string where = $"in checkpoint {checkpoint.Number} of heap '{checkpoint.HeapName}', ";
        foreach (FoundPage page in checkpoint.Pages)
        {
            if (!content.Pages.TryGetValue(page.Number, out PageValue value))
            {
                return $"{where}page {page.Number} should not be there; {page.Described}";
            }

            if (page.State != PageState.Refused && HeapContent.Difference(page, value) is { } difference)
            {
                return where + difference;
            }
        }

        return checkpoint.IsComplete && checkpoint.Pages.Count < content.Pages.Count
            ? $"{where}{content.Pages.Count - checkpoint.Pages.Count} pages are missing"
            : null;
    }

    private void RequireAll(InspectImage image)
    {
        int expected = model.Heaps.Sum(heap => heap.Durable!.Checkpoints.Count);
        if (!image.Served.IsSound || image.Served.Checkpoints.Count != expected || image.UseRefusal.Length > 0)
        {
            throw new TortureFailure(string.Create(
                CultureInfo.InvariantCulture,
                $"{image.Served.Checkpoints.Count} checkpoints were served of {expected}, the first problem found: {image.Served.Verification?.FirstProblem}; its use was refused with: {image.UseRefusal}"));
        }
    }
}
