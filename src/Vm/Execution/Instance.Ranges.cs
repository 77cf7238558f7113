using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <content>What compiled code asks of memories, tables and segments when the fast path does not do.</content>
internal sealed unsafe partial class Instance
{
    /// <summary>A load that missed: brings the page in, or assembles a value that straddles two, or traps.</summary>
    /// <returns>The bytes, zero-extended; 0 after a trap.</returns>
    public long LoadSlow(int memory, ulong address, int size, int function, int offset)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        bytes.Clear();
        LoadSlow(memory, address, bytes[..size], function, offset);
        return System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(bytes);
    }

    /// <summary>As <see cref="LoadSlow(int, ulong, int, int, int)"/>, of so many bytes as the value has, which are left as they are after a trap.</summary>
    public void LoadSlow(int memory, ulong address, Span<byte> value, int function, int offset)
    {
        LinearMemory source = _memories[memory];
        if (!source.IsInside(address, (ulong)value.Length))
        {
            CompiledCode.Trap(_context, function, offset, (int)TrapKind.OutOfBoundsMemory);
            return;
        }

        int first = Math.Min(value.Length, LinearMemoryPageRoom(address));
        source.Window.ReadSpan(address, first).CopyTo(value);
        if (first < value.Length)
        {
            source.Window.ReadSpan(address + (ulong)first, value.Length - first).CopyTo(value[first..]);
        }
    }

    /// <summary>A store that missed: makes the page writable, or spreads a value over two, or traps.</summary>
    public void StoreSlow(int memory, ulong address, int size, long bits, int function, int offset)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(bytes, bits);
        StoreSlow(memory, address, bytes[..size], function, offset);
    }

    /// <summary>As <see cref="StoreSlow(int, ulong, int, long, int, int)"/>, of so many bytes as the value has.</summary>
    public void StoreSlow(int memory, ulong address, ReadOnlySpan<byte> value, int function, int offset)
    {
        LinearMemory target = _memories[memory];
        if (!target.IsInside(address, (ulong)value.Length))
        {
            CompiledCode.Trap(_context, function, offset, (int)TrapKind.OutOfBoundsMemory);
            return;
        }

        int first = Math.Min(value.Length, LinearMemoryPageRoom(address));
        value[..first].CopyTo(target.Window.WriteSpan(address, first));
        if (first < value.Length)
        {
            value[first..].CopyTo(target.Window.WriteSpan(address + (ulong)first, value.Length - first));
        }

        Group.DirtyLimitCheck?.Invoke();
    }

    /// <summary>Grows a memory.</summary>
    /// <returns>The size before, in pages, or -1.</returns>
    public long GrowMemory(int memory, ulong delta) => Group.Grow(_memories[memory], delta) is uint pages ? pages : -1;

    public TrapKind FillMemory(int memory, ulong destination, byte value, ulong length)
    {
        if (!_memories[memory].IsInside(destination, length))
        {
            return TrapKind.OutOfBoundsMemory;
        }

        _memories[memory].Fill(destination, value, length);
        Group.DirtyLimitCheck?.Invoke();
        return TrapKind.None;
    }

    public TrapKind CopyMemory(int memory, int sourceMemory, ulong destination, ulong source, ulong length)
    {
        if (!_memories[memory].IsInside(destination, length) || !_memories[sourceMemory].IsInside(source, length))
        {
            return TrapKind.OutOfBoundsMemory;
        }

        _memories[memory].CopyFrom(_memories[sourceMemory], destination, source, length);
        Group.DirtyLimitCheck?.Invoke();
        return TrapKind.None;
    }

    public TrapKind InitializeMemory(int memory, int segment, ulong destination, ulong source, ulong length)
    {
        ulong available = _droppedData[segment] ? 0 : (ulong)Module.Data[segment].Length;
        if (source > available || length > available - source || !_memories[memory].IsInside(destination, length))
        {
            return TrapKind.OutOfBoundsMemory;
        }

        _memories[memory].Write(destination, Module.Bytes.Span.Slice(Module.Data[segment].Start + (int)source, (int)length));
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

    public TrapKind InitializeTable(int table, int segment, ulong destination, ulong source, ulong length)
    {
        ElementSegment elements = Module.Elements[segment];
        ulong available = _droppedElements[segment] ? 0 : (ulong)(elements.Functions?.Length ?? elements.Expressions!.Length);
        if (source > available || length > available - source || !_tables[table].IsInside(destination, length))
        {
            return TrapKind.OutOfBoundsTable;
        }

        var references = new ulong[length];
        for (ulong index = 0; index < length; index++)
        {
            references[index] = elements.Functions is int[] functions
                ? InstanceGroup.FirstReferenceOf(Number) + (ulong)functions[source + index] + 1
                : (ulong)Evaluate(elements.Expressions![source + index]);
        }

        _tables[table].SetInside((uint)destination, references);
        return TrapKind.None;
    }

    public TrapKind CopyTable(int table, int sourceTable, ulong destination, ulong source, ulong length)
    {
        if (!_tables[table].IsInside(destination, length) || !_tables[sourceTable].IsInside(source, length))
        {
            return TrapKind.OutOfBoundsTable;
        }

        _tables[table].CopyInside((uint)destination, _tables[sourceTable], (uint)source, (uint)length);
        return TrapKind.None;
    }

    /// <returns>The length before, or -1.</returns>
    public long GrowTable(int table, ulong value, ulong delta) => Group.Grow(_tables[table], delta, value) is uint before ? before : -1;

    public TrapKind FillTable(int table, ulong destination, ulong value, ulong length)
    {
        if (!_tables[table].IsInside(destination, length))
        {
            return TrapKind.OutOfBoundsTable;
        }

        _tables[table].FillInside((uint)destination, value, (uint)length);
        return TrapKind.None;
    }

    public TrapKind TryGetElement(int table, ulong element, out ulong value)
    {
        bool isInside = _tables[table].IsInside(element, 1);
        value = isInside ? _tables[table][(uint)element] : 0;
        return isInside ? TrapKind.None : TrapKind.OutOfBoundsTable;
    }

    public TrapKind TrySetElement(int table, ulong element, ulong value)
    {
        if (!_tables[table].IsInside(element, 1))
        {
            return TrapKind.OutOfBoundsTable;
        }

        _tables[table].Set((uint)element, value);
        return TrapKind.None;
    }

    private static int LinearMemoryPageRoom(ulong address) =>
        Everheap.Engine.PersistentHeap.PageSize - (int)(address % Everheap.Engine.PersistentHeap.PageSize);
}
