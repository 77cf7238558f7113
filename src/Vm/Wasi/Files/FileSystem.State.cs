using Everheap.Vm.Wasi.State;

namespace Everheap.Vm.Wasi.Files;

/// <content>The stored state: every node once, by number; directories refer to nodes by number.</content>
internal sealed partial class FileSystem
{
    private const int MountsMax = 1024;

    /// <summary>Reads what <see cref="Write(StateWriter, IEnumerable{Node})"/> wrote.</summary>
    /// <param name="heap">The heap.</param>
    /// <param name="clock">The program's clocks.</param>
    /// <param name="bytes">The section.</param>
    /// <param name="directories">Other places on the host for some of the program's directories.</param>
    /// <param name="isAtBranch">Whether the program was forked or taken back: it must be said where each of its host directories is now.</param>
    /// <param name="nodes">All nodes, by number.</param>
    /// <returns>The file system.</returns>
    /// <exception cref="InvalidDataException">The section is damaged.</exception>
    /// <exception cref="DirectoryNotFoundException">A host directory is gone.</exception>
    /// <exception cref="IOException">It is not said where a host directory is.</exception>
    public static FileSystem Read(
        IHeapSpace heap, GuestClock clock, ReadOnlySpan<byte> bytes, IReadOnlyList<DirectoryMapping> directories, bool isAtBranch, out Dictionary<uint, Node> nodes)
    {
        var files = new FileSystem(heap, clock) { IsChanged = false };
        var reader = new StateReader(bytes, StateRoot.Name(StateSection.Files));
        files._nextId = reader.U32();
        files._nextInode = reader.U64();
        files.ReadMounts(ref reader, directories, isAtBranch, out uint[] roots);
        nodes = files.ReadNodes(ref reader, out var links);
        reader.End();

        foreach (var (directory, name, entry, id) in links)
        {
            if (!nodes.TryGetValue(id, out var node))
            {
                throw reader.Fault($"directory entry '{name}' refers to node {id}, which does not exist,");
            }

            entry.Node = node;
            node.Links++;
            if (node is DirectoryNode below)
            {
                if (below.Parent is not null || below.Id == directory.Id)
                {
                    throw reader.Fault($"directory {id} has two parents");
                }

                below.Parent = directory;
            }
        }

        for (int i = 0; i < roots.Length; i++)
        {
            if (!nodes.TryGetValue(roots[i], out var node) || node is not DirectoryNode { Parent: null } root)
            {
                throw reader.Fault($"the root of mount {i} is not a directory");
            }

            files._mounts[i].Root = root;
            if (!ReferenceEquals(root.Mount, files._mounts[i]))
            {
                // Two names for one directory.
                files._mounts[i].HostPath = root.Mount.HostPath;
            }

            SetDepth(root, 0, ref reader);
        }

        return files;
    }

    /// <summary>Writes the file system.</summary>
    /// <param name="writer">The section.</param>
    /// <param name="open">What descriptors are open on, named or not.</param>
    public void Write(StateWriter writer, IEnumerable<Node> open)
    {
        writer.U32(_nextId);
        writer.U64(_nextInode);
        writer.Count(_mounts.Count);
        foreach (var mount in _mounts)
        {
            writer.String(mount.GuestPath);
            writer.Bool(mount.HostPath is not null);
            writer.String(mount.HostPath ?? "");
            writer.U32(mount.Root.Id);
        }

        var nodes = new Dictionary<uint, Node>();
        foreach (var mount in _mounts)
        {
            Collect(mount.Root, nodes);
        }

        foreach (var node in open)
        {
            Collect(node, nodes);
        }

        writer.Count(nodes.Count);
        foreach (var node in nodes.Values)
        {
            WriteNode(writer, node);
        }

        IsChanged = false;
    }

    private static void Collect(Node node, Dictionary<uint, Node> nodes)
    {
        if (nodes.TryAdd(node.Id, node) && node is DirectoryNode directory)
        {
            foreach (var entry in directory.Entries.Values)
            {
                if (entry.Node is not null)
                {
                    Collect(entry.Node, nodes);
                }
            }
        }
    }

    private static void SetDepth(DirectoryNode directory, int depth, ref StateReader reader)
    {
        if (depth > WasiLimits.DirectoryDepthMax + 1)
        {
            throw reader.Fault("the directories are too deep");
        }

        directory.Depth = depth;
        foreach (var entry in directory.Entries.Values)
        {
            if (entry.Node is DirectoryNode below)
            {
                SetDepth(below, depth + 1, ref reader);
            }
        }
    }

    private static void WriteNode(StateWriter writer, Node node)
    {
        writer.U32(node.Id);
        writer.U64(node.Inode);
        writer.Byte((byte)node.Type);
        writer.U64(node.AccessTime);
        writer.U64(node.ModificationTime);
        writer.U64(node.ChangeTime);
        switch (node)
        {
            case FileNode file:
                writer.Bool(file.HasOwnTimes);
                writer.Bool(file.Content is not null);
                if (file.Content is not null)
                {
                    file.Content.Write(writer);
                }
                else
                {
                    writer.Count(file.HostMount!.Index);
                    writer.String(file.HostPath!);
                }

                // What is on its way may never arrive: as long as that is not known, it is still to be done.
                var pending = file.Pending;
                if (file.InFlight is not null)
                {
                    pending = new WriteBack();
                    pending.Add(file.InFlight);
                    pending.Add(file.Pending ?? new WriteBack());
                }

                writer.Bool(pending is not null);
                pending?.Write(writer);
                break;
            case SymlinkNode link:
                writer.String(link.Target);
                break;
            case DirectoryNode directory:
                writer.Count(directory.Mount.Index);
                writer.Bool(directory.HostPath is not null);
                writer.String(directory.HostPath ?? "");
                writer.Bool(directory.IsRemoved);
                writer.Count(directory.Entries.Count);
                foreach (var (name, entry) in directory.Entries)
                {
                    writer.String(name);
                    writer.U32(entry.Node?.Id ?? 0);
                    writer.Bool(entry.IsPending || entry.IsInFlight);
                    WriteRemnant(writer, entry.Remnant);
                }

                break;
        }
    }

    private static void WriteRemnant(StateWriter writer, Remnant? remnant)
    {
        writer.Bool(remnant is not null);
        if (remnant is not null)
        {
            writer.Count(remnant.Children.Count);
            foreach (var (name, below) in remnant.Children)
            {
                writer.String(name);
                WriteRemnant(writer, below);
            }
        }
    }

    private static Remnant? ReadRemnant(ref StateReader reader, int depth)
    {
        if (!reader.Bool())
        {
            return null;
        }

        if (depth > WasiLimits.DirectoryDepthMax + 1)
        {
            throw reader.Fault("removed directories are too deep");
        }

        var children = new Dictionary<string, Remnant?>();
        int count = reader.Count(WasiLimits.ListingNamesMax, 5);
        for (int i = 0; i < count; i++)
        {
            children[reader.Name()] = ReadRemnant(ref reader, depth + 1);
        }

        return new Remnant(children);
    }

    private void ReadMounts(ref StateReader reader, IReadOnlyList<DirectoryMapping> directories, bool isAtBranch, out uint[] roots)
    {
        int count = reader.Count(MountsMax, 13);
        roots = new uint[count];
        for (int i = 0; i < count; i++)
        {
            string guestPath = reader.String(WasiLimits.PathBytesMax);
            bool isHost = reader.Bool();
            string hostPath = reader.String(WasiLimits.PathBytesMax * 4);
            roots[i] = reader.U32();
            if (!isHost)
            {
                _mounts.Add(new Mount { GuestPath = guestPath, Index = i });
                continue;
            }

            string? named = directories.LastOrDefault(directory => directory.GuestPath == guestPath)?.HostPath;
            if (named is null && isAtBranch)
            {
                throw new IOException(
                    $"the program uses the folder {hostPath} as {guestPath}, and was forked or taken back: what is in that folder may be of another time, or in use by its origin. "
                    + $"Say which folder it is to use from here on: --dir FOLDER::{guestPath}, a copy of that one as it was then, or that one itself");
            }

            string used = CheckHostDirectory(named ?? hostPath);
            _mounts.Add(new Mount { GuestPath = guestPath, HostPath = used, Index = i });

            // Another place is kept with the next checkpoint: what is written back from then on belongs there.
            IsChanged |= used != hostPath;
        }
    }

    private Dictionary<uint, Node> ReadNodes(ref StateReader reader, out List<(DirectoryNode Directory, string Name, Entry Entry, uint Id)> links)
    {
        links = [];
        int count = reader.Count(WasiLimits.NodesMax + WasiLimits.DescriptorsMax, 34);
        var nodes = new Dictionary<uint, Node>(count);
        for (int i = 0; i < count; i++)
        {
            var node = ReadNode(ref reader, links);
            if (node.Id == 0 || node.Id >= _nextId || !nodes.TryAdd(node.Id, node))
            {
                throw reader.Fault($"node number {node.Id} is impossible");
            }
        }

        _nodeCount = count;
        return nodes;
    }

    private Node ReadNode(ref StateReader reader, List<(DirectoryNode Directory, string Name, Entry Entry, uint Id)> links)
    {
        uint id = reader.U32();
        ulong inode = reader.U64();
        var type = (FileType)reader.Byte();
        ulong access = reader.U64();
        ulong modification = reader.U64();
        ulong change = reader.U64();
        Node node = type switch
        {
            FileType.RegularFile => ReadFile(ref reader, id, inode),
            FileType.SymbolicLink => new SymlinkNode(id, inode, reader.String(WasiLimits.PathBytesMax)),
            FileType.Directory => ReadDirectory(ref reader, id, inode, links),
            _ => throw reader.Fault($"node type {type} is impossible"),
        };
        node.AccessTime = access;
        node.ModificationTime = modification;
        node.ChangeTime = change;
        return node;
    }

    private FileNode ReadFile(ref StateReader reader, uint id, ulong inode)
    {
        var file = new FileNode(id, inode) { HasOwnTimes = reader.Bool() };
        if (reader.Bool())
        {
            file.Content = FileContent.Read(_heap, ref reader);
        }
        else
        {
            file.HostMount = ReadMount(ref reader);
            if (file.HostMount.HostPath is null)
            {
                throw reader.Fault("a file of the host is in a directory that is not the host's");
            }

            file.HostPath = reader.RelativePath();
        }

        file.Pending = reader.Bool() ? WriteBack.Read(ref reader) : null;
        return file;
    }

    private DirectoryNode ReadDirectory(
        ref StateReader reader, uint id, ulong inode, List<(DirectoryNode Directory, string Name, Entry Entry, uint Id)> links)
    {
        var directory = new DirectoryNode(id, inode, ReadMount(ref reader));
        bool isHost = reader.Bool();
        string hostPath = reader.RelativePath();
        directory.HostPath = isHost ? hostPath : null;
        if (isHost && directory.Mount.HostPath is null)
        {
            throw reader.Fault("a directory of the host is in one that is not the host's");
        }

        directory.IsRemoved = reader.Bool();
        int count = reader.Count(WasiLimits.NodesMax, 10);
        for (int i = 0; i < count; i++)
        {
            string name = reader.Name();
            uint target = reader.U32();
            var entry = new Entry { IsPending = reader.Bool(), Remnant = ReadRemnant(ref reader, 0) };
            if (!directory.Entries.TryAdd(name, entry))
            {
                throw reader.Fault($"the name '{name}' is twice in a directory");
            }

            if (target != 0)
            {
                links.Add((directory, name, entry, target));
            }
        }

        return directory;
    }

    private Mount ReadMount(ref StateReader reader)
    {
        uint index = reader.U32();
        return index < _mounts.Count ? _mounts[(int)index] : throw reader.Fault($"mount {index} does not exist");
    }
}
