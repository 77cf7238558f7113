using Microsoft.Win32.SafeHandles;

namespace Everheap.Vm.Wasi.Files;

/// <summary>Something that has an inode: a file, a directory or a symbolic link.</summary>
/// <param name="id">Its number in the stored state.</param>
/// <param name="inode">Its number for the program.</param>
internal abstract class Node(uint id, ulong inode)
{
    /// <summary>Its number in the stored state; never used again.</summary>
    public uint Id { get; } = id;

    /// <summary>Its number for the program.</summary>
    public ulong Inode { get; } = inode;

    /// <summary>What it is.</summary>
    public abstract FileType Type { get; }

    /// <summary>Nanoseconds since 1970.</summary>
    public ulong AccessTime { get; set; }

    /// <summary>Nanoseconds since 1970.</summary>
    public ulong ModificationTime { get; set; }

    /// <summary>Nanoseconds since 1970.</summary>
    public ulong ChangeTime { get; set; }

    /// <summary>Names that it has in directories of the heap.</summary>
    public int Links { get; set; }

    /// <summary>Descriptors that are open on it.</summary>
    public int OpenCount { get; set; }

    /// <summary>Sets all times.</summary>
    /// <param name="now">Nanoseconds since 1970.</param>
    public void Touch(ulong now) => AccessTime = ModificationTime = ChangeTime = now;
}

/// <summary>A regular file: its bytes are in the heap, or still those of a host file that the program has not changed.</summary>
internal sealed class FileNode(uint id, ulong inode) : Node(id, inode)
{
    /// <inheritdoc/>
    public override FileType Type => FileType.RegularFile;

    /// <summary>The bytes in the heap; null while they are the host's.</summary>
    public FileContent? Content { get; set; }

    /// <summary>The mount whose host file has the bytes; null once they are in the heap.</summary>
    public Mount? HostMount { get; set; }

    /// <summary>The host file below the mount; null once the bytes are in the heap.</summary>
    public string? HostPath { get; set; }

    /// <summary>Whether the times are those of this node, not of the host file.</summary>
    public bool HasOwnTimes { get; set; }

    /// <summary>What the host lacks; null for a file that is not in a host directory.</summary>
    public WriteBack? Pending { get; set; }

    /// <summary>What is on its way to the host.</summary>
    public WriteBack? InFlight { get; set; }

    /// <summary>The open host file, if it was read lately.</summary>
    public SafeFileHandle? HostHandle { get; set; }
}

/// <summary>A symbolic link.</summary>
internal sealed class SymlinkNode(uint id, ulong inode, string target) : Node(id, inode)
{
    /// <inheritdoc/>
    public override FileType Type => FileType.SymbolicLink;

    /// <summary>What it says, as written.</summary>
    public string Target { get; } = target;
}

/// <summary>
/// A directory. What the program changed, opened or removed has an entry; what a directory on the host has besides shows through,
/// unless <see cref="HostPath"/> is null.
/// </summary>
internal sealed class DirectoryNode(uint id, ulong inode, Mount mount) : Node(id, inode)
{
    /// <inheritdoc/>
    public override FileType Type => FileType.Directory;

    /// <summary>The mount that it is in.</summary>
    public Mount Mount { get; set; } = mount;

    /// <summary>The directory that it is in; null for a mount's root, and once it is removed.</summary>
    public DirectoryNode? Parent { get; set; }

    /// <summary>Levels below the mount's root.</summary>
    public int Depth { get; set; }

    /// <summary>Whether it was removed while open: it is empty and stays so.</summary>
    public bool IsRemoved { get; set; }

    /// <summary>The host directory below the mount that shows through ("" for the mount's own); null if none does.</summary>
    public string? HostPath { get; set; }

    /// <summary>What is known here, by name.</summary>
    public SortedDictionary<string, Entry> Entries { get; } = new(StringComparer.Ordinal);
}

/// <summary>A name in a directory.</summary>
internal sealed class Entry
{
    /// <summary>What has the name; null if the program removed it.</summary>
    public Node? Node { get; set; }

    /// <summary>If the host may still have a directory of this name that the program emptied and removed: what was in it.</summary>
    public Remnant? Remnant { get; set; }

    /// <summary>Whether the host lacks this: the name is new, gone, or something else's.</summary>
    public bool IsPending { get; set; }

    /// <summary>Whether it is on its way to the host.</summary>
    public bool IsInFlight { get; set; }

    /// <summary>The remnant that is on its way to the host.</summary>
    public Remnant? RemnantInFlight { get; set; }
}

/// <summary>The names in a removed directory, so that exactly what the program removed is removed on the host. Never changed once made.</summary>
/// <param name="Children">The names, with what was below them if they were directories.</param>
internal sealed record Remnant(IReadOnlyDictionary<string, Remnant?> Children)
{
    /// <summary>Both of two remnants of the same name.</summary>
    /// <param name="first">One, or null.</param>
    /// <param name="second">The other, or null.</param>
    /// <returns>The union; null if both are.</returns>
    public static Remnant? Join(Remnant? first, Remnant? second)
    {
        if (first is null || second is null)
        {
            return first ?? second;
        }

        var children = new Dictionary<string, Remnant?>(first.Children);
        foreach (var (name, below) in second.Children)
        {
            children[name] = Join(children.GetValueOrDefault(name), below);
        }

        return new Remnant(children);
    }
}

/// <summary>A preopened directory.</summary>
internal sealed class Mount
{
    /// <summary>The path under which the program sees it.</summary>
    public required string GuestPath { get; init; }

    /// <summary>The host directory behind it, absolute; null for one that is in the heap alone.</summary>
    public string? HostPath { get; set; }

    /// <summary>Its place among the mounts.</summary>
    public required int Index { get; init; }

    /// <summary>The directory.</summary>
    public DirectoryNode Root { get; set; } = null!;
}
