using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>An undamaged store to start from.</summary>
internal sealed class FuzzStore(string name, SparseImage image)
{
    public string Name => name;

    public SparseImage Image => image;

    public ChecksumGraph Checksums { get; } = new(image);
}
