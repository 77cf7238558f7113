using Everheap.Engine;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi.State;

namespace Everheap.Vm.Execution;

/// <summary>What kind of thing a directory says that an import was given.</summary>
internal enum LinkKind : byte
{
    /// <summary>A function of the host, by its names.</summary>
    HostFunction,

    /// <summary>A function that an instance declares, by the instance's number and its index there.</summary>
    GuestFunction,

    /// <summary>A table, by its number.</summary>
    Table,

    /// <summary>A memory, by its number.</summary>
    Memory,

    /// <summary>A global that an instance declares, by the instance's number and its index there.</summary>
    Global,

    /// <summary>A tag that an instance declares, by the instance's number and its index there.</summary>
    Tag,
}

/// <summary>What an import was given, as the heap has it.</summary>
/// <param name="Kind">What kind of thing.</param>
/// <param name="Number">The instance's, table's or memory's number.</param>
/// <param name="Index">The index in the instance.</param>
/// <param name="ModuleName">Of a host function: its first name.</param>
/// <param name="Name">Of a host function: its second name.</param>
internal readonly record struct Link(LinkKind Kind, int Number = 0, int Index = 0, string ModuleName = "", string Name = "");

/// <summary>An instance as the heap has it.</summary>
/// <param name="Name">The name that it was given; null for none.</param>
/// <param name="Module">Its module's number.</param>
/// <param name="Layout">Where its state lies.</param>
/// <param name="Imports">What its imports were given.</param>
internal sealed record InstanceRecord(string? Name, int Module, InstanceLayout Layout, Link[] Imports);

/// <summary>
/// The modules and instances of a group, in order of their numbers, as the heap has them; links go to lower numbers only, as an instance can be given only what is there before it. Little-endian; a count stands in front of
/// every list, and a length in front of every text:
/// <code>
/// modules    address (8), length (8)
/// instances  whether it has a name (1), the name if so, module (4), address of globals (8), of dropped-segment flags (8),
///            addresses of own memories (8 each), addresses of own tables (8 each),
///            imports: kind (1) <see cref="LinkKind"/>, then of a host function its two names; else number (4), index (4)
/// </code>
/// Memories and tables are numbered in the order in which instances declare them.
/// </summary>
/// <param name="Modules">Where the modules' bytes lie, and how many they are.</param>
/// <param name="Instances">The instances.</param>
internal sealed record GroupDirectory(IReadOnlyList<(ulong Address, ulong Length)> Modules, IReadOnlyList<InstanceRecord> Instances)
{
    /// <summary>Heap address space for it.</summary>
    public const ulong BytesMax = 1UL << 30;

    private const int ModuleBytesEach = 16;
    private const int InstanceBytesEach = 32;
    private const int AddressBytesEach = 8;
    private const int NameLengthsMax = ModuleLimits.NameBytesMax;

    public static GroupDirectory Read(HeapReader read, MachineHeader header)
    {
        if (header.DirectoryLength > BytesMax)
        {
            throw new HeapFormatException($"the heap says that its directory of instances has {header.DirectoryLength} bytes, which cannot be");
        }

        byte[] bytes = new byte[header.DirectoryLength];
        read(header.DirectoryAddress, bytes);
        var reader = new StateReader(bytes, "directory of instances");
        try
        {
            var modules = new (ulong, ulong)[reader.Count(InstanceGroup.InstancesMax, ModuleBytesEach)];
            for (int index = 0; index < modules.Length; index++)
            {
                modules[index] = (reader.U64(), reader.U64());
            }

            var instances = new InstanceRecord[reader.Count(InstanceGroup.InstancesMax, InstanceBytesEach)];
            for (int index = 0; index < instances.Length; index++)
            {
                instances[index] = ReadInstance(ref reader);
            }

            reader.End();
            return new GroupDirectory(modules, instances);
        }
        catch (InvalidDataException exception)
        {
            throw new HeapFormatException(exception.Message);
        }
    }

    /// <summary>Reads the modules, when they are asked for.</summary>
    /// <param name="read">Reads the heap.</param>
    /// <returns>Gives an instance's module, by its number; null if there is no such instance.</returns>
    public Func<int, Module?> ReadModules(HeapReader read)
    {
        var modules = new Module?[Modules.Count];
        return instance =>
        {
            if ((uint)instance >= (uint)Instances.Count || (uint)Instances[instance].Module >= (uint)modules.Length)
            {
                return null;
            }

            int number = Instances[instance].Module;
            return modules[number] ??= InstanceGroup.ReadModule(read, Modules[number].Address, Modules[number].Length);
        };
    }

    public void Write(StateWriter writer)
    {
        writer.Count(Modules.Count);
        foreach ((ulong address, ulong length) in Modules)
        {
            writer.U64(address);
            writer.U64(length);
        }

        writer.Count(Instances.Count);
        foreach (InstanceRecord instance in Instances)
        {
            writer.Bool(instance.Name is not null);
            if (instance.Name is not null)
            {
                writer.String(instance.Name);
            }

            writer.Count(instance.Module);
            writer.U64(instance.Layout.Globals);
            writer.U64(instance.Layout.Segments);
            WriteAddresses(writer, instance.Layout.Memories);
            WriteAddresses(writer, instance.Layout.Tables);
            writer.Count(instance.Imports.Length);
            foreach (Link link in instance.Imports)
            {
                writer.Byte((byte)link.Kind);
                if (link.Kind == LinkKind.HostFunction)
                {
                    writer.String(link.ModuleName);
                    writer.String(link.Name);
                }
                else
                {
                    writer.Count(link.Number);
                    writer.Count(link.Index);
                }
            }
        }
    }

    private static InstanceRecord ReadInstance(ref StateReader reader)
    {
        string? name = reader.Bool() ? reader.String(NameLengthsMax) : null;
        int module = (int)reader.U32();
        ulong globals = reader.U64();
        ulong segments = reader.U64();
        ulong[] memories = ReadAddresses(ref reader, ModuleLimits.MemoriesMax, LinearMemory.AddressSpaceMin);
        ulong[] tables = ReadAddresses(ref reader, ModuleLimits.TablesMax, Table.AddressSpaceBytes);
        var imports = new Link[reader.Count(ModuleLimits.ImportsMax, sizeof(byte))];
        for (int index = 0; index < imports.Length; index++)
        {
            var kind = (LinkKind)reader.Byte();
            imports[index] = kind switch
            {
                LinkKind.HostFunction => new Link(kind, ModuleName: reader.String(NameLengthsMax), Name: reader.String(NameLengthsMax)),
                <= LinkKind.Tag => new Link(kind, (int)reader.U32(), (int)reader.U32()),
                _ => throw reader.Fault($"there is no kind of import {(byte)kind}"),
            };
        }

        return new InstanceRecord(name, module, new InstanceLayout(globals, segments, memories, tables), imports);
    }

    private static void WriteAddresses(StateWriter writer, ulong[] addresses)
    {
        writer.Count(addresses.Length);
        foreach (ulong address in addresses)
        {
            writer.U64(address);
        }
    }

    private static ulong[] ReadAddresses(ref StateReader reader, int max, ulong length)
    {
        var addresses = new ulong[reader.Count(max, AddressBytesEach)];
        for (int index = 0; index < addresses.Length; index++)
        {
            addresses[index] = reader.Address(length);
        }

        return addresses;
    }
}
