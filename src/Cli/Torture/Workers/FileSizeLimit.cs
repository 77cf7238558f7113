using System.Runtime.InteropServices;

namespace Everheap.Cli.Torture.Workers;

/// <summary>The longest that this process may make a file (<c>ulimit -f</c>): the way to a full disk that needs no disk of its own.</summary>
internal static partial class FileSizeLimit
{
    private const int FileSizeResource = 1;

    /// <summary>Whether the limit can be set here.</summary>
    public static bool IsAvailable { get; } = OperatingSystem.IsLinux() && Environment.Is64BitProcess;

    /// <summary>Sets the limit, or takes it away as far as this process may.</summary>
    /// <param name="bytes">The limit; <see cref="long.MaxValue"/> for none.</param>
    /// <exception cref="IOException">The system refuses.</exception>
    public static void Set(long bytes)
    {
        if (GetLimit(FileSizeResource, out Limit limit) == 0)
        {
            limit.Soft = bytes == long.MaxValue ? limit.Hard : Math.Min((ulong)bytes, limit.Hard);
            if (SetLimit(FileSizeResource, in limit) == 0)
            {
                return;
            }
        }

        throw new IOException($"The limit of the size of files could not be set: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    private static partial int GetLimit(int resource, out Limit limit);

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    private static partial int SetLimit(int resource, in Limit limit);

    [StructLayout(LayoutKind.Sequential)]
    private struct Limit
    {
        public ulong Soft;
        public ulong Hard;
    }
}
