using Everheap.Engine;

namespace Everheap.Vm.Wasi;

/// <summary>A program's heap, and its store's note, for the system interface.</summary>
/// <param name="heap">The heap.</param>
/// <param name="store">The store that it is in.</param>
internal sealed class HeapSpace(PersistentHeap heap, HeapStore store) : IHeapSpace
{
    /// <inheritdoc/>
    public long LatestCheckpointNumber => (long)heap.LatestCheckpointNumber;

    /// <inheritdoc/>
    public void Read(ulong address, Span<byte> destination) => heap.Read(address, destination);

    /// <inheritdoc/>
    public void Write(ulong address, ReadOnlySpan<byte> source) => heap.Write(address, source);

    /// <inheritdoc/>
    public void Clear(ulong address, ulong length) => heap.Clear(address, length);

    /// <inheritdoc/>
    public ulong Allocate(ulong length) => heap.Allocate(length);

    /// <inheritdoc/>
    public void Release(ulong address, ulong length) => heap.Release(address, length);

    /// <inheritdoc/>
    public void WriteNote(ReadOnlySpan<byte> note)
    {
        try
        {
            store.WriteNote(note);
        }
        catch (HeapException error)
        {
            throw new IOException($"What was shown of the program's output cannot be noted: {error.Message}", error);
        }
        catch (ObjectDisposedException)
        {
            // A writer that a slow reader held up until after the store was closed.
            throw new OperationCanceledException("The store is closed.");
        }
    }

    /// <inheritdoc/>
    public bool TryReadNote(Span<byte> destination, out int length) => store.TryReadNote(destination, out length);
}
