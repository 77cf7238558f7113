using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Everheap.Engine.Storage;

/// <summary>
/// The store's one way to its medium: counts bytes, and latches the first failure.
/// </summary>
/// <remarks>
/// Invariant: after the first write, resize or flush that failed, nothing is written any more. (A resize for which there was no room changed nothing, and does
/// not count.) After a failed flush nobody knows what
/// the system still holds, so a later one that succeeds would prove nothing; only opening again, from what can be read, does.
/// Invariant: before the first write over anything, what was found at opening is made durable. A process that was killed between writing a root and flushing
/// it leaves a root that can be read and that a power cut still takes away; writing over what only the root before it needs would then cost both.
/// It is done that late so that opening stays quick: a killed process may have left much to flush.
/// Thread safe, as the medium is.
/// </remarks>
internal sealed class StoreChannel(IStorageMedium medium, ILogger? logger = null)
{
    private readonly Lock _firstWrite = new();
    private volatile bool _isFoundDurable;
    private Exception? _failure;
    private long _bytesRead;
    private long _bytesWritten;

    public string Name => medium.Name;

    public ILogger Logger { get; } = logger ?? NullLogger.Instance;

    public long Length => medium.Length;

    public long BytesRead => Volatile.Read(ref _bytesRead);

    public long BytesWritten => Volatile.Read(ref _bytesWritten);

    /// <summary>Whether the store takes no more changes.</summary>
    public bool IsFailed => Volatile.Read(ref _failure) is not null;

    /// <summary>Reads exactly this range.</summary>
    public void Read(long offset, Span<byte> destination)
    {
        medium.Read(offset, destination);
        CountRead(destination.Length);
    }

    /// <summary>Writes, once what was found at opening is durable.</summary>
    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        if (!_isFoundDurable)
        {
            lock (_firstWrite)
            {
                if (!_isFoundDurable)
                {
                    Flush();
                    _isFoundDurable = true;
                }
            }
        }

        ThrowIfFailed();
        try
        {
            medium.Write(offset, source);
        }
        catch (Exception failure) when (Latch(failure))
        {
            throw Failed();
        }

        Interlocked.Add(ref _bytesWritten, source.Length);
    }

    /// <summary>Says that a range that was written is to be flushed soon.</summary>
    public void BeginWriteBack(long offset, long length) => medium.BeginWriteBack(offset, length);

    /// <summary>Says that a range will be read soon.</summary>
    public void Prefetch(long offset, long length) => medium.Prefetch(offset, length);

    /// <summary>Nothing was found at opening: the store is being created.</summary>
    public void MarkNew() => _isFoundDurable = true;

    /// <summary>Sets the length.</summary>
    /// <returns>False if there is no room: nothing was changed, and nothing is latched.</returns>
    public bool TryResize(long length)
    {
        ThrowIfFailed();
        try
        {
            medium.Resize(length);
            return true;
        }
        catch (MediumFullException)
        {
            return false;
        }
        catch (Exception failure) when (Latch(failure))
        {
            throw Failed();
        }
    }

    public void Flush()
    {
        ThrowIfFailed();
        try
        {
            medium.Flush();
        }
        catch (Exception failure) when (Latch(failure))
        {
            throw Failed();
        }
    }

    /// <summary>Latches a failure met elsewhere in writing a checkpoint. Always true, to stand in an exception filter.</summary>
    public bool Latch(Exception failure)
    {
        if (Interlocked.CompareExchange(ref _failure, failure, null) is null)
        {
            StoreLog.Latched(Logger, Name, failure);
        }

        return true;
    }

    /// <summary>Refuses a change once a write or flush has failed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void ThrowIfFailed()
    {
        if (_failure is not null)
        {
            throw Failed();
        }
    }

    /// <summary>The exception that tells of the latched failure.</summary>
    public HeapFailedException Failed()
    {
        var failure = Volatile.Read(ref _failure);
        while (failure is HeapFailedException { InnerException: { } inner })
        {
            failure = inner;
        }

        return new HeapFailedException(
            $"{Name}: writing to the store failed ({failure?.Message}), so it takes no more changes. What the last completed checkpoint "
            + "holds is safe: remove the cause (a full disk, most often), then open the store again.",
            failure);
    }

    /// <summary>Not interlocked: a lost count is cheaper than a locked instruction a fault.</summary>
    private void CountRead(int bytes) => _bytesRead += bytes;
}
