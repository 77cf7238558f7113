namespace Everheap.Vm.Execution;

/// <summary>
/// A guest's linear memory, as host functions see it. Accesses are whole or not at all: a range that is not inside the
/// memory throws before a byte is moved.
/// </summary>
internal abstract class GuestMemory
{
    /// <summary>The current length in bytes.</summary>
    public abstract ulong Length { get; }

    /// <summary>Reads bytes.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="destination">Filled with the bytes.</param>
    /// <exception cref="GuestMemoryException">The range is not inside the memory.</exception>
    public abstract void Read(ulong offset, Span<byte> destination);

    /// <summary>Writes bytes.</summary>
    /// <param name="offset">Where to start.</param>
    /// <param name="source">The bytes.</param>
    /// <exception cref="GuestMemoryException">The range is not inside the memory.</exception>
    public abstract void Write(ulong offset, ReadOnlySpan<byte> source);
}
