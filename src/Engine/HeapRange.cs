namespace Everheap.Engine;

/// <summary>A range of a heap's addresses.</summary>
/// <param name="Address">Where it begins.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct HeapRange(ulong Address, ulong Length);
