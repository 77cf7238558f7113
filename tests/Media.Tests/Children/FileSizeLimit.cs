using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Everheap.Media.Tests.Children;

/// <summary>The process's limit on the length of files that it writes: what <c>ulimit -f</c> sets in a shell.</summary>
internal static unsafe partial class FileSizeLimit
{
    private const int LinuxFileSize = 1;

    /// <summary>Lowers the limit that counts; the one up to which it may be raised again stays.</summary>
    public static void Set(long bytes) => Change((ref limit) => limit.Current = (ulong)bytes);

    /// <summary>Raises the limit as far as it may be.</summary>
    public static void Lift() => Change((ref limit) => limit.Current = limit.Most);

    private delegate void Changer(ref Limit limit);

    private static void Change(Changer change)
    {
        Limit limit;
        if (GetLimit(LinuxFileSize, &limit) == 0)
        {
            change(ref limit);
            if (SetLimit(LinuxFileSize, &limit) == 0)
            {
                return;
            }
        }

        throw new Win32Exception(Marshal.GetLastPInvokeError());
    }

    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    private static partial int GetLimit(int resource, Limit* limit);

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    private static partial int SetLimit(int resource, Limit* limit);

    [StructLayout(LayoutKind.Sequential)]
    private struct Limit
    {
        public ulong Current;
        public ulong Most;
    }
}
