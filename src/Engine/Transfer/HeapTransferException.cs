namespace Everheap.Engine.Transfer;

/// <summary>
/// A stream was refused or broke off: it is not a transfer, is of a newer version, is damaged, cut short or put together from parts of others, or does not belong
/// to what was received before. Nothing that others see has changed.
/// </summary>
public sealed class HeapTransferException : HeapException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was found, where in the stream, and what to do.</param>
    /// <param name="innerException">The cause, if another exception was.</param>
    public HeapTransferException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>Whether the stream ended, or could not be read any further, before its end; otherwise there is something wrong with what it says.</summary>
    public bool BrokeOff { get; internal init; }

    /// <summary>Where a new stream can go on, if part of this one was good and is kept; null if nothing is.</summary>
    public TransferResumePoint? ResumePoint { get; internal set; }
}
