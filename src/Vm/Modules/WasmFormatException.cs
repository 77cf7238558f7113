namespace Everheap.Vm.Modules;

/// <summary>A module that is malformed, invalid, or needs a feature that is not supported.</summary>
public sealed class WasmFormatException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="offset">The byte offset in the module at which the fault was found.</param>
    /// <param name="message">What was found and what was expected.</param>
    public WasmFormatException(long offset, string message)
        : base($"at byte 0x{offset:x}: {message}") => Offset = offset;

    /// <summary>The byte offset in the module at which the fault was found.</summary>
    public long Offset { get; }
}
