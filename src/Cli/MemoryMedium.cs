using Everheap.Engine.Storage;

namespace Everheap.Cli;

/// <summary>A small medium in memory, for a store that nobody keeps. It outlives its store, so that another can be opened on it.</summary>
internal sealed class MemoryMedium : IStorageMedium
{
    private readonly Lock _lock = new();
    private byte[] _bytes = [];

    /// <inheritdoc/>
    public string Name => "memory";

    /// <inheritdoc/>
    public bool IsReadOnly => false;

    /// <inheritdoc/>
    public long Length
    {
        get
        {
            lock (_lock)
            {
                return _bytes.Length;
            }
        }
    }

    /// <inheritdoc/>
    public void Read(long offset, Span<byte> destination)
    {
        lock (_lock)
        {
            _bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
        }
    }

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        lock (_lock)
        {
            source.CopyTo(_bytes.AsSpan((int)offset));
        }
    }

    /// <inheritdoc/>
    public void Resize(long length)
    {
        lock (_lock)
        {
            Array.Resize(ref _bytes, (int)length);
        }
    }

    /// <inheritdoc/>
    public void Flush()
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
