using Everheap.Engine.Storage;

namespace Everheap.Engine.Tests.Simulation;

/// <summary>Counts what is asked of a medium.</summary>
internal sealed class CountingMedium(IStorageMedium inner) : IStorageMedium
{
    private long _bytesRead;
    private long _bytesWritten;

    public long BytesRead => Volatile.Read(ref _bytesRead);

    public long BytesWritten => Volatile.Read(ref _bytesWritten);

    public string Name => inner.Name;

    public bool IsReadOnly => inner.IsReadOnly;

    public long Length => inner.Length;

    public void Read(long offset, Span<byte> destination)
    {
        Interlocked.Add(ref _bytesRead, destination.Length);
        inner.Read(offset, destination);
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        Interlocked.Add(ref _bytesWritten, source.Length);
        inner.Write(offset, source);
    }

    public void Resize(long length) => inner.Resize(length);

    public void Flush() => inner.Flush();

    public void Dispose() => inner.Dispose();
}
