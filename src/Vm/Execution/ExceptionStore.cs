using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Everheap.Engine;

namespace Everheap.Vm.Execution;

/// <summary>
/// The exceptions that a program has thrown and may still look at (core specification, section 4.2.10). A reference to one is its number; zero is null. An exception that was only
/// ever caught by its values is given back at once; what was caught by reference is given back when no frame, global or table holds it any more, which is found out while the stack lies in the heap.
/// Used by the thread that runs the program.
/// </summary>
internal sealed class ExceptionStore
{
    /// <summary>The most exceptions that are kept at once.</summary>
    public const int ExceptionsMax = 1_000_000;

    private const int CollectFirst = 1_000;
    private const int HeadBytes = 2 * sizeof(int);

    private readonly List<Thrown?> _exceptions = [];
    private readonly Stack<int> _free = [];
    private int _collectAt = CollectFirst;
    private bool _isChanged;

    private sealed record Thrown(ulong Tag, ulong[] Values)
    {
        /// <summary>Whether the program has, or had, a reference to it.</summary>
        public bool IsReferenced { get; set; }
    }

    /// <summary>How many there are.</summary>
    public int Count => _exceptions.Count - _free.Count;

    /// <summary>Whether so many were made that it is time to look for those nobody needs.</summary>
    public bool ShouldCollect => Count >= _collectAt;

    /// <summary>Adds an exception.</summary>
    /// <param name="tag">The identity of its tag.</param>
    /// <param name="values">Its values, as the context's slots hold them.</param>
    /// <returns>Its number, or 0 where there are too many.</returns>
    public ulong Add(ulong tag, ReadOnlySpan<ulong> values)
    {
        if (Count >= ExceptionsMax)
        {
            return 0;
        }

        _isChanged = true;
        var thrown = new Thrown(tag, values.ToArray());
        if (_free.TryPop(out int index))
        {
            _exceptions[index] = thrown;
        }
        else
        {
            index = _exceptions.Count;
            _exceptions.Add(thrown);
        }

        return (ulong)index + 1;
    }

    /// <summary>The identity of an exception's tag.</summary>
    /// <exception cref="HeapFormatException">There is no such exception.</exception>
    public ulong TagOf(ulong number) => Find(number).Tag;

    /// <summary>An exception's values.</summary>
    /// <exception cref="HeapFormatException">There is no such exception.</exception>
    public ReadOnlySpan<ulong> ValuesOf(ulong number) => Find(number).Values;

    /// <summary>The program gets a reference to an exception.</summary>
    public void Refer(ulong number) => Find(number).IsReferenced = true;

    /// <summary>An exception was caught by its values: it goes, unless the program has a reference to it.</summary>
    public void Release(ulong number)
    {
        if (!Find(number).IsReferenced)
        {
            Remove((int)number - 1);
        }
    }

    /// <summary>Gives back every exception but those that are still referred to.</summary>
    public void Collect(IReadOnlySet<ulong> referred)
    {
        for (int index = 0; index < _exceptions.Count; index++)
        {
            if (_exceptions[index] is not null && !referred.Contains((ulong)index + 1))
            {
                Remove(index);
            }
        }

        _collectAt = Math.Max(CollectFirst, 2 * Count);
    }

    /// <summary>Writes the exceptions to a heap, if they have changed since.</summary>
    /// <param name="heap">The heap.</param>
    /// <param name="address">Where they lie, or 0; changed where they find a new place.</param>
    /// <param name="length">How many bytes they take there.</param>
    public void Save(PersistentHeap heap, ref ulong address, ref ulong length)
    {
        if (!_isChanged)
        {
            return;
        }

        byte[] bytes = Write();
        if (address != 0 && (ulong)bytes.Length > length)
        {
            heap.Release(address, length);
            address = 0;
        }

        if (bytes.Length > 0)
        {
            if (address == 0)
            {
                length = (ulong)bytes.Length * 2;
                address = heap.Allocate(length);
            }

            heap.Write(address, bytes);
        }
        else if (address != 0)
        {
            heap.Clear(address, sizeof(int));
        }

        _isChanged = false;
    }

    /// <summary>Reads the exceptions back.</summary>
    /// <exception cref="HeapFormatException">What lies there are no exceptions.</exception>
    public void Restore(PersistentHeap heap, ulong address, ulong length)
    {
        if (address == 0)
        {
            return;
        }

        var bytes = new byte[checked((int)length)];
        heap.Read(address, bytes);
        ReadOnlySpan<byte> rest = bytes;
        int count = TakeInt32(ref rest);
        for (int entry = 0; entry < count; entry++)
        {
            int index = TakeInt32(ref rest);
            int valueCount = TakeInt32(ref rest);
            if (index < _exceptions.Count || index >= ExceptionsMax || valueCount < 0 || (ulong)rest.Length < ((ulong)valueCount + 1) * sizeof(ulong))
            {
                throw new HeapFormatException("the heap's record of thrown exceptions is malformed: the heap does not hold a program there");
            }

            while (_exceptions.Count < index)
            {
                _free.Push(_exceptions.Count);
                _exceptions.Add(null);
            }

            ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(rest[..((valueCount + 1) * sizeof(ulong))]);
            _exceptions.Add(new Thrown(words[0], words[1..].ToArray()) { IsReferenced = true });
            rest = rest[((valueCount + 1) * sizeof(ulong))..];
        }
    }

    // A count, then of each: its index, its number of values, its tag, the values.
    private byte[] Write()
    {
        if (Count == 0)
        {
            return [];
        }

        var stream = new MemoryStream();
        Span<byte> word = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteInt32LittleEndian(word, Count);
        stream.Write(word[..sizeof(int)]);
        for (int index = 0; index < _exceptions.Count; index++)
        {
            if (_exceptions[index] is Thrown thrown)
            {
                BinaryPrimitives.WriteInt32LittleEndian(word, index);
                BinaryPrimitives.WriteInt32LittleEndian(word[sizeof(int)..], thrown.Values.Length);
                stream.Write(word[..HeadBytes]);
                BinaryPrimitives.WriteUInt64LittleEndian(word, thrown.Tag);
                stream.Write(word);
                stream.Write(MemoryMarshal.AsBytes(thrown.Values.AsSpan()));
            }
        }

        return stream.ToArray();
    }

    private static int TakeInt32(ref ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < sizeof(int))
        {
            throw new HeapFormatException("the heap's record of thrown exceptions ends too early: the heap does not hold a program there");
        }

        int value = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        bytes = bytes[sizeof(int)..];
        return value;
    }

    private Thrown Find(ulong number) => number - 1 < (ulong)_exceptions.Count && _exceptions[(int)(number - 1)] is Thrown thrown
        ? thrown
        : throw new HeapFormatException($"the program refers to exception {number}, which does not exist: the heap was made by an incompatible version");

    private void Remove(int index)
    {
        _isChanged = true;
        _exceptions[index] = null;
        _free.Push(index);
    }
}
