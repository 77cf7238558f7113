namespace Everheap.Vm.Execution;

/// <summary>A host function was given an address range that is not inside the guest's memory.</summary>
/// <param name="offset">Where the range starts.</param>
/// <param name="length">How many bytes it has.</param>
/// <param name="memoryLength">The length of the memory in bytes.</param>
internal sealed class GuestMemoryException(ulong offset, ulong length, ulong memoryLength)
    : Exception($"bytes {offset} to {offset + length} are not inside a memory of {memoryLength} bytes")
{
    /// <summary>Where the range starts.</summary>
    public ulong Offset { get; } = offset;
}
