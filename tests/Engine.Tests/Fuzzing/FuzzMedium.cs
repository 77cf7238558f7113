using Everheap.Engine.Storage;
using Everheap.Engine.Tests.Simulation;

namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>A quick medium in memory, of bounded size, that ends whoever works on it without end.</summary>
internal sealed class FuzzMedium(SparseImage image, long growthMax, int stepsMax) : IStorageMedium
{
    private readonly Lock _lock = new();
    private readonly long _lengthMax = image.Length + growthMax;
    private int _steps;

    public string Name => "fuzzed medium";

    public bool IsReadOnly => false;

    public SparseImage Image => image;

    public int Steps => _steps;

    public long Length
    {
        get
        {
            lock (_lock)
            {
                return image.Length;
            }
        }
    }

    public void Read(long offset, Span<byte> destination)
    {
        lock (_lock)
        {
            Step();
            if (offset < 0 || offset > image.Length - destination.Length)
            {
                throw new EndOfStreamException($"Read of {destination.Length} bytes at {offset} of {image.Length}.");
            }

            image.Read(offset, destination);
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        lock (_lock)
        {
            Step();
            if (offset < 0 || offset > image.Length - source.Length)
            {
                throw new InvalidOperationException($"Write of {source.Length} bytes at {offset}, past the length {image.Length}.");
            }

            image.Write(offset, source);
        }
    }

    public void Resize(long length)
    {
        lock (_lock)
        {
            Step();
            if (length > _lengthMax)
            {
                throw new MediumFullException("No space left on device (fuzzed).");
            }

            image.Resize(length);
        }
    }

    public void Flush()
    {
        lock (_lock)
        {
            Step();
        }
    }

    public void Dispose()
    {
    }

    private void Step()
    {
        if (++_steps > stepsMax)
        {
            throw new InvalidOperationException($"no end after {stepsMax} reads and writes");
        }
    }
}
