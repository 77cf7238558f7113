using Everheap.Vm.Wasi.Files;
using Everheap.Vm.Wasi.State;

namespace Everheap.Vm.Wasi;

/// <summary>What a descriptor is open on.</summary>
internal enum DescriptorKind : byte
{
    /// <summary>Standard input.</summary>
    Input = 0,

    /// <summary>Standard output or standard error.</summary>
    Output = 1,

    /// <summary>A regular file.</summary>
    File = 2,

    /// <summary>A directory.</summary>
    Directory = 3,
}

/// <summary>An open descriptor.</summary>
internal sealed class Descriptor
{
    /// <summary>What it is open on.</summary>
    public required DescriptorKind Kind { get; init; }

    /// <summary>The type that the program is told.</summary>
    public required FileType Type { get; init; }

    /// <summary>1 or 2 for standard output and standard error; otherwise 0.</summary>
    public int Stream { get; init; }

    /// <summary>The file or directory; null for standard streams.</summary>
    public Node? Node { get; init; }

    /// <summary>If it is a preopened directory: the path that the program sees it under.</summary>
    public string? PreopenPath { get; init; }

    /// <summary>What it may be used for.</summary>
    public Rights Rights { get; set; }

    /// <summary>What descriptors opened through it may be used for.</summary>
    public Rights InheritingRights { get; set; }

    /// <summary>Its flags.</summary>
    public FdFlags Flags { get; set; }

    /// <summary>The place of the next read or write, in bytes.</summary>
    public long Offset { get; set; }

    /// <summary>A directory as it was when its reading began; null if it is not being read.</summary>
    public List<ListedName>? Listing { get; set; }

    /// <summary>The file; only for <see cref="DescriptorKind.File"/>.</summary>
    public FileNode File => (FileNode)Node!;

    /// <summary>The directory; only for <see cref="DescriptorKind.Directory"/>.</summary>
    public DirectoryNode Directory => (DirectoryNode)Node!;

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="nodes">The file system's nodes, by number.</param>
    /// <returns>The descriptor.</returns>
    public static Descriptor Read(ref StateReader reader, Dictionary<uint, Node> nodes)
    {
        var kind = (DescriptorKind)reader.Byte();
        var type = (FileType)reader.Byte();
        int stream = reader.Byte();
        uint id = reader.U32();
        Node? node = null;
        bool isKnown = kind switch
        {
            DescriptorKind.Input => id == 0 && stream == 0,
            DescriptorKind.Output => id == 0 && stream is 1 or 2,
            DescriptorKind.File => nodes.TryGetValue(id, out node) && node is FileNode,
            DescriptorKind.Directory => nodes.TryGetValue(id, out node) && node is DirectoryNode,
            _ => false,
        };
        if (!isKnown)
        {
            throw reader.Fault($"a descriptor of kind {kind} on node {id} is impossible");
        }

        var descriptor = new Descriptor
        {
            Kind = kind,
            Type = type,
            Stream = stream,
            Node = node,
            PreopenPath = reader.Bool() ? reader.String(WasiLimits.PathBytesMax) : null,
            Rights = (Rights)reader.U64(),
            InheritingRights = (Rights)reader.U64(),
            Flags = (FdFlags)reader.U32(),
            Offset = reader.I64(),
        };
        if (reader.Bool())
        {
            int count = reader.Count(WasiLimits.ListingNamesMax + 2, 13);
            descriptor.Listing = new List<ListedName>(count);
            for (int i = 0; i < count; i++)
            {
                descriptor.Listing.Add(new ListedName(reader.String(WasiLimits.PathBytesMax), reader.U64(), (FileType)reader.Byte()));
            }
        }

        if (node is not null)
        {
            node.OpenCount++;
        }

        return descriptor;
    }

    /// <summary>Writes the descriptor.</summary>
    /// <param name="writer">The state.</param>
    public void Write(StateWriter writer)
    {
        writer.Byte((byte)Kind);
        writer.Byte((byte)Type);
        writer.Byte((byte)Stream);
        writer.U32(Node?.Id ?? 0);
        writer.Bool(PreopenPath is not null);
        if (PreopenPath is not null)
        {
            writer.String(PreopenPath);
        }

        writer.U64((ulong)Rights);
        writer.U64((ulong)InheritingRights);
        writer.U32((uint)Flags);
        writer.I64(Offset);
        writer.Bool(Listing is not null);
        if (Listing is not null)
        {
            writer.Count(Listing.Count);
            foreach (var (name, inode, type) in Listing)
            {
                writer.String(name);
                writer.U64(inode);
                writer.Byte((byte)type);
            }
        }
    }
}
