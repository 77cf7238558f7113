using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Everheap.Engine;

namespace Everheap.Vm.Execution;

/// <summary>
/// A table (core specification, section 4.2.7). References are numbers: a function's index plus one, or a host object's number; zero is
/// null. The heap holds them; native memory holds them again together with what an indirect call needs.
/// </summary>
internal sealed unsafe class Table : IDisposable
{
    /// <summary>The most elements that a table may have.</summary>
    public const uint ElementsMax = 10_000_000;

    /// <summary>Heap address space that a table takes.</summary>
    public const ulong AddressSpaceBytes = (ulong)ElementsMax * sizeof(ulong);

    private readonly PersistentHeap _heap;
    private readonly TableView* _view;
    private readonly Func<ulong, TableEntry> _resolve;
    private readonly uint _elementsMax;
    private ulong* _references;
    private uint _capacity;

    /// <summary>Creates an empty table.</summary>
    /// <param name="heap">The heap.</param>
    /// <param name="address">Where its elements lie in the heap.</param>
    /// <param name="maximum">The declared maximum.</param>
    /// <param name="view">What compiled code sees of it.</param>
    /// <param name="resolve">What an indirect call needs for a reference.</param>
    public Table(PersistentHeap heap, ulong address, uint? maximum, TableView* view, Func<ulong, TableEntry> resolve)
    {
        _heap = heap;
        Address = address;
        _elementsMax = Math.Min(maximum ?? ElementsMax, ElementsMax);
        _view = view;
        _resolve = resolve;
        *view = default;
    }

    public ulong Address { get; }

    public uint Length => (uint)_view->Length;

    /// <summary>Reads the elements back from the heap.</summary>
    /// <exception cref="HeapFormatException">There are more than a table may have.</exception>
    public void Restore(uint length)
    {
        if (length > _elementsMax)
        {
            throw new HeapFormatException($"a table has {length} elements, and may have {_elementsMax}: the heap does not fit its module");
        }

        Reserve(length);
        _view->Length = length;
        _heap.Read(Address, MemoryMarshal.AsBytes(new Span<ulong>(_references, (int)length)));
        ResolveAll();
    }

    /// <summary>Finds out anew what indirect calls need: another compilation has other entry points.</summary>
    public void ResolveAll()
    {
        for (uint index = 0; index < Length; index++)
        {
            _view->Entries[index] = _resolve(_references[index]);
        }
    }

    /// <summary>Grows the table.</summary>
    /// <returns>The length before, or null if the table may not become so large.</returns>
    public uint? Grow(uint delta, ulong value)
    {
        uint before = Length;
        if (delta > _elementsMax - before)
        {
            return null;
        }

        Reserve(before + delta);
        _view->Length = before + delta;
        FillInside(before, value, delta);
        return before;
    }

    public bool IsInside(uint index, uint length) => (ulong)index + length <= Length;

    public ulong this[uint index] => _references[index];

    public void Set(uint index, ulong value)
    {
        _references[index] = value;
        _view->Entries[index] = _resolve(value);
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        _heap.Write(Address + ((ulong)index * sizeof(ulong)), bytes);
    }

    public void FillInside(uint index, ulong value, uint length)
    {
        TableEntry entry = _resolve(value);
        for (uint position = index; position < index + length; position++)
        {
            _references[position] = value;
            _view->Entries[position] = entry;
        }

        Store(index, length);
    }

    /// <summary>Copies elements that lie inside both tables, which may be one.</summary>
    public void CopyInside(uint destination, Table from, uint source, uint length)
    {
        Buffer.MemoryCopy(from._references + source, _references + destination, (ulong)length * sizeof(ulong), (ulong)length * sizeof(ulong));
        Buffer.MemoryCopy(
            from._view->Entries + source, _view->Entries + destination, (ulong)length * (ulong)sizeof(TableEntry), (ulong)length * (ulong)sizeof(TableEntry));
        Store(destination, length);
    }

    public void Dispose()
    {
        NativeMemory.Free(_view->Entries);
        NativeMemory.Free(_references);
        _view->Entries = null;
        _view->Length = 0;
        _references = null;
    }

    private void Store(uint index, uint length) => _heap.Write(
        Address + ((ulong)index * sizeof(ulong)), MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(_references + index, (int)length)));

    private void Reserve(uint elements)
    {
        if (elements <= _capacity)
        {
            return;
        }

        uint capacity = Math.Min(Math.Max(elements, _capacity + (_capacity / 2)), _elementsMax);
        _view->Entries = (TableEntry*)NativeMemory.Realloc(_view->Entries, (nuint)capacity * (nuint)sizeof(TableEntry));
        _references = (ulong*)NativeMemory.Realloc(_references, (nuint)capacity * sizeof(ulong));
        _capacity = capacity;
    }
}
