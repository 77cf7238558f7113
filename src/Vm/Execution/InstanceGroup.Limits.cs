using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <content>How much instances may have together (<see cref="InstanceOptions"/>).</content>
internal sealed unsafe partial class InstanceGroup
{
    private long MemoryBytes => _memories.Sum(memory => (long)memory.Length);

    private long TableElements => _tables.Sum(table => (long)table.Length);

    /// <summary>Grows a memory, and shows its size to everyone who uses it.</summary>
    /// <returns>The size before, in pages, or null if the memory may not become so large.</returns>
    public uint? Grow(LinearMemory memory, ulong delta)
    {
        if (Options.MemoryBytesMax < long.MaxValue && delta > (ulong)(Options.MemoryBytesMax - MemoryBytes) >> LinearMemory.WasmPageShift)
        {
            return null;
        }

        uint? before = memory.Grow(delta);
        if (memory.HasOutgrownPin)
        {
            RequestCapture();
        }

        foreach (Instance user in memory.Users)
        {
            user.ShowMemory();
        }

        return before;
    }

    /// <summary>Grows a table.</summary>
    /// <returns>The length before, or null if the table may not become so large.</returns>
    public uint? Grow(Table table, ulong delta, ulong value) =>
        Options.TableElementsMax < long.MaxValue && delta > (ulong)(Options.TableElementsMax - TableElements) ? null : table.Grow(delta, value);

    private void RequireRoom(Module module)
    {
        if (_instances.Count >= Options.InstancesMax)
        {
            throw new LinkException($"there are {_instances.Count:N0} instances, which is the most that the machine may have");
        }

        UInt128 bytes = 0;
        foreach (MemoryType memory in module.Memories.Skip(module.ImportedMemoryCount))
        {
            bytes += (UInt128)memory.Limits.Minimum * LinearMemory.WasmPageBytes;
        }

        if (Options.MemoryBytesMax < long.MaxValue && bytes + (UInt128)MemoryBytes > (UInt128)Options.MemoryBytesMax)
        {
            throw new LinkException($"the module's memories begin with {bytes:N0} bytes; the machine may have {Options.MemoryBytesMax:N0}, and has {MemoryBytes:N0}");
        }

        UInt128 elements = 0;
        foreach (TableType table in module.Tables.Skip(module.ImportedTableCount))
        {
            elements += table.Limits.Minimum;
        }

        if (Options.TableElementsMax < long.MaxValue && elements + (UInt128)TableElements > (UInt128)Options.TableElementsMax)
        {
            throw new LinkException($"the module's tables begin with {elements:N0} elements; the machine may have {Options.TableElementsMax:N0}, and has {TableElements:N0}");
        }
    }
}
