namespace Everheap.Vm.Wasi;

/// <summary>
/// The part of a persistent heap that the system interface needs: bytes at addresses, ranges of addresses, and the
/// heap's note. All members but the note's are for the mutator thread alone.
/// </summary>
internal interface IHeapSpace
{
    /// <summary>The number of the newest durable checkpoint.</summary>
    public long LatestCheckpointNumber { get; }

    /// <summary>
    /// Whether the newest checkpoint is one that this heap was forked with or went back to, and none of its own follows it: what was printed before belongs
    /// to another program, or to a way that was left. At opening.
    /// </summary>
    public bool IsAtBranch { get; }

    /// <summary>Reads bytes; what was never written is zero.</summary>
    /// <param name="address">Where to start.</param>
    /// <param name="destination">Filled with the bytes.</param>
    public void Read(ulong address, Span<byte> destination);

    /// <summary>Writes bytes.</summary>
    /// <param name="address">Where to start.</param>
    /// <param name="source">The bytes.</param>
    public void Write(ulong address, ReadOnlySpan<byte> source);

    /// <summary>Makes a range zero.</summary>
    /// <param name="address">Where to start.</param>
    /// <param name="length">How many bytes.</param>
    public void Clear(ulong address, ulong length);

    /// <summary>Takes a range of addresses; its contents are zero.</summary>
    /// <param name="length">How many bytes.</param>
    /// <returns>Where the range starts.</returns>
    public ulong Allocate(ulong length);

    /// <summary>Gives a range back.</summary>
    /// <param name="address">Where it starts.</param>
    /// <param name="length">How many bytes.</param>
    public void Release(ulong address, ulong length);

    /// <summary>Replaces the heap's note. Any thread.</summary>
    /// <param name="note">At most <see cref="Engine.PersistentHeap.NoteLengthMax"/> bytes.</param>
    /// <exception cref="IOException">The store refuses.</exception>
    /// <exception cref="OperationCanceledException">The heap is closed.</exception>
    public void WriteNote(ReadOnlySpan<byte> note);

    /// <summary>Reads the heap's note. Any thread.</summary>
    /// <param name="destination">256 bytes; filled from their start.</param>
    /// <param name="length">The note's length.</param>
    /// <returns>Whether there is a note.</returns>
    public bool TryReadNote(Span<byte> destination, out int length);
}
