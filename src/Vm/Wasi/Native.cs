using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Everheap.Vm.Wasi;

/// <summary>
/// The few system calls that .NET has no words for: writing to a stream whose position is shared with other processes, telling
/// whether two files are the same, making names durable. Linux only; callers ask <see cref="IsAvailable"/> first.
/// </summary>
internal static unsafe partial class Native
{
    public const int ErrorInterrupted = 4;
    public const int ErrorIo = 5;
    public const int ErrorAgain = 11;
    public const int ErrorNoSpace = 28;
    public const int ErrorPipe = 32;

    private const string Library = "libc";
    private const int AtFdCwd = -100;
    private const int AtSymlinkNoFollow = 0x100;
    private const int AtEmptyPath = 0x1000;
    private const uint StatxBasic = 0x7FF;
    private const int OpenDirectory = 0x10000;
    private const int OpenCloseOnExec = 0x80000;
    private const int FcntlGetFlags = 3;
    private const int OpenAppend = 0x400;
    private const int SeekCurrent = 1;
    private const int SeekSet = 0;
    private const int ErrorInvalid = 22;

    /// <summary>Whether these calls exist here.</summary>
    public static bool IsAvailable { get; } = OperatingSystem.IsLinux();

    /// <summary>The number of the user whom this process acts for.</summary>
    public static uint UserId => EffectiveUserCall();

    /// <summary>The error of the last call of this thread.</summary>
    public static int LastError => Marshal.GetLastPInvokeError();

    /// <summary>Describes an open descriptor.</summary>
    /// <param name="descriptor">The descriptor.</param>
    /// <param name="status">What is known.</param>
    /// <returns>Whether it is open.</returns>
    public static bool TryStat(int descriptor, out FileStatus status)
    {
        Statx raw;
        bool found = StatxCall(descriptor, "", AtEmptyPath, StatxBasic, &raw) == 0;
        status = found ? new FileStatus(raw) : default;
        return found;
    }

    /// <summary>Describes a file; a symbolic link at the end is not followed.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="status">What is known.</param>
    /// <returns>Whether there is one; otherwise <see cref="LastError"/> says why not.</returns>
    public static bool TryStat(string path, out FileStatus status)
    {
        Statx raw;
        bool found = StatxCall(AtFdCwd, path, AtSymlinkNoFollow, StatxBasic, &raw) == 0;
        status = found ? new FileStatus(raw) : default;
        return found;
    }

    /// <summary>Writes at a descriptor's own position, which moves on for every process that shares it.</summary>
    /// <param name="descriptor">The descriptor.</param>
    /// <param name="bytes">The bytes.</param>
    /// <returns>How many were written; -1 with <see cref="LastError"/> set.</returns>
    public static nint Write(int descriptor, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            return WriteCall(descriptor, start, (nuint)bytes.Length);
        }
    }

    /// <summary>A descriptor's position; -1 if it has none.</summary>
    /// <param name="descriptor">The descriptor.</param>
    /// <returns>The position in bytes.</returns>
    public static long Position(int descriptor) => SeekCall(descriptor, 0, SeekCurrent);

    /// <summary>Sets a descriptor's position.</summary>
    /// <param name="descriptor">The descriptor.</param>
    /// <param name="position">The position in bytes.</param>
    public static void SetPosition(int descriptor, long position) => SeekCall(descriptor, position, SeekSet);

    /// <summary>Whether a descriptor always writes at the end.</summary>
    /// <param name="descriptor">The descriptor.</param>
    /// <returns>True if so.</returns>
    public static bool IsAppending(int descriptor)
    {
        int flags = FcntlCall(descriptor, FcntlGetFlags, 0);
        return flags >= 0 && (flags & OpenAppend) != 0;
    }

    /// <summary>Whether a descriptor is a terminal.</summary>
    /// <param name="descriptor">The descriptor.</param>
    /// <returns>True if so.</returns>
    public static bool IsTerminal(int descriptor) => IsTerminalCall(descriptor) == 1;

    /// <summary>Makes what was written to a file durable.</summary>
    /// <param name="file">The file.</param>
    /// <param name="path">Its path, for the message.</param>
    /// <exception cref="IOException">The host cannot. (On Unix, .NET's own flush takes any error for "nothing to flush", and returns.)</exception>
    public static void Flush(SafeFileHandle file, string path)
    {
        if (!IsAvailable)
        {
            RandomAccess.FlushToDisk(file);
            return;
        }

        while (SyncCall((int)file.DangerousGetHandle()) != 0)
        {
            if (LastError is not (ErrorInterrupted or ErrorInvalid))
            {
                throw new IOException($"{path}: could not be flushed: {Marshal.GetPInvokeErrorMessage(LastError)}");
            }

            if (LastError == ErrorInvalid)
            {
                return; // no file that can be flushed, such as a pipe
            }
        }
    }

    /// <summary>Makes the names in a directory durable, as far as its file system can.</summary>
    /// <param name="path">The directory.</param>
    public static void SyncDirectory(string path)
    {
        int descriptor = OpenCall(path, OpenDirectory | OpenCloseOnExec, 0);
        if (descriptor >= 0)
        {
            _ = SyncCall(descriptor);
            _ = CloseCall(descriptor);
        }
    }

    [LibraryImport(Library, EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatxCall(int directory, string path, int flags, uint mask, Statx* result);

    [LibraryImport(Library, EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteCall(int descriptor, byte* bytes, nuint count);

    [LibraryImport(Library, EntryPoint = "lseek", SetLastError = true)]
    private static partial long SeekCall(int descriptor, long offset, int whence);

    [LibraryImport(Library, EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FcntlCall(int descriptor, int command, nint argument);

    [LibraryImport(Library, EntryPoint = "isatty", SetLastError = true)]
    private static partial int IsTerminalCall(int descriptor);

    [LibraryImport(Library, EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenCall(string path, int flags, int mode);

    [LibraryImport(Library, EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncCall(int descriptor);

    [LibraryImport(Library, EntryPoint = "geteuid")]
    private static partial uint EffectiveUserCall();

    [LibraryImport(Library, EntryPoint = "close", SetLastError = true)]
    private static partial int CloseCall(int descriptor);

    /// <summary>What the host knows of a file.</summary>
    internal readonly struct FileStatus
    {
        private const int TypeMask = 0xF000;

        internal FileStatus(in Statx raw)
        {
            Type = (raw.Mode & TypeMask) switch
            {
                0x8000 => FileType.RegularFile,
                0x4000 => FileType.Directory,
                0xA000 => FileType.SymbolicLink,
                0x2000 => FileType.CharacterDevice,
                0x6000 => FileType.BlockDevice,
                0xC000 => FileType.SocketStream,
                _ => FileType.Unknown,
            };
            Permissions = raw.Mode & ~TypeMask;
            User = raw.User;
            Device = ((ulong)raw.DeviceMajor << 32) | raw.DeviceMinor;
            Inode = raw.Inode;
            Size = (long)raw.Size;
            AccessTime = Nanoseconds(raw.AccessTime);
            ModificationTime = Nanoseconds(raw.ModificationTime);
            ChangeTime = Nanoseconds(raw.ChangeTime);
        }

        public FileType Type { get; }

        /// <summary>The permission bits.</summary>
        public int Permissions { get; }

        /// <summary>The number of the user whom it belongs to.</summary>
        public uint User { get; }

        public ulong Device { get; }

        public ulong Inode { get; }

        /// <summary>In bytes.</summary>
        public long Size { get; }

        /// <summary>In nanoseconds since 1970.</summary>
        public ulong AccessTime { get; }

        /// <summary>In nanoseconds since 1970.</summary>
        public ulong ModificationTime { get; }

        /// <summary>In nanoseconds since 1970.</summary>
        public ulong ChangeTime { get; }

        private static ulong Nanoseconds(StatxTime time) => time.Seconds < 0 ? 0 : ((ulong)time.Seconds * 1_000_000_000) + time.Nanoseconds;
    }

    /// <summary>The kernel's struct statx_timestamp.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct StatxTime
    {
        public long Seconds;
        public uint Nanoseconds;
        public int Reserved;
    }

    /// <summary>The kernel's struct statx, the same on every architecture (256 bytes).</summary>
    [StructLayout(LayoutKind.Sequential, Size = 256)]
    internal struct Statx
    {
        public uint Mask;
        public uint BlockSize;
        public ulong Attributes;
        public uint Links;
        public uint User;
        public uint Group;
        public ushort Mode;
        public ushort Reserved;
        public ulong Inode;
        public ulong Size;
        public ulong Blocks;
        public ulong AttributesMask;
        public StatxTime AccessTime;
        public StatxTime BirthTime;
        public StatxTime ChangeTime;
        public StatxTime ModificationTime;
        public uint RawDeviceMajor;
        public uint RawDeviceMinor;
        public uint DeviceMajor;
        public uint DeviceMinor;
    }
}
