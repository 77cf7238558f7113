namespace Everheap.Engine;

/// <summary>The base of everything a store refuses with: what happened, where, and what to do about it.</summary>
public class HeapException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened, where, and what to do.</param>
    /// <param name="innerException">The cause, if another exception was.</param>
    public HeapException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}

/// <summary>The file is not a store, is of a newer version, or was never created completely.</summary>
public sealed class HeapFormatException : HeapException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was found and what was expected.</param>
    public HeapFormatException(string message)
        : base(message)
    {
    }
}

/// <summary>Something read from the medium is not what was written there. It is refused, never served.</summary>
public sealed class HeapCorruptedException : HeapException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What does not match, and where.</param>
    /// <param name="heapName">The heap the damaged page belongs to; empty for structures of the store itself.</param>
    /// <param name="pageNumber">The page of the heap, or -1 for anything that is not a page of a heap.</param>
    /// <param name="fileOffset">The offset in the file, in bytes, or -1 if it is the file as a whole.</param>
    public HeapCorruptedException(string message, string heapName = "", long pageNumber = -1, long fileOffset = -1)
        : base(message)
    {
        HeapName = heapName;
        PageNumber = pageNumber;
        FileOffset = fileOffset;
    }

    /// <summary>The heap the damaged page belongs to; empty for structures of the store itself.</summary>
    public string HeapName { get; }

    /// <summary>The number of the damaged page in its heap, or -1 for anything that is not a page of a heap.</summary>
    public long PageNumber { get; }

    /// <summary>The offset of the damage in the file, in bytes, or -1 if it is the file as a whole.</summary>
    public long FileOffset { get; }
}

/// <summary>Another process, or another opener in this process, holds the store.</summary>
public sealed class HeapLockedException : HeapException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">Which store, and who holds it.</param>
    /// <param name="processId">The process that holds it, or 0 if it is not known.</param>
    /// <param name="host">The name of the machine that process runs on; empty if it is not known.</param>
    /// <param name="since">When it took the store, if known.</param>
    public HeapLockedException(string message, int processId = 0, string host = "", DateTimeOffset? since = null)
        : base(message)
    {
        ProcessId = processId;
        Host = host;
        Since = since;
    }

    /// <summary>The process that holds the store, or 0 if it is not known (a reader leaves no record).</summary>
    public int ProcessId { get; }

    /// <summary>The machine that process runs on; empty if it is not known.</summary>
    public string Host { get; }

    /// <summary>When the holder took the store, if known.</summary>
    public DateTimeOffset? Since { get; }
}

/// <summary>
/// A write or a flush failed earlier, so the store takes no more changes. Reading what is resident or committed still works;
/// opening the store again recovers its last checkpoint. The inner exception is the failure itself.
/// </summary>
public sealed class HeapFailedException : HeapException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What failed, and what to do.</param>
    /// <param name="innerException">The failure.</param>
    public HeapFailedException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>
/// There is no room for the file to grow, on its medium or at all. Nothing is latched: what is committed is safe, what is resident stays, and what was
/// asked for can be asked for again once there is room. A checkpoint that met this is completed by the next one.
/// </summary>
public sealed class HeapFullException : HeapException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is full, and what to do.</param>
    public HeapFullException(string message)
        : base(message)
    {
    }
}
