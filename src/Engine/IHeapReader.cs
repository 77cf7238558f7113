namespace Everheap.Engine;

/// <summary>What reading a structure out of a heap needs, whether the heap is changing under a mutator or is one of its checkpoints.</summary>
internal interface IHeapReader
{
    /// <summary>The heap's name, for messages.</summary>
    public string HeapName { get; }

    /// <summary>Copies from the heap, also from the engine's own part of the address space.</summary>
    public void ReadAnywhere(ulong address, Span<byte> destination);
}
