namespace Everheap.Engine.Storage;

/// <summary>
/// The medium has no room: the disk is full, a quota is used up, or the file would be longer than the file system or a limit of the process
/// (<c>ulimit -f</c>) allows. Unlike other failures it says nothing against what was written before, and passes when there is room.
/// </summary>
/// <remarks>
/// From <see cref="IStorageMedium.Resize"/>: nothing has changed, and the store may go on within the length it has. From
/// <see cref="IStorageMedium.Write"/>: any part of the range may have been written.
/// </remarks>
public sealed class MediumFullException : IOException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What there was no room for, and where.</param>
    /// <param name="innerException">The system's own exception, if there is one.</param>
    public MediumFullException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
