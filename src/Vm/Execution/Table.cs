using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Everheap.Engine;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>
/// A table (core specification, section 4.2.7). References are numbers, zero is null: see <see cref="InstanceGroup.TryFindFunction"/>, and for external ones whoever gave them out.
/// The heap holds them. Native memory holds them again, and for every instance that uses the table, what its indirect calls need: the entry points of its own functions and
/// bridges to those of others, with the numbers that its module has for their types.
/// </summary>
internal sealed unsafe class Table : IDisposable
{
    /// <summary>The most elements that a table may have.</summary>
    public const uint ElementsMax = 10_000_000;

    /// <summary>Heap address space that a table takes.</summary>
    public const ulong AddressSpaceBytes = (ulong)ElementsMax * sizeof(ulong);

    private readonly PersistentHeap _heap;
    private readonly List<View> _views = [];
    private readonly uint _elementsMax;
    private ulong* _references;
    private uint _capacity;

    /// <summary>Creates an empty table.</summary>
    /// <param name="heap">The heap.</param>
    /// <param name="number">Its number in its group.</param>
    /// <param name="address">Where its elements lie in the heap.</param>
    /// <param name="type">Its type, as its module has it.</param>
    /// <param name="elementType">The type of its elements, as the group has it (<see cref="TypeUniverse"/>).</param>
    public Table(PersistentHeap heap, int number, ulong address, TableType type, ValType elementType)
    {
        _heap = heap;
        Number = number;
        Address = address;
        Type = type;
        ElementType = elementType;
        _elementsMax = (uint)Math.Min(type.Limits.Maximum ?? ElementsMax, ElementsMax);
    }

    /// <summary>What an instance's compiled code sees of the table.</summary>
    private sealed record View(Instance Instance, nint Place)
    {
        public TableView* Native => (TableView*)Place;
    }

    /// <summary>Its number in its group.</summary>
    public int Number { get; }

    public ulong Address { get; }

    /// <summary>Its type as it was declared.</summary>
    public TableType Type { get; }

    /// <summary>The type of its elements, as the group has it.</summary>
    public ValType ElementType { get; }

    public uint Length { get; private set; }

    /// <summary>Whether its elements can be called.</summary>
    public bool HoldsFunctions => Type.ElementType.Stored == ValType.FuncRef;

    public ulong this[uint index] => _references[index];

    /// <summary>Makes the table visible to an instance.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="place">Where its compiled code looks.</param>
    public void Show(Instance instance, TableView* place)
    {
        var view = new View(instance, (nint)place);
        *place = default;
        if (_capacity > 0 && HoldsFunctions)
        {
            place->Entries = (TableEntry*)NativeMemory.Alloc(_capacity, (nuint)sizeof(TableEntry));
        }

        place->Length = Length;
        _views.Add(view);
    }

    /// <summary>The instance that it was shown to is gone.</summary>
    public void Hide(TableView* place)
    {
        if (_views.Find(view => view.Place == (nint)place) is View found)
        {
            NativeMemory.Free(place->Entries);
            *place = default;
            _views.Remove(found);
        }
    }

    /// <summary>Reads the elements back from the heap. What indirect calls need is found out by <see cref="ResolveAll"/>, once all instances are there.</summary>
    /// <exception cref="HeapFormatException">There are more than a table may have.</exception>
    public void Restore(ulong length)
    {
        if (length > _elementsMax)
        {
            throw new HeapFormatException($"a table has {length} elements, and may have {_elementsMax}: the heap does not fit its module");
        }

        Reserve((uint)length);
        SetLength((uint)length);
        _heap.Read(Address, MemoryMarshal.AsBytes(new Span<ulong>(_references, (int)length)));
    }

    /// <summary>Finds out anew what the indirect calls of all instances need: another compilation has other entry points.</summary>
    public void ResolveAll() => Resolve(0, Length);

    /// <summary>As <see cref="ResolveAll"/>, for an instance that it was shown to just now.</summary>
    public void ResolveFor(Instance instance)
    {
        foreach (View view in HoldsFunctions ? _views.Where(view => view.Instance == instance) : [])
        {
            Resolve(view, 0, Length);
        }
    }

    /// <summary>Takes over the entry points of functions that have been compiled since their elements were set.</summary>
    /// <param name="instance">The instance whose functions they are.</param>
    /// <param name="functions">Its module's table of functions.</param>
    public void Refresh(Instance instance, TableEntry* functions)
    {
        foreach (View view in HoldsFunctions ? _views.Where(view => view.Instance == instance) : [])
        {
            TableEntry* entries = view.Native->Entries;
            for (uint index = 0; index < Length; index++)
            {
                if (entries[index].Signature != 0 && entries[index].Function != TableEntry.Foreign)
                {
                    entries[index].Code = functions[entries[index].Function].Code;
                }
            }
        }
    }

    /// <summary>Grows the table.</summary>
    /// <returns>The length before, or null if the table may not become so large.</returns>
    public uint? Grow(ulong delta, ulong value)
    {
        uint before = Length;
        if (delta > _elementsMax - before)
        {
            return null;
        }

        var added = (uint)delta;
        Reserve(before + added);
        SetLength(before + added);
        FillInside(before, value, added);
        return before;
    }

    public bool IsInside(ulong index, ulong length) => index <= Length && length <= Length - index;

    public void Set(uint index, ulong value)
    {
        _references[index] = value;
        foreach (View view in HoldsFunctions ? _views : [])
        {
            view.Native->Entries[index] = view.Instance.Resolve(value);
        }

        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        _heap.Write(Address + ((ulong)index * sizeof(ulong)), bytes);
    }

    /// <summary>Sets a range that lies inside the table.</summary>
    public void SetInside(uint index, ReadOnlySpan<ulong> values)
    {
        values.CopyTo(new Span<ulong>(_references + index, values.Length));
        Resolve(index, (uint)values.Length);
        Store(index, (uint)values.Length);
    }

    public void FillInside(uint index, ulong value, uint length)
    {
        new Span<ulong>(_references + index, (int)length).Fill(value);
        foreach (View view in HoldsFunctions ? _views : [])
        {
            new Span<TableEntry>(view.Native->Entries + index, (int)length).Fill(view.Instance.Resolve(value));
        }

        Store(index, length);
    }

    /// <summary>Copies elements that lie inside both tables, which may be one.</summary>
    public void CopyInside(uint destination, Table from, uint source, uint length)
    {
        Buffer.MemoryCopy(from._references + source, _references + destination, (ulong)length * sizeof(ulong), (ulong)length * sizeof(ulong));
        foreach (View view in HoldsFunctions ? _views : [])
        {
            if (from._views.Find(other => other.Instance == view.Instance) is View origin)
            {
                ulong bytes = (ulong)length * (ulong)sizeof(TableEntry);
                Buffer.MemoryCopy(origin.Native->Entries + source, view.Native->Entries + destination, bytes, bytes);
            }
            else
            {
                Resolve(view, destination, length);
            }
        }

        Store(destination, length);
    }

    public void Dispose()
    {
        foreach (View view in _views)
        {
            NativeMemory.Free(view.Native->Entries);
            *view.Native = default;
        }

        _views.Clear();
        NativeMemory.Free(_references);
        _references = null;
        Length = 0;
    }

    private void Resolve(uint index, uint length)
    {
        foreach (View view in HoldsFunctions ? _views : [])
        {
            Resolve(view, index, length);
        }
    }

    private void Resolve(View view, uint index, uint length)
    {
        var references = new ReadOnlySpan<ulong>(_references + index, (int)length);
        view.Instance.PrepareBridges(references);
        for (uint position = 0; position < length; position++)
        {
            view.Native->Entries[index + position] = view.Instance.Resolve(_references[index + position]);
        }
    }

    private void SetLength(uint length)
    {
        Length = length;
        foreach (View view in _views)
        {
            view.Native->Length = length;
        }
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
        _references = (ulong*)NativeMemory.Realloc(_references, (nuint)capacity * sizeof(ulong));
        foreach (View view in HoldsFunctions ? _views : [])
        {
            view.Native->Entries = (TableEntry*)NativeMemory.Realloc(view.Native->Entries, (nuint)capacity * (nuint)sizeof(TableEntry));
        }

        _capacity = capacity;
    }
}
