using System.Buffers.Binary;
using Everheap.Engine;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi.State;

namespace Everheap.Vm.Execution;

/// <content>What of a group lies in its heap: written at checkpoints, and read when it is opened again.</content>
internal sealed unsafe partial class InstanceGroup
{
    private const ulong SizeBytes = sizeof(ulong);
    private const ulong MemorySizesBytes = (ulong)InstancesMax * SizeBytes;
    private const ulong TableLengthsBytes = (ulong)InstancesMax * SizeBytes;

    private readonly List<(ulong Address, ulong Length)> _moduleRanges = [];
    private readonly List<Module> _modules = [];
    private bool _isDirectoryChanged = true;
    private bool _isRestoring;

    /// <summary>Goes on with the group that a heap holds.</summary>
    /// <param name="heap">The heap.</param>
    /// <param name="header">Its header.</param>
    /// <param name="findHostFunction">Gives host functions again: for the module's import, the names under which the function was given, and the type that it must have.</param>
    /// <param name="options">How to run it.</param>
    /// <exception cref="HeapFormatException">The heap holds no group, or a damaged one.</exception>
    /// <exception cref="LinkException">A host function is missing.</exception>
    public static InstanceGroup Open(
        PersistentHeap heap, MachineHeader header, Func<(string ModuleName, string Name), FunctionType, HostFunction> findHostFunction, InstanceOptions options)
    {
        GroupDirectory directory = GroupDirectory.Read(heap.Read, header);
        var group = new InstanceGroup(heap, header, options);
        try
        {
            RecentPages.Prefetch(heap, header, directory.Modules.Select(module => new HeapRange(module.Address, module.Length)));
            group.Restore(directory, findHostFunction);
        }
        catch
        {
            group.Dispose();
            throw;
        }

        return group;
    }

    /// <summary>Writes what lies in native memory into the heap: at a safepoint, with the stack captured.</summary>
    /// <param name="isLast">Whether the machine stops there.</param>
    public void Save(bool isLast = false)
    {
        _recentPages.Save(Header, isLast);
        foreach (Instance instance in _instances)
        {
            instance.Save();
        }

        WriteSizes(Header.MemorySizesAddress, [.. _memories.Select(memory => (ulong)memory.Pages)]);
        WriteSizes(Header.TableLengthsAddress, [.. _tables.Select(table => (ulong)table.Length)]);
        if (_isDirectoryChanged)
        {
            WriteDirectory();
        }

        (ulong address, ulong length) = (Header.ExceptionsAddress, Header.ExceptionsLength);
        _exceptions.Save(Heap, ref address, ref length);
        (Header.ExceptionsAddress, Header.ExceptionsLength) = (address, length);
        Header.StackBytes = Stack.Bytes;
        Header.Write(Heap);
    }

    private static void LayDirectory(PersistentHeap heap, MachineHeader header)
    {
        header.DirectoryAddress = heap.Allocate(GroupDirectory.BytesMax);
        header.MemorySizesAddress = heap.Allocate(MemorySizesBytes);
        header.TableLengthsAddress = heap.Allocate(TableLengthsBytes);
    }

    // Address space for everything that the module declares.
    private InstanceLayout LayOut(Module module) => new(
        Heap.Allocate((ulong)Math.Max(GlobalLayout.Of(module).Units, 1) * sizeof(ulong)),
        Heap.Allocate((ulong)Math.Max(module.Data.Count + module.Elements.Count, 1)),
        [.. module.Memories.Skip(module.ImportedMemoryCount).Select(type => Heap.Allocate(LinearMemory.AddressSpaceOf(type)))],
        [.. Enumerable.Range(0, module.Tables.Count - module.ImportedTableCount).Select(_ => Heap.Allocate(Table.AddressSpaceBytes))]);

    private void WriteSizes(ulong address, ulong[] sizes)
    {
        if (sizes.Length > 0)
        {
            Heap.Write(address, System.Runtime.InteropServices.MemoryMarshal.AsBytes(sizes.AsSpan()));
        }
    }

    private ulong ReadSize(ulong address, int number)
    {
        Span<byte> size = stackalloc byte[sizeof(ulong)];
        Heap.Read(address + ((ulong)number * SizeBytes), size);
        return BinaryPrimitives.ReadUInt64LittleEndian(size);
    }

    private void WriteDirectory()
    {
        foreach (Instance instance in _instances)
        {
            if (!_modules.Contains(instance.Module))
            {
                ulong address = Heap.Allocate((ulong)instance.Module.Bytes.Length);
                Heap.Write(address, instance.Module.Bytes.Span);
                _modules.Add(instance.Module);
                SharedModules.Add(instance.Module);
                _moduleRanges.Add((address, (ulong)instance.Module.Bytes.Length));
            }
        }

        var writer = new StateWriter();
        new GroupDirectory(_moduleRanges, [.. _instances.Select(RecordOf)]).Write(writer);
        if ((ulong)writer.Written.Length > GroupDirectory.BytesMax)
        {
            throw new HeapFullException($"the directory of instances would take {writer.Written.Length:N0} bytes, and may take {GroupDirectory.BytesMax:N0}");
        }

        Heap.Write(Header.DirectoryAddress, writer.Written);
        Header.DirectoryLength = (ulong)writer.Written.Length;
        _isDirectoryChanged = false;
    }

    private InstanceRecord RecordOf(Instance instance) => new(instance.Name, _modules.IndexOf(instance.Module), instance.Layout, [.. instance.Imports.Select(LinkOf)]);

    private static Link LinkOf(External import) => import switch
    {
        HostFunction host => new Link(LinkKind.HostFunction, ModuleName: host.Names.ModuleName, Name: host.Names.Name),
        GuestFunction function => new Link(LinkKind.GuestFunction, function.Owner.Number, function.Index),
        ExternalTable table => new Link(LinkKind.Table, table.Table.Number),
        ExternalMemory memory => new Link(LinkKind.Memory, memory.Memory.Number),
        ExternalGlobal global => new Link(LinkKind.Global, global.Owner.Number, global.Index),
        ExternalTag tag => new Link(LinkKind.Tag, tag.Owner.Number, tag.Index),
        _ => throw new InvalidOperationException($"{import} cannot be imported."),
    };

    private void Restore(GroupDirectory directory, Func<(string ModuleName, string Name), FunctionType, HostFunction> findHostFunction)
    {
        _isRestoring = true;
        _exceptions.Restore(Heap, Header.ExceptionsAddress, Header.ExceptionsLength);
        foreach ((ulong address, ulong length) in directory.Modules)
        {
            _modules.Add(ReadModule(Heap.Read, address, length, Options.CodeCache));
            _moduleRanges.Add((address, length));
        }

        foreach (InstanceRecord record in directory.Instances)
        {
            Module module = (uint)record.Module < (uint)_modules.Count
                ? _modules[record.Module]
                : throw new HeapFormatException($"instance {_instances.Count} is of module {record.Module}, and there are {_modules.Count}");
            RequireFit(module, record);
            External[] imports = [.. module.Imports.Select((import, index) => ExternalOf(module, import, record.Imports[index], findHostFunction))];
            int tables = _tables.Count;
            Instance instance = Add(module, record.Layout, imports, record.Name);
            instance.Restore();
            for (int number = tables; number < _tables.Count; number++)
            {
                _tables[number].Restore(ReadSize(Header.TableLengthsAddress, number));
            }
        }

        _isRestoring = false;
        _isDirectoryChanged = false;
        foreach (Table table in _tables)
        {
            table.ResolveAll();
        }
    }

    private void RequireFit(Module module, InstanceRecord record)
    {
        if (record.Imports.Length != module.Imports.Count
            || record.Layout.Memories.Length != module.Memories.Count - module.ImportedMemoryCount
            || record.Layout.Tables.Length != module.Tables.Count - module.ImportedTableCount)
        {
            throw new HeapFormatException($"what the heap holds of instance {_instances.Count} does not fit its module");
        }
    }

    private External ExternalOf(
        Module module, Import import, Link link, Func<(string ModuleName, string Name), FunctionType, HostFunction> findHostFunction)
    {
        External external = link.Kind switch
        {
            LinkKind.HostFunction when import.Kind == ExternalKind.Function =>
                findHostFunction((link.ModuleName, link.Name), module.FunctionTypeOf(import.Index)),
            LinkKind.GuestFunction when InstanceAt(link.Number) is Instance owner && (uint)link.Index < (uint)owner.Module.FunctionTypes.Count =>
                new GuestFunction(owner, link.Index),
            LinkKind.Table when (uint)link.Number < (uint)_tables.Count => new ExternalTable(_tables[link.Number]),
            LinkKind.Memory when (uint)link.Number < (uint)_memories.Count => new ExternalMemory(_memories[link.Number]),
            LinkKind.Global when InstanceAt(link.Number) is Instance owner && (uint)link.Index < (uint)owner.Module.Globals.Count =>
                new ExternalGlobal(owner, link.Index),
            LinkKind.Tag when InstanceAt(link.Number) is Instance owner && (uint)link.Index < (uint)owner.Module.Tags.Count =>
                new ExternalTag(owner, link.Index),
            _ => throw new HeapFormatException($"what the heap holds as import {import.ModuleName}.{import.Name} of instance {_instances.Count} is not there"),
        };
        if (ImportMatching.WhyNot(Types, module, import, external) is string reason)
        {
            throw external is HostFunction ? new LinkException(reason) : new HeapFormatException(reason);
        }

        return external;
    }

    private Instance? InstanceAt(int number) => (uint)number < (uint)_instances.Count ? _instances[number] : null;

    /// <summary>Reads a module that a heap holds; one of the same bytes that is in use already, if there is any.</summary>
    /// <exception cref="HeapFormatException">Its length cannot be.</exception>
    public static Module ReadModule(HeapReader read, ulong address, ulong length, CodeCache? cache = null)
    {
        if (length > ModuleLimits.ModuleBytesMax)
        {
            throw new HeapFormatException($"the heap says that its module has {length} bytes, which cannot be");
        }

        var bytes = new byte[length];
        read(address, bytes);
        return SharedModules.Decode(bytes, cache);
    }
}
