using Everheap.Vm.Execution;

namespace Everheap.Vm.Tests.Wasi;

/// <summary>A guest's memory in an array.</summary>
internal sealed class ByteMemory(int length) : GuestMemory
{
    private readonly byte[] _bytes = new byte[length];

    public override ulong Length => (ulong)_bytes.Length;

    public override void Read(ulong offset, Span<byte> destination) => Range(offset, destination.Length).CopyTo(destination);

    public override void Write(ulong offset, ReadOnlySpan<byte> source) => source.CopyTo(Range(offset, source.Length));

    private Span<byte> Range(ulong offset, int count) =>
        offset <= Length && (ulong)count <= Length - offset
            ? _bytes.AsSpan((int)offset, count)
            : throw new GuestMemoryException(offset, (ulong)count, Length);
}
