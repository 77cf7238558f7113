using System.IO.Enumeration;
using Microsoft.Win32.SafeHandles;

namespace Everheap.Vm.Wasi.Files;

/// <summary>What the host knows of a file.</summary>
/// <param name="Type">What it is.</param>
/// <param name="Size">In bytes.</param>
/// <param name="AccessTime">Nanoseconds since 1970.</param>
/// <param name="ModificationTime">Nanoseconds since 1970.</param>
/// <param name="ChangeTime">Nanoseconds since 1970.</param>
internal readonly record struct HostStatus(FileType Type, long Size, ulong AccessTime, ulong ModificationTime, ulong ChangeTime);

/// <summary>A name in a host directory.</summary>
/// <param name="Name">The name.</param>
/// <param name="Type">What has it.</param>
internal readonly record struct HostName(string Name, FileType Type);

/// <summary>
/// Reading of host files and directories. No function follows a symbolic link in the last component of a path, and callers
/// only build paths whose other components they have found to be directories.
/// </summary>
internal static class HostFiles
{
    private const ulong NanosecondsPerTick = 100;

    private static readonly EnumerationOptions ListOptions = new()
    {
        AttributesToSkip = 0,
        IgnoreInaccessible = false,
        RecurseSubdirectories = false,
        ReturnSpecialDirectories = false,
        MatchType = MatchType.Simple,
    };

    /// <summary>Describes a file.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="status">What is known.</param>
    /// <returns>Whether there is one.</returns>
    public static bool TryStat(string path, out HostStatus status)
    {
        if (Native.IsAvailable)
        {
            bool found = Native.TryStat(path, out var native);
            status = new HostStatus(native.Type, native.Size, native.AccessTime, native.ModificationTime, native.ChangeTime);
            return found;
        }

        FileSystemInfo info = new FileInfo(path);
        if (!info.Exists)
        {
            info = new DirectoryInfo(path);
        }

        if (!info.Exists && info.LinkTarget is null)
        {
            status = default;
            return false;
        }

        var type = info.LinkTarget is not null ? FileType.SymbolicLink : info is FileInfo ? FileType.RegularFile : FileType.Directory;
        status = new HostStatus(type, (info as FileInfo)?.Length ?? 0, Nanoseconds(info.LastAccessTimeUtc), Nanoseconds(info.LastWriteTimeUtc), Nanoseconds(info.LastWriteTimeUtc));
        return true;
    }

    /// <summary>Lists a directory.</summary>
    /// <param name="path">Its path.</param>
    /// <returns>Its names, in no order.</returns>
    /// <exception cref="WasiException">It cannot be listed, or has too many names.</exception>
    public static List<HostName> List(string path)
    {
        return Guard(() =>
        {
            var names = new List<HostName>();
            var found = new FileSystemEnumerable<HostName>(path, static (ref FileSystemEntry entry) => new HostName(entry.FileName.ToString(), TypeOf(ref entry)), ListOptions);
            foreach (var name in found)
            {
                if (names.Count == WasiLimits.ListingNamesMax)
                {
                    throw new WasiException(Errno.NoMemory);
                }

                names.Add(name);
            }

            return names;
        });
    }

    /// <summary>Reads a symbolic link.</summary>
    /// <param name="path">Its path.</param>
    /// <returns>What it says.</returns>
    /// <exception cref="WasiException">It is gone.</exception>
    public static string ReadLink(string path) => Guard(() => new FileInfo(path).LinkTarget) ?? throw new WasiException(Errno.NoEntry);

    /// <summary>Opens a file for reading.</summary>
    /// <param name="path">Its path.</param>
    /// <returns>The handle.</returns>
    /// <exception cref="WasiException">It cannot be opened.</exception>
    public static SafeFileHandle OpenRead(string path) =>
        Guard(() => File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));

    /// <summary>Reads from a file.</summary>
    /// <param name="handle">The file.</param>
    /// <param name="offset">Where, in bytes.</param>
    /// <param name="destination">Filled from its start.</param>
    /// <returns>How many bytes.</returns>
    /// <exception cref="WasiException">The host refuses.</exception>
    public static int Read(SafeFileHandle handle, long offset, Span<byte> destination)
    {
        try
        {
            return RandomAccess.Read(handle, destination, offset);
        }
        catch (IOException)
        {
            throw new WasiException(Errno.InputOutput);
        }
    }

    /// <summary>A host path below a directory. Guest names use '/' alone.</summary>
    /// <param name="directory">The directory's path below the mount; "" for the mount's own.</param>
    /// <param name="name">The name.</param>
    /// <returns>The path below the mount.</returns>
    public static string Join(string directory, string name) => directory.Length == 0 ? name : directory + "/" + name;

    /// <summary>Nanoseconds since 1970.</summary>
    /// <param name="time">The time.</param>
    /// <returns>The number.</returns>
    public static ulong Nanoseconds(DateTime time) => (ulong)Math.Max(0, (time - DateTime.UnixEpoch).Ticks) * NanosecondsPerTick;

    /// <summary>The time that a number of nanoseconds since 1970 means, as exactly as .NET can say it.</summary>
    /// <param name="nanoseconds">The number.</param>
    /// <returns>The time.</returns>
    public static DateTime Time(ulong nanoseconds)
    {
        ulong ticksMax = (ulong)(DateTime.MaxValue.Ticks - DateTime.UnixEpoch.Ticks);
        return DateTime.UnixEpoch.AddTicks((long)Math.Min(nanoseconds / NanosecondsPerTick, ticksMax));
    }

    private static FileType TypeOf(ref FileSystemEntry entry)
    {
        if ((entry.Attributes & FileAttributes.ReparsePoint) != 0)
        {
            return FileType.SymbolicLink;
        }

        if (entry.IsDirectory)
        {
            return FileType.Directory;
        }

        return Native.IsAvailable && Native.TryStat(entry.ToSpecifiedFullPath(), out var status) ? status.Type : FileType.RegularFile;
    }

    private static T Guard<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new WasiException(Errno.NoEntry);
        }
        catch (UnauthorizedAccessException)
        {
            throw new WasiException(Errno.Access);
        }
        catch (PathTooLongException)
        {
            throw new WasiException(Errno.NameTooLong);
        }
        catch (IOException)
        {
            throw new WasiException(Errno.InputOutput);
        }
    }
}
