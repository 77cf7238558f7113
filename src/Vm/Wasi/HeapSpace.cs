using Everheap.Engine;

namespace Everheap.Vm.Wasi;

/// <summary>A program's heap, with its note, for the system interface.</summary>
/// <param name="heap">The heap.</param>
internal sealed class HeapSpace(PersistentHeap heap) : IHeapSpace
{
    /// <inheritdoc/>
    public long LatestCheckpointNumber => (long)heap.LatestCheckpointNumber;

    /// <inheritdoc/>
    public bool IsAtBranch => heap.LatestCheckpointNumber > 0 && heap.Store.GetHeap(heap.Name) is var info && info.BranchCheckpoint == info.LatestCheckpoint;

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
            heap.WriteNote(note);
        }
        catch (HeapException error)
        {
            throw new IOException($"What was shown of the program's output cannot be noted: {error.Message}", error);
        }
        catch (ObjectDisposedException)
        {
            // A writer that a slow reader held up until after the heap was closed.
            throw new OperationCanceledException("The heap is closed.");
        }
    }

    /// <inheritdoc/>
    public bool TryReadNote(Span<byte> destination, out int length)
    {
        if (heap.TryReadNote(destination, out length))
        {
            return true;
        }

        // Files of format version 1 held one program each, and its note was the store's. That says nothing of a fork, nor of a program that was taken back.
        return heap.Store.GetHeap(heap.Name).BranchCheckpoint == 0 && heap.Store.TryReadNote(destination, out length);
    }
}
