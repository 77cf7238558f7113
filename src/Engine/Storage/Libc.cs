using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Everheap.Engine.Storage;

/// <summary>The few system calls that .NET has no door to. Only called where <see cref="IsAvailable"/>.</summary>
internal static unsafe partial class Libc
{
    public const int ProtNone = 0;
    public const int ProtRead = 1;
    public const int ProtWrite = 2;
    public const int MapPrivate = 0x02;
    public const int MapAnonymous = 0x20;
    public const int MapNoReserve = 0x4000;
    public const int AdviseDontNeed = 4;
    public const int AdviseHugePage = 14;
    public const int AdviseNoHugePage = 15;
    public const uint SyncRangeWrite = 2;
    public const int AdviseFileWillNeed = 3;
    public const int SeekEnd = 2;
    public const int OpenReadOnly = 0;
    public const int OpenCloseOnExec = 0x80000;
    public const int ErrorInterrupted = 4;
    public const int ErrorFileTooLarge = 27;
    public const int ErrorNoSpace = 28;
    public const int ErrorReadOnlyFileSystem = 30;
    public const int ErrorNotImplemented = 38;
    public const int ErrorNotSupported = 95;
    public const int ErrorQuotaExceeded = 122;
    public const int AtWorkingDirectory = -100;
    public const uint StatusType = 0x1;
    public const int FileTypeMask = 0xF000;
    public const int FileTypeRegular = 0x8000;

    /// <summary>Constants above are Linux's, and file offsets are taken to have 64 bits.</summary>
    public static bool IsAvailable { get; } = OperatingSystem.IsLinux() && Environment.Is64BitProcess;

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    public static partial nint Map(nint address, nuint length, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    public static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    public static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    public static partial int Advise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    public static partial nint Read(int descriptor, byte* buffer, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(SafeFileHandle file);

    /// <summary>With <see cref="SyncRangeWrite"/> alone: begins to write what is dirty in a range, waits for nothing, and takes no error away from the next fsync.</summary>
    [LibraryImport("libc", EntryPoint = "sync_file_range")]
    public static partial int SyncRange(SafeFileHandle file, long offset, long length, uint flags);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    public static partial int AdviseFile(SafeFileHandle file, long offset, long length, int advice);

    /// <summary>Reserves room from an offset on, and makes the file as long as that takes.</summary>
    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    public static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Status(int directory, string path, int flags, uint mask, FileStatus* status);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    /// <summary>struct statx: the same on all processors; of it, only the mode is of interest.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct FileStatus
    {
        [FieldOffset(28)]
        public ushort Mode;
    }
}
