using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Everheap.Engine.Storage;

/// <summary>
/// A file as a medium, read and written positionally. Holds the system's lock on the file while it is open.
/// </summary>
/// <remarks>
/// Invariants:
/// <list type="number">
/// <item>No fault of the medium ends the process: nothing is mapped. A page of a mapping that the disk cannot deliver, that was cut off meanwhile,
/// or that a file system in memory has no room for, would.</item>
/// <item>Room is reserved when the file grows, where the file system can do that: a full disk shows before anything has been written.</item>
/// <item>Every error that the system answers a flush with is an exception.</item>
/// </list>
/// </remarks>
public sealed partial class FileMedium : IStorageMedium
{
    /// <summary>SIGXFSZ on Linux.</summary>
    private const int FileSizeSignal = 25;

    /// <summary>Bytes that one hint asks for: of a longer one, Linux begins to read no more than its read-ahead window or one request of the device, 128 KiB by default (mm/readahead.c, force_page_cache_ra).</summary>
    private const long PrefetchBytes = 128 << 10;

    private static readonly Lock FileSizeSignalLock = new();
    private static PosixSignalRegistration? _fileSizeSignal;

    private readonly Lock _resizing = new();
    private readonly SafeFileHandle _handle;
    private long _length;
    private bool _isHolderWritten;

    private FileMedium(string path, SafeFileHandle handle, bool readOnly)
    {
        IgnoreFileSizeSignal();
        Name = path;
        IsReadOnly = readOnly;
        _handle = handle;
        _length = RandomAccess.GetLength(handle);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public bool IsReadOnly { get; }

    /// <inheritdoc/>
    public long Length => Volatile.Read(ref _length);

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
    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        try
        {
            RandomAccess.Write(_handle, source, offset);
        }
        catch (Exception failure) when (IsFull(failure))
        {
            throw Full($"there is no room for {source.Length} bytes at {offset}", failure);
        }
    }

    /// <inheritdoc/>
    public void Resize(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        lock (_resizing)
        {
            if (length <= _length || !TryReserve(length))
            {
                SetLength(length);
            }

            Volatile.Write(ref _length, length);
        }
    }

    /// <inheritdoc/>
    public void BeginWriteBack(long offset, long length)
    {
        // What it answers is of no interest: a page that cannot be written is an error of the flush, which tells of every page that could not since the file was opened.
        if (Libc.IsAvailable)
        {
            _ = Libc.SyncRange(_handle, offset, length, Libc.SyncRangeWrite);
        }
    }

    /// <inheritdoc/>
    public void Prefetch(long offset, long length)
    {
        // It begins reads into the system's cache; that some cannot be made is told to whoever reads there.
        if (Libc.IsAvailable)
        {
            for (var end = offset + length; offset < end; offset += PrefetchBytes)
            {
                _ = Libc.AdviseFile(_handle, offset, Math.Min(PrefetchBytes, end - offset), Libc.AdviseFileWillNeed);
            }
        }
    }

    /// <inheritdoc/>
    public void Flush()
    {
        if (!Libc.IsAvailable)
        {
            RandomAccess.FlushToDisk(_handle);
            return;
        }

        // .NET's own way takes an error of fsync for "there is nothing to flush" and returns, on Unix: RandomAccess.FlushToDisk and FileStream.Flush both.
        int result;
        do
        {
            result = Libc.Sync(_handle);
        }
        while (result != 0 && Marshal.GetLastPInvokeError() == Libc.ErrorInterrupted);

        if (result != 0)
        {
            throw Failed("what was written could not be made durable", Marshal.GetLastPInvokeError());
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isHolderWritten)
        {
            HolderRecord none = default;
            WriteHolder(ref none);
            _isHolderWritten = false;
        }

        _handle.Dispose();
    }

    /// <summary>Makes the file longer and reserves the room for that; false where the file system cannot, and then nothing has changed.</summary>
    private bool TryReserve(long length)
    {
        if (!Libc.IsAvailable)
        {
            return false;
        }

        int result;
        do
        {
            result = Libc.Allocate(_handle, 0, _length, length - _length);
        }
        while (result != 0 && Marshal.GetLastPInvokeError() == Libc.ErrorInterrupted);

        if (result == 0)
        {
            return true;
        }

        var error = Marshal.GetLastPInvokeError();
        if (error is Libc.ErrorNotSupported or Libc.ErrorNotImplemented)
        {
            return false;
        }

        var what = $"the file could not grow from {_length} to {length} bytes";
        if (error is Libc.ErrorNoSpace or Libc.ErrorQuotaExceeded or Libc.ErrorFileTooLarge && IsCutBack())
        {
            throw Full($"{what} ({Marshal.GetPInvokeErrorMessage(error)})");
        }

        throw Failed(what, error);
    }

    /// <summary>
    /// Gives back what a reservation that failed may have got: room, and length. False if the length is not what it was; room that a full file
    /// system cannot even give back (btrfs) does no harm.
    /// </summary>
    private bool IsCutBack()
    {
        try
        {
            RandomAccess.SetLength(_handle, _length);
            return true;
        }
        catch (Exception failure) when (IsFull(failure))
        {
            return RandomAccess.GetLength(_handle) == _length;
        }
    }

    private void SetLength(long length)
    {
        try
        {
            RandomAccess.SetLength(_handle, length);
        }
        catch (Exception failure) when (IsFull(failure))
        {
            throw Full($"the file could not grow from {_length} to {length} bytes", failure);
        }
    }

    /// <summary>Whether the system says "full": the disk, a quota, or the largest file.</summary>
    private static bool IsFull(Exception failure)
    {
        const int WindowsFileTooLarge = unchecked((int)0x800700DF);
        const int WindowsHandleDiskFull = unchecked((int)0x80070027);
        const int WindowsDiskFull = unchecked((int)0x80070070);
        const int WindowsQuotaExceeded = unchecked((int)0x8007050F);
        const int MacQuotaExceeded = 69;

        // EFBIG comes as the exception for a bad argument.
        return failure is ArgumentOutOfRangeException
            || (failure is IOException && (OperatingSystem.IsWindows()
                ? failure.HResult is WindowsFileTooLarge or WindowsHandleDiskFull or WindowsDiskFull or WindowsQuotaExceeded
                : failure.HResult is Libc.ErrorNoSpace or Libc.ErrorFileTooLarge
                    || failure.HResult == (OperatingSystem.IsMacOS() ? MacQuotaExceeded : Libc.ErrorQuotaExceeded)));
    }

    private MediumFullException Full(string what, Exception? failure = null) =>
        new($"{Name}: {what}: the disk is full, or a quota or a limit (ulimit -f) is reached.", failure);

    private IOException Failed(string what, int error) => new($"{Name}: {what}: {Marshal.GetPInvokeErrorMessage(error)} (error {error}).");

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
}
