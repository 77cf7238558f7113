namespace Everheap.Engine.Collections;

/// <summary>Makes and opens arrays in heaps.</summary>
public static class PersistentArray
{
    /// <summary>Makes an array that can grow.</summary>
    /// <typeparam name="T">The type of its elements: see <see cref="PersistentArray{T}"/>.</typeparam>
    /// <param name="heap">The heap it is to lie in.</param>
    /// <param name="length">How many elements, all zero, there are to begin with.</param>
    /// <param name="capacity">How many elements to set addresses aside for at once. It saves little, and costs nothing.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative, or larger than any heap.</exception>
    /// <exception cref="NotSupportedException">An element has more than <see cref="PersistentHeap.PageSize"/> bytes.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    /// <exception cref="HeapException">The store was opened for reading only.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public static PersistentArray<T> Create<T>(PersistentHeap heap, long length = 0, long capacity = 0)
        where T : unmanaged =>
        PersistentArray<T>.Create(heap, length, Math.Max(length, capacity), isFixed: false);

    /// <summary>Makes an array that keeps its length.</summary>
    /// <typeparam name="T">The type of its elements: see <see cref="PersistentArray{T}"/>.</typeparam>
    /// <param name="heap">The heap it is to lie in.</param>
    /// <param name="length">How many elements, all zero, it has.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative, or larger than any heap.</exception>
    /// <exception cref="NotSupportedException">An element has more than <see cref="PersistentHeap.PageSize"/> bytes.</exception>
    /// <exception cref="HeapFullException">Frames could not be freed for want of room in the file.</exception>
    /// <exception cref="HeapFailedException">Writing to the store failed, now or earlier.</exception>
    /// <exception cref="HeapException">The store was opened for reading only.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public static PersistentArray<T> CreateFixed<T>(PersistentHeap heap, long length)
        where T : unmanaged =>
        PersistentArray<T>.Create(heap, length, length, isFixed: true);

    /// <summary>Opens an array.</summary>
    /// <typeparam name="T">The type of its elements: the one it was created with, or one of the same size that means the same.</typeparam>
    /// <param name="heap">The heap it lies in.</param>
    /// <param name="address">Its <see cref="PersistentArray{T}.Address"/>.</param>
    /// <exception cref="NotSupportedException">An element has more than <see cref="PersistentHeap.PageSize"/> bytes.</exception>
    /// <exception cref="HeapException">There is no array at the address, or its elements have another size.</exception>
    /// <exception cref="HeapFormatException">The array was made by a newer version of the program.</exception>
    /// <exception cref="HeapCorruptedException">The header contradicts itself, or a page does not match its checksum.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public static PersistentArray<T> Open<T>(PersistentHeap heap, ulong address)
        where T : unmanaged =>
        PersistentArray<T>.Open(heap, address);

    /// <summary>Opens the array that a name stands for.</summary>
    /// <typeparam name="T">The type of its elements: the one it was created with, or one of the same size that means the same.</typeparam>
    /// <param name="heap">The heap.</param>
    /// <param name="root">The name, in <see cref="PersistentHeap.Roots"/>.</param>
    /// <exception cref="ArgumentException">The name is empty, too long, or not well-formed UTF-16.</exception>
    /// <exception cref="NotSupportedException">An element has more than <see cref="PersistentHeap.PageSize"/> bytes.</exception>
    /// <exception cref="HeapException">There is no such name, what has it is no array, or its elements have another size.</exception>
    /// <exception cref="HeapFormatException">The array was made by a newer version of the program.</exception>
    /// <exception cref="HeapCorruptedException">The header contradicts itself, or a page does not match its checksum.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public static PersistentArray<T> Open<T>(PersistentHeap heap, string root)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(heap);
        return Open<T>(heap, AddressOf(heap.Roots, root, heap.Name));
    }

    /// <summary>Opens an array as a checkpoint has it, to be read by any number of threads.</summary>
    /// <typeparam name="T">The type of its elements: the one it was created with, or one of the same size that means the same.</typeparam>
    /// <param name="snapshot">The checkpoint. The array can be read for as long as it is open.</param>
    /// <param name="address">The array's <see cref="PersistentArray{T}.Address"/>; <see cref="HeapSnapshot.Roots"/> has the names that there were.</param>
    /// <exception cref="NotSupportedException">An element has more than <see cref="PersistentHeap.PageSize"/> bytes.</exception>
    /// <exception cref="HeapException">There is no array at the address in this checkpoint, or its elements have another size.</exception>
    /// <exception cref="HeapFormatException">The array was made by a newer version of the program.</exception>
    /// <exception cref="HeapCorruptedException">The header contradicts itself, or a page does not match its checksum.</exception>
    /// <exception cref="ObjectDisposedException">The snapshot is closed.</exception>
    public static ReadOnlyPersistentArray<T> Open<T>(HeapSnapshot snapshot, ulong address)
        where T : unmanaged =>
        ReadOnlyPersistentArray<T>.Open(snapshot, address);

    /// <summary>Opens the array that a name stands for, as a checkpoint has it, to be read by any number of threads.</summary>
    /// <typeparam name="T">The type of its elements: the one it was created with, or one of the same size that means the same.</typeparam>
    /// <param name="snapshot">The checkpoint. The array can be read for as long as it is open.</param>
    /// <param name="root">The name, in <see cref="HeapSnapshot.Roots"/>.</param>
    /// <exception cref="ArgumentException">The name is empty, too long, or not well-formed UTF-16.</exception>
    /// <exception cref="NotSupportedException">An element has more than <see cref="PersistentHeap.PageSize"/> bytes.</exception>
    /// <exception cref="HeapException">There is no such name in this checkpoint, what has it is no array, or its elements have another size.</exception>
    /// <exception cref="HeapFormatException">The array was made by a newer version of the program.</exception>
    /// <exception cref="HeapCorruptedException">The header contradicts itself, or a page does not match its checksum.</exception>
    /// <exception cref="ObjectDisposedException">The snapshot is closed.</exception>
    public static ReadOnlyPersistentArray<T> Open<T>(HeapSnapshot snapshot, string root)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return Open<T>(snapshot, AddressOf(snapshot.Roots, root, snapshot.HeapName));
    }

    /// <summary>
    /// Opens the array that a name of <see cref="PersistentHeap.Roots"/> stands for. If there is no such name, makes an array that can grow, and names it.
    /// </summary>
    /// <typeparam name="T">The type of its elements: the one it was created with, or one of the same size that means the same.</typeparam>
    /// <param name="heap">The heap.</param>
    /// <param name="root">The name: see <see cref="NamedRoots.Set"/>.</param>
    /// <exception cref="ArgumentException">The name is empty, too long, or not well-formed UTF-16.</exception>
    /// <exception cref="NotSupportedException">An element has more than <see cref="PersistentHeap.PageSize"/> bytes.</exception>
    /// <exception cref="HeapException">
    /// What has the name is no array, or its elements have another size; or the array is to be made, and the store was opened for reading only, or there is no room (<see cref="HeapFullException"/>).
    /// </exception>
    /// <exception cref="HeapFormatException">The array was made by a newer version of the program.</exception>
    /// <exception cref="HeapCorruptedException">The header contradicts itself, or a page does not match its checksum.</exception>
    /// <exception cref="ObjectDisposedException">The heap is closed.</exception>
    public static PersistentArray<T> OpenOrCreate<T>(PersistentHeap heap, string root)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(heap);
        if (heap.Roots.TryGet(root, out var address))
        {
            return Open<T>(heap, address);
        }

        var array = Create<T>(heap);
        try
        {
            heap.Roots.Set(root, array.Address);
        }
        catch
        {
            array.Delete();
            throw;
        }

        return array;
    }

    private static ulong AddressOf(ReadOnlyNamedRoots roots, string root, string heapName) => roots.TryGet(root, out var address)
        ? address
        : throw new HeapException($"Heap '{heapName}': there is no name '{root}'. Was it set before the checkpoint that this is?");
}
