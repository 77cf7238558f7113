namespace Everheap.Engine.Tests.Simulation;

/// <summary>A medium at one moment: what is durable, and what is written and not flushed.</summary>
internal sealed class CrashMoment(SparseImage durable, List<UnflushedIo> unflushed, int unflushedCount)
{
    /// <summary>Not to be changed.</summary>
    public SparseImage Durable => durable;

    /// <summary>In the order of issue.</summary>
    public IReadOnlyList<UnflushedIo> Unflushed => unflushed[..unflushedCount];

    /// <summary>What the disk holds if the machine crashes at this moment.</summary>
    public SparseImage Image(CrashFlavour flavour, Random random) => CrashImage.Build(durable, Unflushed, flavour, random);
}
