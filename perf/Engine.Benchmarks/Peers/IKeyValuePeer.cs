namespace Everheap.Engine.Benchmarks.Peers;

/// <summary>
/// A store of values of <see cref="Workloads.Records.ValueBytes"/> by keys from 0 on, used by one thread. All peers give the same promise: when <see cref="Commit"/>
/// returns, all that was written before survives a power cut.
/// </summary>
internal interface IKeyValuePeer : IDisposable
{
    /// <summary>Reads a value; what was written since the last commit may or may not be seen yet.</summary>
    /// <returns>False if there is none.</returns>
    public bool TryRead(long key, Span<byte> value);

    /// <summary>Writes a value, or writes over it.</summary>
    public void Write(long key, ReadOnlySpan<byte> value);

    /// <summary>Makes everything that was written durable.</summary>
    public void Commit();
}
