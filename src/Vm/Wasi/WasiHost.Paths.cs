using System.Text;
using Everheap.Vm.Execution;
using Everheap.Vm.Wasi.Files;

namespace Everheap.Vm.Wasi;

/// <content>Functions on paths.</content>
internal sealed partial class WasiHost
{
    private DirectoryNode StartDirectory(ulong number, Rights rights)
    {
        var descriptor = _descriptors.Get((uint)number);
        if (descriptor.Kind != DescriptorKind.Directory)
        {
            throw new WasiException(Errno.NotDirectory);
        }

        if ((descriptor.Rights & rights) != rights)
        {
            throw new WasiException(Errno.NotCapable);
        }

        return descriptor.Directory;
    }

    private static string ReadPath(GuestMemory memory, ulong offset, ulong length)
    {
        if (length > WasiLimits.PathBytesMax)
        {
            throw new WasiException(Errno.NameTooLong);
        }

        Span<byte> bytes = stackalloc byte[WasiLimits.PathBytesMax];
        bytes = bytes[..(int)length];
        memory.Read(offset, bytes);
        return PathResolver.Decode(bytes);
    }

    private ResolvedPath Resolve(ulong number, Rights rights, GuestMemory memory, ulong offset, ulong length, bool followLast)
    {
        var start = StartDirectory(number, rights);
        return PathResolver.Resolve(_files, start, ReadPath(memory, offset, length), followLast);
    }

    private Answer PathOpen(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var parent = _descriptors.Get((uint)arguments[0]);
        bool follow = ((LookupFlags)arguments[1] & LookupFlags.SymlinkFollow) != 0;
        var open = (OpenFlags)arguments[4];
        var rights = (Rights)arguments[5];
        var inheriting = (Rights)arguments[6];
        var flags = (FdFlags)arguments[7];
        if ((arguments[4] & ~(ulong)OpenFlags.All) != 0 || (arguments[7] & ~(ulong)FdFlags.All) != 0
            || (open & (OpenFlags.Create | OpenFlags.Directory)) == (OpenFlags.Create | OpenFlags.Directory))
        {
            return Errno.Invalid;
        }

        var path = Resolve(arguments[0], Rights.PathOpen, memory, arguments[2], arguments[3], follow && (open & OpenFlags.Exclusive) == 0);
        bool isNew = path.Node is null;
        if (path.Node is null && (open & OpenFlags.Create) == 0)
        {
            return Errno.NoEntry;
        }

        if (path.Node is not null && (open & (OpenFlags.Create | OpenFlags.Exclusive)) == (OpenFlags.Create | OpenFlags.Exclusive))
        {
            return Errno.Exists;
        }

        switch (path.Node)
        {
            case null when path.MustBeDirectory:
                return Errno.IsDirectory;
            case null when (parent.Rights & Rights.PathCreateFile) == 0:
                return Errno.NotCapable;
            case SymlinkNode:
                return Errno.Loop;
            case DirectoryNode when (open & OpenFlags.Truncate) != 0 || (rights & Rights.FdWrite) != 0:
                return Errno.IsDirectory;
            case FileNode when (open & OpenFlags.Directory) != 0:
                return Errno.NotDirectory;
            case FileNode when (open & OpenFlags.Truncate) != 0 && (parent.Rights & Rights.PathFilestatSetSize) == 0:
                return Errno.NotCapable;
        }

        // The result's address is tried before anything is opened.
        WriteU32(memory, arguments[8], uint.MaxValue);
        var node = path.Node ?? _files.CreateFile(path.Directory, path.Name!);
        if (!isNew && path.Name is not null)
        {
            _files.Know(path.Directory, path.Name, node);
        }

        bool isDirectory = node is DirectoryNode;
        uint number = _descriptors.Add(new Descriptor
        {
            Kind = isDirectory ? DescriptorKind.Directory : DescriptorKind.File,
            Type = node.Type,
            Node = node,
            Rights = rights & parent.InheritingRights & (isDirectory ? Rights.Directory : Rights.File),
            InheritingRights = isDirectory ? inheriting & parent.InheritingRights : Rights.None,
            Flags = flags,
        });
        _files.Opened(node);
        if (node is FileNode file && (open & OpenFlags.Truncate) != 0 && !isNew)
        {
            _files.SetLength(file, 0);
        }

        WriteU32(memory, arguments[8], number);
        return Errno.Success;
    }

    private Answer PathCreateDirectory(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var path = Resolve(arguments[0], Rights.PathCreateDirectory, memory, arguments[1], arguments[2], followLast: false);
        if (path.Node is not null)
        {
            return Errno.Exists;
        }

        _files.CreateDirectory(path.Directory, path.Name!);
        return Errno.Success;
    }

    private Answer PathFilestatGet(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        bool follow = ((LookupFlags)arguments[1] & LookupFlags.SymlinkFollow) != 0;
        var path = Resolve(arguments[0], Rights.PathFilestatGet, memory, arguments[2], arguments[3], follow);
        if (path.Node is null)
        {
            return Errno.NoEntry;
        }

        WriteFilestat(memory, arguments[4], path.Node);
        return Errno.Success;
    }

    private Answer PathFilestatSetTimes(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        bool follow = ((LookupFlags)arguments[1] & LookupFlags.SymlinkFollow) != 0;
        var path = Resolve(arguments[0], Rights.PathFilestatSetTimes, memory, arguments[2], arguments[3], follow);
        if (path.Node is null)
        {
            return Errno.NoEntry;
        }

        if (!TryReadTimes(arguments[4], arguments[5], arguments[6], out ulong? access, out ulong? modification))
        {
            return Errno.Invalid;
        }

        if (path.Name is not null)
        {
            _files.Know(path.Directory, path.Name, path.Node);
        }

        _files.SetTimes(path.Node, access, modification);
        return Errno.Success;
    }

    private Answer PathLink(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        bool follow = ((LookupFlags)arguments[1] & LookupFlags.SymlinkFollow) != 0;
        var from = Resolve(arguments[0], Rights.PathLinkSource, memory, arguments[2], arguments[3], follow);
        var to = Resolve(arguments[4], Rights.PathLinkTarget, memory, arguments[5], arguments[6], followLast: false);
        if (from.Node is null)
        {
            return Errno.NoEntry;
        }

        if (to.Node is not null)
        {
            return Errno.Exists;
        }

        if (from.Node is not FileNode file)
        {
            return from.Node is DirectoryNode ? Errno.NotPermitted : Errno.NotSupported;
        }

        if (to.MustBeDirectory)
        {
            return Errno.NoEntry;
        }

        _files.Link(file, to.Directory, to.Name!);
        return Errno.Success;
    }

    private Answer PathReadlink(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var path = Resolve(arguments[0], Rights.PathReadlink, memory, arguments[1], arguments[2], followLast: false);
        switch (path.Node)
        {
            case null:
                return Errno.NoEntry;
            case SymlinkNode link:
                byte[] target = Encoding.UTF8.GetBytes(link.Target);
                int count = (int)Math.Min((ulong)target.Length, arguments[4]);
                memory.Write(arguments[3], target.AsSpan(0, count));
                WriteU32(memory, arguments[5], (uint)count);
                return Errno.Success;
            default:
                return Errno.Invalid;
        }
    }

    private Answer PathRemoveDirectory(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var path = Resolve(arguments[0], Rights.PathRemoveDirectory, memory, arguments[1], arguments[2], followLast: false);
        if (path.Name is null)
        {
            return Errno.Invalid;
        }

        switch (path.Node)
        {
            case null:
                return Errno.NoEntry;
            case DirectoryNode directory:
                if (!FileSystem.IsEmpty(directory))
                {
                    return Errno.NotEmpty;
                }

                _files.RemoveDirectory(path.Directory, path.Name, directory);
                return Errno.Success;
            default:
                return Errno.NotDirectory;
        }
    }

    private Answer PathUnlinkFile(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var path = Resolve(arguments[0], Rights.PathUnlinkFile, memory, arguments[1], arguments[2], followLast: false);
        switch (path.Node)
        {
            case null:
                return Errno.NoEntry;
            case DirectoryNode:
                return Errno.IsDirectory;
            default:
                _files.Unlink(path.Directory, path.Name!, path.Node);
                return Errno.Success;
        }
    }

    private Answer PathRename(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var from = Resolve(arguments[0], Rights.PathRenameSource, memory, arguments[1], arguments[2], followLast: false);
        var to = Resolve(arguments[3], Rights.PathRenameTarget, memory, arguments[4], arguments[5], followLast: false);
        if (from.Node is null)
        {
            return Errno.NoEntry;
        }

        if (from.Name is null || to.Name is null)
        {
            return Errno.Busy;
        }

        if (to.Node is null && to.MustBeDirectory && from.Node is not DirectoryNode)
        {
            return Errno.NotDirectory;
        }

        if (ReferenceEquals(from.Directory, to.Directory) && from.Name == to.Name)
        {
            return Errno.Success;
        }

        for (var above = to.Directory; above is not null; above = above.Parent)
        {
            if (ReferenceEquals(above, from.Node))
            {
                return Errno.Invalid;
            }
        }

        switch (to.Node)
        {
            case null:
                break;
            case DirectoryNode replaced when from.Node is DirectoryNode:
                if (!FileSystem.IsEmpty(replaced))
                {
                    return Errno.NotEmpty;
                }

                _files.RemoveDirectory(to.Directory, to.Name, replaced);
                break;
            case DirectoryNode:
                return Errno.IsDirectory;
            case var _ when from.Node is DirectoryNode:
                return Errno.NotDirectory;
            case var same when ReferenceEquals(same, from.Node):
                // Two names of one file: nothing happens, as in POSIX.
                return Errno.Success;
            default:
                _files.Unlink(to.Directory, to.Name, to.Node);
                break;
        }

        _files.Move(from.Directory, from.Name, from.Node, to.Directory, to.Name);
        return Errno.Success;
    }

    private Answer PathSymlink(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        string target = ReadPath(memory, arguments[0], arguments[1]);
        var path = Resolve(arguments[2], Rights.PathSymlink, memory, arguments[3], arguments[4], followLast: false);
        if (target.Length == 0 || path.MustBeDirectory)
        {
            return path.Node is not null ? Errno.Exists : Errno.NoEntry;
        }

        PathResolver.CheckRelative(target);
        if (path.Node is not null)
        {
            return Errno.Exists;
        }

        _files.CreateSymlink(path.Directory, path.Name!, target);
        return Errno.Success;
    }
}
