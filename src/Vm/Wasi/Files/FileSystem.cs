using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Everheap.Vm.Wasi.Files;

/// <summary>A name in a listing.</summary>
/// <param name="Name">The name.</param>
/// <param name="Inode">Its inode's number.</param>
/// <param name="Type">What it is.</param>
internal readonly record struct ListedName(string Name, ulong Inode, FileType Type);

/// <summary>What fd_filestat_get says of something.</summary>
/// <param name="Node">What it is said of.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Links">Names that it has.</param>
internal readonly record struct NodeStatus(Node Node, long Size, int Links);

/// <summary>
/// The files that a program sees: directories in the heap, and host directories with what the program changed laid over them.
/// Invariants: a host directory is only looked into for names that have no entry here; whatever the program changes is in the
/// heap before it is anywhere else; nothing is written to the host from here.
/// </summary>
internal sealed partial class FileSystem
{
    private const ulong HostInodeBit = 1UL << 63;
    private const int CopyBytes = 256 << 10;

    private readonly IHeapSpace _heap;
    private readonly List<Mount> _mounts = [];
    private readonly GuestClock _clock;
    private uint _nextId = 1;
    private ulong _nextInode = 1;
    private int _nodeCount;

    private FileSystem(IHeapSpace heap, GuestClock clock)
    {
        _heap = heap;
        _clock = clock;
    }

    /// <summary>The preopened directories, in order.</summary>
    public IReadOnlyList<Mount> Mounts => _mounts;

    /// <summary>Whether any of them is the host's.</summary>
    public bool HasHostDirectories => _mounts.Exists(static mount => mount.HostPath is not null);

    /// <summary>Whether anything changed since the state was last written.</summary>
    public bool IsChanged { get; private set; } = true;

    /// <summary>Makes a new program's file system.</summary>
    /// <param name="heap">The heap.</param>
    /// <param name="clock">The program's clocks.</param>
    /// <param name="directories">Host directories; with none, there is an empty directory in the heap at "/".</param>
    /// <returns>The file system.</returns>
    /// <exception cref="DirectoryNotFoundException">A host directory does not exist.</exception>
    /// <exception cref="ArgumentException">A host directory is inside another one.</exception>
    public static FileSystem Create(IHeapSpace heap, GuestClock clock, IReadOnlyList<DirectoryMapping> directories)
    {
        var files = new FileSystem(heap, clock);
        foreach (var directory in directories)
        {
            if (directory.GuestPath.Length is 0 or > WasiLimits.PathBytesMax)
            {
                throw new ArgumentException($"A directory's path for the program has 1 to {WasiLimits.PathBytesMax} characters: '{directory.GuestPath}' has not.");
            }

            files.AddMount(directory.GuestPath, CheckHostDirectory(directory.HostPath));
        }

        if (directories.Count == 0)
        {
            files.AddMount("/", null);
        }

        return files;
    }

    /// <summary>Marks the state as changed.</summary>
    public void Change() => IsChanged = true;

    /// <summary>Finds what has a name in a directory.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="name">The name.</param>
    /// <returns>What has it; null if nothing does.</returns>
    public Node? Find(DirectoryNode directory, string name)
    {
        if (directory.Entries.TryGetValue(name, out var entry))
        {
            return entry.Node;
        }

        if (directory.HostPath is null)
        {
            return null;
        }

        string path = HostFiles.Join(directory.HostPath, name);
        if (!HostFiles.TryStat(HostPath(directory.Mount, path), out var status))
        {
            return null;
        }

        ulong inode = HostInode(directory.Mount, path);
        Node? node = status.Type switch
        {
            FileType.RegularFile => new FileNode(NewId(), inode) { HostMount = directory.Mount, HostPath = path },
            FileType.Directory => new DirectoryNode(NewId(), inode, directory.Mount) { HostPath = path, Parent = directory, Depth = directory.Depth + 1 },
            FileType.SymbolicLink => new SymlinkNode(NewId(), inode, HostFiles.ReadLink(HostPath(directory.Mount, path))),
            _ => throw new WasiException(Errno.NotSupported),
        };
        node.AccessTime = status.AccessTime;
        node.ModificationTime = status.ModificationTime;
        node.ChangeTime = status.ChangeTime;
        if (node is DirectoryNode)
        {
            // What is below may get entries of its own, and must find them again.
            Know(directory, name, node);
        }

        return node;
    }

    /// <summary>Gives something that was found on the host an entry, because it is opened or changed.</summary>
    /// <param name="directory">The directory that it is in.</param>
    /// <param name="name">Its name.</param>
    /// <param name="node">What was found.</param>
    public void Know(DirectoryNode directory, string name, Node node)
    {
        if (!directory.Entries.ContainsKey(name))
        {
            CountNode();
            directory.Entries.Add(name, new Entry { Node = node });
            node.Links = 1;
            IsChanged = true;
        }
    }

    /// <summary>Lists a directory, without "." and "..".</summary>
    /// <param name="directory">The directory.</param>
    /// <returns>Its names, in ordinal order.</returns>
    public static List<ListedName> List(DirectoryNode directory)
    {
        var names = new List<ListedName>();
        foreach (var (name, entry) in directory.Entries)
        {
            if (entry.Node is not null)
            {
                names.Add(new ListedName(name, entry.Node.Inode, entry.Node.Type));
            }
        }

        if (directory.HostPath is not null && !directory.IsRemoved)
        {
            foreach (var host in HostFiles.List(HostPath(directory.Mount, directory.HostPath)))
            {
                if (!directory.Entries.ContainsKey(host.Name))
                {
                    names.Add(new ListedName(host.Name, HostInode(directory.Mount, HostFiles.Join(directory.HostPath, host.Name)), host.Type));
                }
            }
        }

        names.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        return names;
    }

    /// <summary>Whether a directory has no names.</summary>
    /// <param name="directory">The directory.</param>
    /// <returns>True if so.</returns>
    public static bool IsEmpty(DirectoryNode directory) => List(directory).Count == 0;

    /// <summary>Describes something.</summary>
    /// <param name="node">What.</param>
    /// <returns>Its size and links; its times are brought up to date.</returns>
    public static NodeStatus Status(Node node)
    {
        switch (node)
        {
            case FileNode { Content: null } file:
                if (HostFiles.TryStat(HostPath(file.HostMount!, file.HostPath!), out var status))
                {
                    if (!file.HasOwnTimes)
                    {
                        file.AccessTime = status.AccessTime;
                        file.ModificationTime = status.ModificationTime;
                        file.ChangeTime = status.ChangeTime;
                    }

                    return new NodeStatus(node, status.Size, 1);
                }

                throw new WasiException(Errno.Stale);
            case FileNode file:
                return new NodeStatus(node, file.Content.Length, file.Links);
            case SymlinkNode link:
                return new NodeStatus(node, System.Text.Encoding.UTF8.GetByteCount(link.Target), Math.Max(1, link.Links));
            default:
                return new NodeStatus(node, 0, 1);
        }
    }

    /// <summary>Makes an empty file under a name that nothing has.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="name">The name.</param>
    /// <returns>The file.</returns>
    public FileNode CreateFile(DirectoryNode directory, string name)
    {
        CheckCanAdd(directory);
        var file = new FileNode(NewId(), _nextInode++) { Content = new FileContent(_heap), HasOwnTimes = true };
        file.Touch(_clock.Realtime);
        Bind(directory, name, file);
        return file;
    }

    /// <summary>Makes a directory under a name that nothing has.</summary>
    /// <param name="directory">The directory that it will be in.</param>
    /// <param name="name">The name.</param>
    public void CreateDirectory(DirectoryNode directory, string name)
    {
        CheckCanAdd(directory);
        if (directory.Depth + 1 > WasiLimits.DirectoryDepthMax)
        {
            throw new WasiException(Errno.NameTooLong);
        }

        var made = new DirectoryNode(NewId(), _nextInode++, directory.Mount);
        made.Touch(_clock.Realtime);
        Bind(directory, name, made);
    }

    /// <summary>Makes a symbolic link under a name that nothing has.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="name">The name.</param>
    /// <param name="target">What the link says.</param>
    public void CreateSymlink(DirectoryNode directory, string name, string target)
    {
        CheckCanAdd(directory);
        var link = new SymlinkNode(NewId(), _nextInode++, target);
        link.Touch(_clock.Realtime);
        Bind(directory, name, link);
    }

    /// <summary>Gives a file a second name. In the heap alone.</summary>
    /// <param name="file">The file.</param>
    /// <param name="directory">The directory.</param>
    /// <param name="name">A name that nothing has.</param>
    public void Link(FileNode file, DirectoryNode directory, string name)
    {
        if (directory.Mount.HostPath is not null || file.Content is null || file.Pending is not null)
        {
            // A host file under two names could not be written back by name.
            throw new WasiException(Errno.NotSupported);
        }

        CheckCanAdd(directory);
        CountNode();
        Bind(directory, name, file);
        file.ChangeTime = _clock.Realtime;
    }

    /// <summary>Removes the name of a file or link.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="name">The name.</param>
    /// <param name="node">What has it.</param>
    public void Unlink(DirectoryNode directory, string name, Node node)
    {
        if (node is FileNode { OpenCount: > 0, Content: null } open)
        {
            // Who has it open goes on reading, also after the host has lost it.
            BringIn(open);
        }

        Unbind(directory, name);
        if (node is FileNode { Links: 0, OpenCount: 0 } file)
        {
            Free(file);
        }
    }

    /// <summary>A descriptor was closed, or something that nothing names: gives back what nobody can reach.</summary>
    /// <param name="node">What it was open on.</param>
    public void Closed(Node node)
    {
        node.OpenCount--;
        IsChanged = true;
        if (node.OpenCount == 0 && node is FileNode file)
        {
            file.HostHandle?.Dispose();
            file.HostHandle = null;
            if (file.Links == 0)
            {
                Free(file);
            }
        }
    }

    /// <summary>A descriptor was opened.</summary>
    /// <param name="node">What it is open on.</param>
    public void Opened(Node node)
    {
        node.OpenCount++;
        IsChanged = true;
    }

    private static string CheckHostDirectory(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        return Directory.Exists(full) ? full : throw new DirectoryNotFoundException($"The directory {path} does not exist; name one that does.");
    }

    private static string HostPath(Mount mount, string path) =>
        path.Length == 0 ? mount.HostPath! : Path.Combine(mount.HostPath!, path.Replace('/', Path.DirectorySeparatorChar));

    private static ulong HostInode(Mount mount, string path) =>
        HostInodeBit | XxHash3.HashToUInt64(MemoryMarshal.AsBytes(path.AsSpan()), mount.Index);

    private static bool IsInside(string inner, string outer) =>
        inner.StartsWith(Path.EndsInDirectorySeparator(outer) ? outer : outer + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private void AddMount(string guestPath, string? hostPath)
    {
        var mount = new Mount { GuestPath = guestPath, HostPath = hostPath, Index = _mounts.Count };
        if (_mounts.Find(other => other.HostPath is not null && other.HostPath == hostPath) is { } same)
        {
            // One directory under two names: changes through one are seen through the other.
            mount.Root = same.Root;
            _mounts.Add(mount);
            return;
        }

        if (_mounts.Find(other => hostPath is not null && other.HostPath is not null && (IsInside(other.HostPath, hostPath) || IsInside(hostPath, other.HostPath))) is { } nested)
        {
            throw new ArgumentException($"Of the directories {nested.HostPath} and {hostPath}, one is inside the other: changes would get lost. Give the program the outer one alone.");
        }

        ulong inode = hostPath is null ? _nextInode++ : HostInode(mount, "");
        mount.Root = new DirectoryNode(NewId(), inode, mount) { HostPath = hostPath is null ? null : "" };
        mount.Root.Touch(_clock.Realtime);
        CountNode();
        _mounts.Add(mount);
    }

    private static void CheckCanAdd(DirectoryNode directory)
    {
        if (directory.IsRemoved)
        {
            throw new WasiException(Errno.NoEntry);
        }
    }

    private uint NewId() => _nextId++;

    private void CountNode()
    {
        if (_nodeCount >= WasiLimits.NodesMax)
        {
            throw new WasiException(Errno.NoSpace);
        }

        _nodeCount++;
    }

    private void Bind(DirectoryNode directory, string name, Node node, bool keepsTimes = false)
    {
        if (directory.Entries.TryGetValue(name, out var entry))
        {
            entry.Node = node;
        }
        else
        {
            CountNode();
            entry = new Entry { Node = node };
            directory.Entries.Add(name, entry);
        }

        node.Links++;
        Attach(directory, entry, keepsTimes);
        directory.ModificationTime = directory.ChangeTime = _clock.Realtime;
        IsChanged = true;
    }

    /// <summary>Makes what an entry names, and everything below, belong to the directory's mount.</summary>
    private static void Attach(DirectoryNode directory, Entry entry, bool keepsTimes)
    {
        bool isHost = directory.Mount.HostPath is not null;
        entry.IsPending = isHost;
        switch (entry.Node)
        {
            case FileNode file:
                file.Pending = isHost ? WriteBack.Whole(file.Content!.Length) : null;
                if (isHost && keepsTimes)
                {
                    file.Pending!.HasTimes = true;
                }

                break;
            case DirectoryNode below:
                below.Mount = directory.Mount;
                below.Parent = directory;
                below.Depth = directory.Depth + 1;
                foreach (var child in below.Entries.Values)
                {
                    Attach(below, child, keepsTimes);
                }

                break;
        }
    }

    private void Unbind(DirectoryNode directory, string name)
    {
        if (!directory.Entries.TryGetValue(name, out var entry))
        {
            // It was the host's alone: from now on an entry hides it.
            CountNode();
            directory.Entries.Add(name, new Entry { IsPending = true });
        }
        else
        {
            entry.Node!.Links--;
            entry.Node = null;
            if (directory.Mount.HostPath is null)
            {
                directory.Entries.Remove(name);
                _nodeCount--;
            }
            else
            {
                entry.IsPending = true;
            }
        }

        directory.ModificationTime = directory.ChangeTime = _clock.Realtime;
        IsChanged = true;
    }

    private void Free(FileNode file)
    {
        file.Content?.Free();
        file.HostHandle?.Dispose();
        file.HostHandle = null;
        IsChanged = true;
    }
}
