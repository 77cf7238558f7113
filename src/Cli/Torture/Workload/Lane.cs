using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Operations;

namespace Everheap.Cli.Torture.Workload;

/// <summary>One of the worker's threads as seen from here: the heaps that it drives, and what it is asked to do next.</summary>
/// <param name="number">Its number, from 1.</param>
/// <param name="random">Where its operations are drawn from.</param>
internal sealed class Lane(byte number, Random random)
{
    /// <summary>Its number.</summary>
    public byte Number { get; } = number;

    /// <summary>What the names of its heaps begin with.</summary>
    public string Prefix { get; } = $"{(char)('a' + number - 1)}";

    /// <summary>Where its operations are drawn from.</summary>
    public Random Random { get; } = random;

    /// <summary>What it has been asked to do and has not answered.</summary>
    public Operation? InFlight { get; set; }

    /// <summary>Its heaps.</summary>
    public IEnumerable<HeapTrack> HeapsOf(StoreModel model) => model.Heaps.Where(heap => heap.Name.StartsWith(Prefix, StringComparison.Ordinal));
}
