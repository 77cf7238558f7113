using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Everheap.Engine.Storage;

/// <summary>
/// A file as a medium: reads through a mapped view where that pays and positionally elsewhere, writes positionally, so that a full disk is an
/// exception and not the end of the process. Holds the system's lock on the file while it is open.
/// </summary>
public sealed class FileMedium : IStorageMedium
{
    private const int WindowsSharingViolation = unchecked((int)0x80070020);
    private const int LinuxWouldBlock = 11;
    private const int MacWouldBlock = 35;

    /// <summary>SIGXFSZ on Linux.</summary>
    private const int FileSizeSignal = 25;

    private static readonly Lock FileSizeSignalLock = new();
    private static PosixSignalRegistration? _fileSizeSignal;

    private readonly SafeFileHandle _handle;
    private readonly MappedView? _view;
    private long _length;
    private bool _isHolderWritten;

    private FileMedium(string path, SafeFileHandle handle, bool readOnly, bool isMapped = true)
    {
        IgnoreFileSizeSignal();
        Name = path;
        IsReadOnly = readOnly;
        _handle = handle;
        _length = RandomAccess.GetLength(handle);
        _view = isMapped ? MappedView.TryCreate((int)handle.DangerousGetHandle()) : null;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public bool IsReadOnly { get; }

    /// <inheritdoc/>
    public long Length => Volatile.Read(ref _length);

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
    /// <param name="path">The file.</param>
    /// <param name="readOnly">Whether to open for reading only.</param>
    /// <exception cref="HeapLockedException">Another process, or another opener in this one, has it open.</exception>
    /// <exception cref="IOException">The file is missing or cannot be opened.</exception>
    public static FileMedium Open(string path, bool readOnly)
    {
        var full = Path.GetFullPath(path);
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
    }

    /// <summary>
    /// Opens a file for reading, past the lock that its writer holds. Nothing is mapped: the writer may cut the file short at any time, which then is an error of a read.
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
        var descriptor = Libc.Open(full, Libc.OpenReadOnly | Libc.OpenCloseOnExec);
        if (descriptor < 0)
        {
            var reason = Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
            throw File.Exists(full) ? new IOException($"{full} cannot be opened: {reason}.") : new FileNotFoundException($"{full} cannot be opened: {reason}.", full);
        }

        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        try
        {
            return new FileMedium(full, handle, readOnly: true, isMapped: false);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Read(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            var count = RandomAccess.Read(_handle, destination, offset);
            if (count == 0)
            {
                throw new EndOfStreamException(
                    $"{Name}: the file ends at {RandomAccess.GetLength(_handle)}, but {destination.Length} bytes were expected at {offset}. "
                    + "Has something cut it short while it was open?");
            }

            offset += count;
            destination = destination[count..];
        }
    }

    /// <inheritdoc/>
    public bool TryReadMapped(long offset, Span<byte> destination) => _view is { } view && view.TryRead(offset, destination);

    /// <inheritdoc/>
    public void ReleaseMapped() => _view?.Release();

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> source) => RandomAccess.Write(_handle, source, offset);

    /// <inheritdoc/>
    public void Resize(long length)
    {
        try
        {
            RandomAccess.SetLength(_handle, length);
        }
        catch (ArgumentOutOfRangeException refusal)
        {
            throw new IOException($"{length} bytes are more than the file system, or this process's limit (ulimit -f), allows", refusal);
        }

        Volatile.Write(ref _length, length);
    }

    /// <inheritdoc/>
    public void Flush() => RandomAccess.FlushToDisk(_handle);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isHolderWritten)
        {
            HolderRecord none = default;
            WriteHolder(ref none);
            _isHolderWritten = false;
        }

        _view?.Dispose();
        _handle.Dispose();
    }

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

    /// <summary>A file that grows past the process's limit (ulimit -f) is an error of the write, and not the end of the process.</summary>
    private static void IgnoreFileSizeSignal()
    {
        lock (FileSizeSignalLock)
        {
            if (OperatingSystem.IsLinux())
            {
                _fileSizeSignal ??= PosixSignalRegistration.Create((PosixSignal)FileSizeSignal, context => context.Cancel = true);
            }
        }
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
