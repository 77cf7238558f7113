namespace Everheap.Engine.Storage;

/// <summary>
/// Everything a store asks of the thing it lives on. There is one production implementation, <see cref="FileMedium"/>;
/// tests stand in their own to lose, tear, reorder and fail operations.
/// </summary>
/// <remarks>
/// <para>
/// Two threads call a medium at once: the mutator (reads, writes, resizes) and the checkpoint writer (reads, writes, resizes, flushes).
/// Implementations are thread safe. The store never reads a range while it writes that range, and never writes one range from two
/// threads at once.
/// </para>
/// <para>
/// What is written is read back at once, flushed or not. What a crash leaves of unflushed writes and resizes is anything at all, within the
/// ranges they touched; what was written or resized before a <see cref="Flush"/> that returned is kept whole.
/// </para>
/// <para>
/// A failure is an <see cref="IOException"/>. After a failed write, resize or flush the store asks for no further change, with one exception:
/// a <see cref="Resize"/> that failed with <see cref="MediumFullException"/> has changed nothing, and is no reason to give up.
/// </para>
/// </remarks>
public interface IStorageMedium : IDisposable
{
    /// <summary>A name for messages: the path, for a file.</summary>
    public string Name { get; }

    /// <summary>Whether writing, resizing and flushing are refused.</summary>
    public bool IsReadOnly { get; }

    /// <summary>The length now, in bytes.</summary>
    public long Length { get; }

    /// <summary>Fills <paramref name="destination"/> with the bytes at <paramref name="offset"/>.</summary>
    /// <exception cref="EndOfStreamException">The range reaches past the end.</exception>
    /// <exception cref="IOException">The medium failed.</exception>
    public void Read(long offset, Span<byte> destination);

    /// <summary>Writes all of <paramref name="source"/> at <paramref name="offset"/>, within the present length.</summary>
    /// <exception cref="MediumFullException">
    /// The medium is full; any part of the range may have been written. Where <see cref="Resize"/> reserves room this happens only to ranges
    /// that were never reserved, or on file systems that write elsewhere when they write over.
    /// </exception>
    /// <exception cref="IOException">The medium failed; any part of the range may have been written.</exception>
    public void Write(long offset, ReadOnlySpan<byte> source);

    /// <summary>
    /// Sets the length. Bytes added read as zero, and the medium reserves room for them where it can, so that a full medium shows here, before
    /// anything has been written. Bytes cut off are gone, and their room is free again; nobody reads them meanwhile.
    /// </summary>
    /// <exception cref="MediumFullException">There is no room for that length, or it is not allowed. Nothing has changed; the length is what it was.</exception>
    /// <exception cref="IOException">The medium failed; the length is what it was or what was asked for.</exception>
    public void Resize(long length);

    /// <summary>
    /// Says that a range has been written and is to be flushed soon, so that the medium may begin with it. Promises nothing, and does nothing unless an implementation knows better.
    /// </summary>
    /// <param name="offset">Where it begins.</param>
    /// <param name="length">Bytes.</param>
    public void BeginWriteBack(long offset, long length)
    {
    }

    /// <summary>
    /// Says that a range will be read soon, so that the medium may have it at hand by then. Promises nothing, returns without waiting for it, and does nothing unless an implementation knows better.
    /// Any thread, at any time: parts of the range may be written or cut off meanwhile.
    /// </summary>
    /// <param name="offset">Where it begins.</param>
    /// <param name="length">Bytes.</param>
    public void Prefetch(long offset, long length)
    {
    }

    /// <summary>Returns when every write and resize that returned before this call is durable.</summary>
    /// <exception cref="IOException">The medium failed; nothing is known of what was written since the last flush.</exception>
    public void Flush();
}
