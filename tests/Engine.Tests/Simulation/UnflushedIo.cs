namespace Everheap.Engine.Tests.Simulation;

/// <summary>A write (bytes at an offset) or a resize (no bytes) that no flush has covered yet.</summary>
internal readonly record struct UnflushedIo(long Offset, byte[]? Bytes)
{
    public bool IsResize => Bytes is null;

    public void ApplyTo(SparseImage image)
    {
        if (Bytes is null)
        {
            image.Resize(Offset);
        }
        else
        {
            image.Write(Offset, Bytes);
        }
    }

    public override string ToString() => IsResize ? $"resize to {Offset}" : $"write {Bytes!.Length} at {Offset}";
}
