namespace Everheap.Vm;

/// <summary>
/// Nobody reads the program's standard output or standard error any more (a closed pipe). The program stops as it stands:
/// its heap is at its last checkpoint, and what was not shown is shown when it is resumed.
/// </summary>
/// <param name="message">Which stream was closed.</param>
/// <param name="innerException">The host's error.</param>
public sealed class OutputClosedException(string message, Exception? innerException = null) : IOException(message, innerException);
