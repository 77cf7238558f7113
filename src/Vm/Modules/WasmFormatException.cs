namespace Everheap.Vm.Modules;

/// <summary>A module that is malformed, invalid, or needs a feature that is not supported.</summary>
public sealed class WasmFormatException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="offset">The byte offset in the module at which the fault was found.</param>
    /// <param name="message">What was found and what was expected.</param>
    public WasmFormatException(long offset, string message)
        : base($"at byte 0x{offset:x}: {message}") => Offset = offset;

    /// <summary>Creates the exception for a module that needs a feature that is not supported.</summary>
    /// <param name="offset">The byte offset in the module at which the feature is used.</param>
    /// <param name="message">What was found, and what to do.</param>
    /// <param name="unsupportedFeature">The feature's name.</param>
    public WasmFormatException(long offset, string message, string unsupportedFeature)
        : this(offset, message) => UnsupportedFeature = unsupportedFeature;

    /// <summary>The byte offset in the module at which the fault was found.</summary>
    public long Offset { get; }

    /// <summary>The name of the feature that the module needs and that is not supported; null where the fault is another.</summary>
    public string? UnsupportedFeature { get; }
}
