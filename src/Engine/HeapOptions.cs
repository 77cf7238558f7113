namespace Everheap.Engine;

/// <summary>How one heap of a store is opened.</summary>
public sealed record HeapOptions
{
    /// <summary>
    /// The heap's budget in bytes, from <see cref="HeapStoreOptions.ResidentBytesMin"/> to <see cref="HeapStoreOptions.ResidentBytesMax"/>; null: the store's
    /// (<see cref="HeapStoreOptions.ResidentBytes"/>). Heaps that are open at once have a budget each.
    /// </summary>
    public long? ResidentBytes { get; init; }
}
