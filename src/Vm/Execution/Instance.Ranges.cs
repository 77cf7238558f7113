using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <content>What compiled code asks of memories, tables and segments when the fast path does not do.</content>
internal sealed unsafe partial class Instance
{
    /// <summary>A load that missed: brings the page in, or assembles a value that straddles two, or traps.</summary>
    /// <returns>The bytes, zero-extended; 0 after a trap.</returns>
    public long LoadSlow(ulong address, int size, int function, int offset)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        bytes.Clear();
        LoadSlow(address, bytes[..size], function, offset);
        return System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(bytes);
    }

    /// <summary>As <see cref="LoadSlow(ulong, int, int, int)"/>, of so many bytes as the value has, which are left as they are after a trap.</summary>
    public void LoadSlow(ulong address, Span<byte> value, int function, int offset)
    {
        LinearMemory memory = Memory!;
        if (!memory.IsInside(address, (ulong)value.Length))
        {
            CompiledCode.Trap(_context, function, offset, (int)TrapKind.OutOfBoundsMemory);
            return;
        }

        int first = Math.Min(value.Length, LinearMemoryPageRoom(address));
        memory.Window.ReadSpan(address, first).CopyTo(value);
        if (first < value.Length)
        {
            memory.Window.ReadSpan(address + (ulong)first, value.Length - first).CopyTo(value[first..]);
        }
    }

    /// <summary>A store that missed: makes the page writable, or spreads a value over two, or traps.</summary>
    public void StoreSlow(ulong address, int size, long bits, int function, int offset)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(bytes, bits);
        StoreSlow(address, bytes[..size], function, offset);
    }

    /// <summary>As <see cref="StoreSlow(ulong, int, long, int, int)"/>, of so many bytes as the value has.</summary>
    public void StoreSlow(ulong address, ReadOnlySpan<byte> value, int function, int offset)
    {
        LinearMemory memory = Memory!;
        if (!memory.IsInside(address, (ulong)value.Length))
        {
            CompiledCode.Trap(_context, function, offset, (int)TrapKind.OutOfBoundsMemory);
            return;
        }

        int first = Math.Min(value.Length, LinearMemoryPageRoom(address));
        value[..first].CopyTo(memory.Window.WriteSpan(address, first));
        if (first < value.Length)
        {
            value[first..].CopyTo(memory.Window.WriteSpan(address + (ulong)first, value.Length - first));
        }

        Group.DirtyLimitCheck?.Invoke();
    }

    public int GrowMemory(uint delta)
    {
        uint? before = Group.Grow(Memory!, delta);
        return before is uint pages ? (int)pages : -1;
    }

    public TrapKind FillMemory(uint destination, byte value, uint length)
    {
        if (!Memory!.IsInside(destination, length))
        {
            return TrapKind.OutOfBoundsMemory;
        }

        Memory.Fill(destination, value, length);
        Group.DirtyLimitCheck?.Invoke();
        return TrapKind.None;
    }

    public TrapKind CopyMemory(uint destination, uint source, uint length)
    {
        if (!Memory!.IsInside(destination, length) || !Memory.IsInside(source, length))
        {
            return TrapKind.OutOfBoundsMemory;
        }

        Memory.Copy(destination, source, length);
        Group.DirtyLimitCheck?.Invoke();
        return TrapKind.None;
    }

    public TrapKind InitializeMemory(int segment, uint destination, uint source, uint length)
    {
        int available = _droppedData[segment] ? 0 : Module.Data[segment].Length;
        if ((ulong)source + length > (ulong)available || !Memory!.IsInside(destination, length))
        {
            return TrapKind.OutOfBoundsMemory;
        }

        Memory.Write(destination, Module.Bytes.Span.Slice(Module.Data[segment].Start + (int)source, (int)length));
        return TrapKind.None;
    }

    public void DropData(int segment)
    {
        _droppedData[segment] = true;
        _heap.Write(_layout.Segments + (ulong)segment, [1]);
    }

    public void DropElements(int segment)
    {
        _droppedElements[segment] = true;
        _heap.Write(_layout.Segments + (ulong)(_droppedData.Length + segment), [1]);
    }

    public TrapKind InitializeTable(int table, int segment, uint destination, uint source, uint length)
    {
        ElementSegment elements = Module.Elements[segment];
        int available = _droppedElements[segment] ? 0 : elements.Functions?.Length ?? elements.Expressions!.Length;
        if ((ulong)source + length > (ulong)available || !_tables[table].IsInside(destination, length))
        {
            return TrapKind.OutOfBoundsTable;
        }

        var references = new ulong[length];
        for (uint index = 0; index < length; index++)
        {
            references[index] = elements.Functions is int[] functions
                ? InstanceGroup.FirstReferenceOf(Number) + (ulong)functions[source + index] + 1
                : (ulong)Evaluate(elements.Expressions![source + index]);
        }

        _tables[table].SetInside(destination, references);
        return TrapKind.None;
    }

    public TrapKind CopyTable(int table, int sourceTable, uint destination, uint source, uint length)
    {
        if (!_tables[table].IsInside(destination, length) || !_tables[sourceTable].IsInside(source, length))
        {
            return TrapKind.OutOfBoundsTable;
        }

        _tables[table].CopyInside(destination, _tables[sourceTable], source, length);
        return TrapKind.None;
    }

    public int GrowTable(int table, ulong value, uint delta) => _tables[table].Grow(delta, value) is uint before ? (int)before : -1;

    public TrapKind FillTable(int table, uint destination, ulong value, uint length)
    {
        if (!_tables[table].IsInside(destination, length))
        {
            return TrapKind.OutOfBoundsTable;
        }

        _tables[table].FillInside(destination, value, length);
        return TrapKind.None;
    }

    public TrapKind TryGetElement(int table, uint element, out ulong value)
    {
        bool isInside = _tables[table].IsInside(element, 1);
        value = isInside ? _tables[table][element] : 0;
        return isInside ? TrapKind.None : TrapKind.OutOfBoundsTable;
    }

    public TrapKind TrySetElement(int table, uint element, ulong value)
    {
        if (!_tables[table].IsInside(element, 1))
        {
            return TrapKind.OutOfBoundsTable;
        }

        _tables[table].Set(element, value);
        return TrapKind.None;
    }

    private static int LinearMemoryPageRoom(ulong address) =>
        Everheap.Engine.PersistentHeap.PageSize - (int)(address % Everheap.Engine.PersistentHeap.PageSize);
}
