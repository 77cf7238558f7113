using Everheap.Vm.Wasi.Files;
using Everheap.Vm.Wasi.State;

namespace Everheap.Vm.Wasi;

/// <summary>The program's descriptors, by number. A new one gets the lowest number that is free, so numbers are the same in every run.</summary>
internal sealed class DescriptorTable
{
    private readonly List<Descriptor?> _descriptors = [];

    /// <summary>What is open on files and directories.</summary>
    public IEnumerable<Node> OpenNodes => _descriptors.Where(static descriptor => descriptor?.Node is not null).Select(static descriptor => descriptor!.Node!);

    /// <summary>Finds a descriptor.</summary>
    /// <param name="number">Its number.</param>
    /// <returns>The descriptor.</returns>
    /// <exception cref="WasiException">None is open under the number.</exception>
    public Descriptor Get(uint number) =>
        number < (uint)_descriptors.Count && _descriptors[(int)number] is { } descriptor ? descriptor : throw new WasiException(Errno.BadDescriptor);

    /// <summary>Opens a descriptor.</summary>
    /// <param name="descriptor">The descriptor.</param>
    /// <returns>Its number.</returns>
    /// <exception cref="WasiException">Too many are open.</exception>
    public uint Add(Descriptor descriptor)
    {
        int number = _descriptors.IndexOf(null);
        if (number < 0)
        {
            if (_descriptors.Count >= WasiLimits.DescriptorsMax)
            {
                throw new WasiException(Errno.TooManyOpenFiles);
            }

            number = _descriptors.Count;
            _descriptors.Add(null);
        }

        _descriptors[number] = descriptor;
        return (uint)number;
    }

    /// <summary>Closes a descriptor.</summary>
    /// <param name="number">Its number.</param>
    /// <returns>What it was.</returns>
    public Descriptor Remove(uint number)
    {
        var descriptor = Get(number);
        _descriptors[(int)number] = null;
        return descriptor;
    }

    /// <summary>Moves a descriptor to another number that is open.</summary>
    /// <param name="from">Its number.</param>
    /// <param name="to">Its new number.</param>
    /// <returns>What the new number was before; null if both are the same.</returns>
    public Descriptor? Renumber(uint from, uint to)
    {
        var moved = Get(from);
        var replaced = Get(to);
        if (from == to)
        {
            return null;
        }

        _descriptors[(int)to] = moved;
        _descriptors[(int)from] = null;
        return replaced;
    }

    /// <summary>Sets the place in standard input, which is another one than it was.</summary>
    /// <param name="position">In bytes.</param>
    public void MoveInput(long position)
    {
        foreach (var descriptor in _descriptors)
        {
            if (descriptor is { Kind: DescriptorKind.Input })
            {
                descriptor.Offset = position;
            }
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="nodes">The file system's nodes, by number.</param>
    /// <returns>The table.</returns>
    public static DescriptorTable Read(ref StateReader reader, Dictionary<uint, Node> nodes)
    {
        var table = new DescriptorTable();
        int count = reader.Count(WasiLimits.DescriptorsMax);
        for (int i = 0; i < count; i++)
        {
            table._descriptors.Add(reader.Bool() ? Descriptor.Read(ref reader, nodes) : null);
        }

        return table;
    }

    /// <summary>Writes the table.</summary>
    /// <param name="writer">The state.</param>
    public void Write(StateWriter writer)
    {
        writer.Count(_descriptors.Count);
        foreach (var descriptor in _descriptors)
        {
            writer.Bool(descriptor is not null);
            descriptor?.Write(writer);
        }
    }
}
