using System.Buffers.Binary;
using System.Text;
using Everheap.Vm.Execution;
using Everheap.Vm.Wasi.Files;

namespace Everheap.Vm.Wasi;

/// <content>Functions on open descriptors, besides reading and writing.</content>
internal sealed partial class WasiHost
{
    private const int FdstatBytes = 24;
    private const int FilestatBytes = 64;
    private const int DirentBytes = 24;
    private const int AdviceMax = 5;
    private const string SelfName = ".";
    private const string ParentName = "..";

    private Answer FdAdvise(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        if (arguments[3] > AdviceMax || arguments[1] > long.MaxValue || arguments[2] > long.MaxValue)
        {
            return Errno.Invalid;
        }

        // Advice may be ignored.
        return descriptor.Kind switch
        {
            DescriptorKind.File => Errno.Success,
            DescriptorKind.Directory => Errno.BadDescriptor,
            _ => Errno.IllegalSeek,
        };
    }

    private Answer FdAllocate(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        long offset = Position(arguments[1]);
        long length = Position(arguments[2]);
        Require(descriptor, Rights.FdAllocate);
        if (descriptor.Kind != DescriptorKind.File || length == 0)
        {
            return length == 0 ? Errno.Invalid : Errno.BadDescriptor;
        }

        if (offset > WasiLimits.FileBytesMax - length)
        {
            return Errno.FileTooBig;
        }

        if (FileSystem.Length(descriptor.File) < offset + length)
        {
            _files.SetLength(descriptor.File, offset + length);
        }

        return Errno.Success;
    }

    private Answer FdClose(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var closed = _descriptors.Remove((uint)arguments[0]);
        if (closed.Node is not null)
        {
            _files.Closed(closed.Node);
        }

        return Errno.Success;
    }

    /// <summary>What is written is durable with the checkpoint that covers it, together with everything else; there is nothing to add to that.</summary>
    private Answer FdSync(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        return descriptor.Node is null ? Errno.Invalid : Errno.Success;
    }

    private Answer FdFdstatGet(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        Span<byte> bytes = stackalloc byte[FdstatBytes];
        bytes.Clear();
        bytes[0] = (byte)descriptor.Type;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[2..], (ushort)descriptor.Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], (ulong)descriptor.Rights);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], (ulong)descriptor.InheritingRights);
        memory.Write(arguments[1], bytes);
        return Errno.Success;
    }

    private Answer FdFdstatSetFlags(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        if ((arguments[1] & ~(ulong)FdFlags.All) != 0)
        {
            return Errno.Invalid;
        }

        descriptor.Flags = (FdFlags)arguments[1];
        return Errno.Success;
    }

    private Answer FdFdstatSetRights(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        var rights = (Rights)arguments[1];
        var inheriting = (Rights)arguments[2];
        if ((rights & ~descriptor.Rights) != 0 || (inheriting & ~descriptor.InheritingRights) != 0)
        {
            return Errno.NotCapable;
        }

        descriptor.Rights = rights;
        descriptor.InheritingRights = inheriting;
        return Errno.Success;
    }

    private Answer FdFilestatGet(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        if (descriptor.Node is not null)
        {
            WriteFilestat(memory, arguments[1], descriptor.Node);
            return Errno.Success;
        }

        Span<byte> bytes = stackalloc byte[FilestatBytes];
        bytes.Clear();
        bytes[16] = (byte)descriptor.Type;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], 1);
        if (descriptor.Kind == DescriptorKind.Input)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes[32..], (ulong)_input.FileLength);
        }

        memory.Write(arguments[1], bytes);
        return Errno.Success;
    }

    private Answer FdFilestatSetSize(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        long size = Position(arguments[1]);
        Require(descriptor, Rights.FdFilestatSetSize);
        if (descriptor.Kind != DescriptorKind.File)
        {
            return Errno.Invalid;
        }

        _files.SetLength(descriptor.File, size);
        return Errno.Success;
    }

    private Answer FdFilestatSetTimes(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        if (!TryReadTimes(arguments[1], arguments[2], arguments[3], out ulong? access, out ulong? modification) || descriptor.Node is null)
        {
            return Errno.Invalid;
        }

        _files.SetTimes(descriptor.Node, access, modification);
        return Errno.Success;
    }

    private bool TryReadTimes(ulong accessTime, ulong modificationTime, ulong flags, out ulong? access, out ulong? modification)
    {
        const TimeFlags BothAccess = TimeFlags.Access | TimeFlags.AccessNow;
        const TimeFlags BothModification = TimeFlags.Modification | TimeFlags.ModificationNow;
        var which = (TimeFlags)(ushort)flags;
        access = null;
        modification = null;
        if ((flags & ~(ulong)TimeFlags.All) != 0 || (which & BothAccess) == BothAccess || (which & BothModification) == BothModification)
        {
            return false;
        }

        ulong now = _clock.Realtime;
        access = (which & BothAccess) switch { TimeFlags.Access => accessTime, TimeFlags.AccessNow => now, _ => null };
        modification = (which & BothModification) switch { TimeFlags.Modification => modificationTime, TimeFlags.ModificationNow => now, _ => null };
        return true;
    }

    private Answer FdPrestatGet(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        if (descriptor.PreopenPath is null)
        {
            return Errno.BadDescriptor;
        }

        WriteU32(memory, arguments[1], 0); // __wasi_preopentype: a directory
        WriteU32(memory, arguments[1] + sizeof(uint), (uint)Encoding.UTF8.GetByteCount(descriptor.PreopenPath));
        return Errno.Success;
    }

    private Answer FdPrestatDirName(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        if (descriptor.PreopenPath is null)
        {
            return Errno.BadDescriptor;
        }

        byte[] path = Encoding.UTF8.GetBytes(descriptor.PreopenPath);
        if (arguments[2] < (ulong)path.Length)
        {
            return Errno.NameTooLong;
        }

        memory.Write(arguments[1], path);
        return Errno.Success;
    }

    /// <summary>
    /// Lists a directory. The names are those of the moment at which reading began, kept with the descriptor, so cookies (places in that list)
    /// stay good whatever is made or removed meanwhile, and over a resume.
    /// </summary>
    private Answer FdReaddir(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        ulong length = arguments[2];
        ulong cookie = arguments[3];
        if (descriptor.Kind != DescriptorKind.Directory)
        {
            return Errno.NotDirectory;
        }

        Require(descriptor, Rights.FdReaddir);
        if (cookie == 0 || descriptor.Listing is null)
        {
            descriptor.Listing = ListWithDots(descriptor.Directory);
        }

        var listing = descriptor.Listing;
        ulong used = 0;
        Span<byte> header = stackalloc byte[DirentBytes];
        for (ulong i = cookie; i < (ulong)listing.Count && used < length; i++)
        {
            var (name, inode, type) = listing[(int)i];
            byte[] bytes = Encoding.UTF8.GetBytes(name);
            header.Clear();
            BinaryPrimitives.WriteUInt64LittleEndian(header, i + 1);
            BinaryPrimitives.WriteUInt64LittleEndian(header[8..], inode);
            BinaryPrimitives.WriteUInt32LittleEndian(header[16..], (uint)bytes.Length);
            header[20] = (byte)type;

            // The last entry may be cut: the program sees a full buffer then, and asks again from its cookie with a larger one.
            used += WriteCut(memory, arguments[1] + used, header, length - used);
            used += WriteCut(memory, arguments[1] + used, bytes, length - used);
        }

        WriteU32(memory, arguments[4], (uint)used);
        return Errno.Success;
    }

    private static ulong WriteCut(GuestMemory memory, ulong offset, ReadOnlySpan<byte> bytes, ulong room)
    {
        int count = (int)Math.Min((ulong)bytes.Length, room);
        memory.Write(offset, bytes[..count]);
        return (ulong)count;
    }

    private static List<ListedName> ListWithDots(DirectoryNode directory)
    {
        var parent = directory.Parent ?? directory;
        return
        [
            new ListedName(SelfName, directory.Inode, FileType.Directory),
            new ListedName(ParentName, parent.Inode, FileType.Directory),
            .. FileSystem.List(directory),
        ];
    }

    private Answer FdRenumber(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var replaced = _descriptors.Renumber((uint)arguments[0], (uint)arguments[1]);
        if (replaced?.Node is not null)
        {
            _files.Closed(replaced.Node);
        }

        return Errno.Success;
    }

    private Answer FdSeek(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        long delta = (long)arguments[1];
        if (!IsSeekable(descriptor, out var failure))
        {
            return failure;
        }

        long start;
        switch ((Whence)(byte)arguments[2])
        {
            case Whence.Set:
                start = 0;
                break;
            case Whence.Current:
                start = descriptor.Offset;
                break;
            case Whence.End:
                start = descriptor.Kind == DescriptorKind.Input ? _input.FileLength : FileSystem.Length(descriptor.File);
                break;
            default:
                return Errno.Invalid;
        }

        if (delta > 0 && start > long.MaxValue - delta)
        {
            return Errno.Overflow;
        }

        if (start + delta < 0)
        {
            return Errno.Invalid;
        }

        WriteU64(memory, arguments[3], (ulong)(start + delta));
        descriptor.Offset = start + delta;
        return Errno.Success;
    }

    private Answer FdTell(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        if (!IsSeekable(descriptor, out var failure))
        {
            return failure;
        }

        WriteU64(memory, arguments[1], (ulong)descriptor.Offset);
        return Errno.Success;
    }

    private bool IsSeekable(Descriptor descriptor, out Errno failure)
    {
        failure = descriptor.Kind == DescriptorKind.Directory ? Errno.BadDescriptor : Errno.IllegalSeek;
        return descriptor.Kind == DescriptorKind.File || (descriptor.Kind == DescriptorKind.Input && _input.IsFile);
    }

    private void WriteFilestat(GuestMemory memory, ulong offset, Node node)
    {
        var status = FileSystem.Status(node);
        Span<byte> bytes = stackalloc byte[FilestatBytes];
        bytes.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, 1);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], node.Inode);
        bytes[16] = (byte)node.Type;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], (ulong)status.Links);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[32..], (ulong)status.Size);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[40..], node.AccessTime);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[48..], node.ModificationTime);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[56..], node.ChangeTime);
        memory.Write(offset, bytes);
    }
}
