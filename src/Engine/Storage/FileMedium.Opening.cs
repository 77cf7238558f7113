using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Everheap.Engine.Storage;

// Creating, opening and locking: what a file may be, what whoever is refused is told, and the record of who holds the store.
public sealed partial class FileMedium
{
    private const int WindowsSharingViolation = unchecked((int)0x80070020);
    private const int LinuxWouldBlock = 11;
    private const int MacWouldBlock = 35;

    /// <summary>Creates an empty file and locks it. Its name is durable when this returns.</summary>
    /// <param name="path">Where; nothing may be there yet.</param>
    /// <exception cref="IOException">Something is there already, or the file cannot be created.</exception>
    public static FileMedium Create(string path)
    {
        var full = Path.GetFullPath(path);
        var handle = File.OpenHandle(full, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, FileOptions.RandomAccess);
        SyncDirectory(Path.GetDirectoryName(full));
        return new FileMedium(full, handle, readOnly: false);
    }

    /// <summary>Opens a file and locks it: for itself alone, or together with other readers.</summary>
    /// <param name="path">The file, or a symbolic link to it.</param>
    /// <param name="readOnly">Whether to open for reading only. This is the only way for files and file systems that are read-only.</param>
    /// <exception cref="HeapLockedException">Another process, or another opener in this one, has it open.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not read it or, unless opening for reading only, not write to it.</exception>
    /// <exception cref="IOException">
    /// The file is missing or cannot be opened, is not a regular file but a directory, a device or a pipe, or lies on a read-only file system.
    /// </exception>
    public static FileMedium Open(string path, bool readOnly)
    {
        var full = Path.GetFullPath(path);
        RequireRegularFile(full);
        try
        {
            var access = readOnly ? FileAccess.Read : FileAccess.ReadWrite;
            var handle = File.OpenHandle(full, FileMode.Open, access, readOnly ? FileShare.Read : FileShare.None, FileOptions.RandomAccess);
            return new FileMedium(full, handle, readOnly);
        }
        catch (IOException failure) when (IsLocked(failure.HResult))
        {
            throw Locked(full);
        }
        catch (UnauthorizedAccessException refusal)
        {
            throw new UnauthorizedAccessException(
                readOnly
                    ? $"{full}: this process may not read it. Ask its owner for permission."
                    : $"{full}: this process may not write to it. Open it for reading only, or ask its owner for permission.",
                refusal);
        }
        catch (IOException refusal) when (!readOnly && IsReadOnlyFileSystem(refusal.HResult))
        {
            throw new IOException($"{full}: it lies on a read-only file system. Open it for reading only, or copy it to another.", refusal);
        }
    }

    /// <summary>
    /// Opens a file for reading, past the lock that its writer holds. The writer may cut the file short at any time, which then is an error of a read.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <exception cref="HeapLockedException">Where the system keeps everybody out (outside Linux): another process has it open.</exception>
    /// <exception cref="IOException">The file is missing or cannot be opened.</exception>
    internal static FileMedium OpenUnlocked(string path)
    {
        if (!Libc.IsAvailable)
        {
            return Open(path, readOnly: true);
        }

        var full = Path.GetFullPath(path);
        RequireRegularFile(full);
        var descriptor = Libc.Open(full, Libc.OpenReadOnly | Libc.OpenCloseOnExec);
        if (descriptor < 0)
        {
            var reason = Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
            throw File.Exists(full) ? new IOException($"{full} cannot be opened: {reason}.") : new FileNotFoundException($"{full} cannot be opened: {reason}.", full);
        }

        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        try
        {
            return new FileMedium(full, handle, readOnly: true);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Makes the file's name durable.</summary>
    /// <exception cref="IOException">The directory cannot be flushed.</exception>
    internal void FlushName() => SyncDirectory(Path.GetDirectoryName(Name));

    /// <summary>Leaves a record of this process for whoever finds the file locked. Only to be called once the file is known to be a store.</summary>
    internal void WriteHolder()
    {
        HolderRecord record = default;
        record.Magic = FileLayout.HolderMagic;
        record.ProcessId = Environment.ProcessId;
        record.SinceTicks = DateTime.UtcNow.Ticks;
        Span<byte> host = record.Host;
        Encoding.UTF8.TryGetBytes(Environment.MachineName, host, out var hostLength);
        record.HostLength = (uint)hostLength;
        record.Checksum = DiskView.HashWithout(ref record, ref record.Checksum);
        WriteHolder(ref record);
        _isHolderWritten = true;
    }

    private void WriteHolder(ref HolderRecord record)
    {
        try
        {
            Write((long)FileLayout.HolderPage << FileLayout.PageShift, DiskView.Bytes(ref record));
        }
        catch (IOException)
        {
            // A courtesy to others: not worth refusing to open for, on a full disk say.
        }
    }

    /// <summary>Refuses what cannot be a store before it is opened: opening a pipe waits for its other end, opening a device may do anything.</summary>
    private static unsafe void RequireRegularFile(string path)
    {
        if (Directory.Exists(path))
        {
            throw new IOException($"{path}: it is a directory. Give the path of a store's file.");
        }

        if (!Libc.IsAvailable)
        {
            return;
        }

        Libc.FileStatus status;
        try
        {
            if (Libc.Status(Libc.AtWorkingDirectory, path, 0, Libc.StatusType, &status) != 0)
            {
                return; // Opening it will say why.
            }
        }
        catch (EntryPointNotFoundException)
        {
            return; // An old C library.
        }

        if ((status.Mode & Libc.FileTypeMask) != Libc.FileTypeRegular)
        {
            throw new IOException($"{path}: it is not a file but a device, a pipe or a socket. Give the path of a store's file.");
        }
    }

    private static bool IsReadOnlyFileSystem(int result)
    {
        const int WindowsWriteProtected = unchecked((int)0x80070013);
        return OperatingSystem.IsWindows() ? result == WindowsWriteProtected : result == Libc.ErrorReadOnlyFileSystem;
    }

    private static bool IsLocked(int result) =>
        result is WindowsSharingViolation
        || (result == LinuxWouldBlock && OperatingSystem.IsLinux())
        || (result == MacWouldBlock && OperatingSystem.IsMacOS());

    private static HeapLockedException Locked(string path)
    {
        if (ReadHolder(path) is { } record)
        {
            Span<byte> bytes = record.Host;
            var host = Encoding.UTF8.GetString(bytes[..(int)Math.Min(record.HostLength, (uint)bytes.Length)]);
            var since = RecordText.ToTime(record.SinceTicks);
            if (host != Environment.MachineName || IsRunning(record.ProcessId))
            {
                return new HeapLockedException(
                    $"{path}: held by process {record.ProcessId} on {host} since {since:yyyy-MM-dd HH:mm:ss} UTC. Wait for it to end, or stop it.",
                    record.ProcessId,
                    host,
                    since);
            }
        }

        // Readers leave none, and one that is there may be of a process that was killed.
        return new HeapLockedException($"{path}: held by another process, which left no record of itself. Wait for it to end, or stop it.");
    }

    private static bool IsRunning(int processId)
    {
        try
        {
            using var process = Process.GetProcessById(processId);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    /// <summary>Reads the holder's record past the lock, which only .NET's own ways of opening a file respect.</summary>
    private static unsafe HolderRecord? ReadHolder(string path)
    {
        if (!Libc.IsAvailable)
        {
            return null;
        }

        var descriptor = Libc.Open(path, Libc.OpenReadOnly | Libc.OpenCloseOnExec);
        if (descriptor < 0)
        {
            return null;
        }

        HolderRecord record = default;
        var read = Libc.Read(descriptor, (byte*)&record, HolderRecord.Size, (long)FileLayout.HolderPage << FileLayout.PageShift);
        _ = Libc.Close(descriptor);
        return read == HolderRecord.Size
            && record.Magic == FileLayout.HolderMagic
            && record.Checksum == DiskView.HashWithout(ref record, ref record.Checksum)
            ? record
            : null;
    }

    /// <summary>Makes a new file's name durable, where the system wants that asked for.</summary>
    private static void SyncDirectory(string? directory)
    {
        if (!Libc.IsAvailable || string.IsNullOrEmpty(directory))
        {
            return;
        }

        var descriptor = Libc.Open(directory, Libc.OpenReadOnly | Libc.OpenCloseOnExec);
        if (descriptor < 0)
        {
            return; // A directory that may be written to but not read: nothing more can be done.
        }

        var result = Libc.Sync(descriptor);
        var error = Marshal.GetLastPInvokeError();
        _ = Libc.Close(descriptor);
        if (result != 0)
        {
            throw new IOException($"{directory}: the directory could not be flushed (error {error}).");
        }
    }
}
