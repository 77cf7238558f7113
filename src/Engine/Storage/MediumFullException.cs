namespace Everheap.Engine.Storage;

/// <summary>The medium has no room. From <see cref="IStorageMedium.Resize"/>: nothing was changed.</summary>
public sealed class MediumFullException : IOException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">Which medium, and what was asked of it.</param>
    /// <param name="innerException">The system's own error.</param>
    public MediumFullException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
